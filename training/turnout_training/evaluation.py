"""How good a model layer is, through the very adapter that serves requests."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from turnout.classifier import Classifier
from turnout.language import detect_language
from turnout_training.data import Row
from turnout_training.pictures import confusion_matrix, cost_quality, reliability
from turnout_training.routellm import Curve, curve
from turnout_training.scores import Scores, score

LATENCY_RUNS = 300
FEWEST_OF_A_LANGUAGE = 10
_WORDS = "please write a function that merges two sorted lists and explain how it works "


Report = tuple[list[str], dict[str, str]]
"""Lines of text, and pictures as SVG by name."""


def report(classifier: Classifier, folder: Path, rows: Sequence[Row]) -> Report:
    """Classify every row that has a category and tell how right the answers are, and how fast.

    Raises ValueError when there is no such row, or one of a category that the classifier lacks.
    """
    labels = classifier.labels
    labelled = [row for row in rows if row.category]
    if unknown := {str(row.category) for row in labelled}.difference(labels):
        raise ValueError(f"the classifier does not know {', '.join(sorted(unknown))}")
    if not labelled:
        raise ValueError("no row with a category to evaluate on")
    told = [classifier.classify(row.text, row.context) for row in labelled]
    probabilities = np.array([[t.categories[label] for label in labels] for t in told], np.float32)
    truth = np.array([labels.index(row.category or "") for row in labelled])
    chosen, confidence = probabilities.argmax(1), probabilities.max(1).astype(float)
    lines = [f"classifier {classifier.version}", *_score_lines(score(probabilities, truth, labels))]
    right = {"its label": chosen == truth}
    if any(row.also for row in labelled):
        accepted = _accepted(labelled, chosen, truth, labels)
        right["any acceptable"] = chosen == accepted
        lines += ["any acceptable category counted right:"]
        lines += _score_lines(score(probabilities, accepted, labels))
    lines += _language_lines(labelled, chosen == truth)
    lines += _latency_lines(folder)
    return lines, {
        "confusion": confusion_matrix(truth, chosen, labels),
        "reliability": reliability(confidence, right),
    }


def routing_report(classifier: Classifier, rows: Sequence[Row]) -> Report:
    """Tell how well difficulty routes between two models, by benchmark: a source up to its `:`.

    Raises ValueError when no row carries both models' outcomes.
    """
    benchmarks: dict[str, list[Row]] = {}
    for row in rows:
        if row.outcome:
            benchmarks.setdefault(row.source.partition(":")[0], []).append(row)
    if not benchmarks:
        raise ValueError("no row with weak_correct and strong_correct to evaluate on")
    curves = {name: _routing_curve(classifier, part) for name, part in benchmarks.items()}
    lines = [
        f"{name}: {len(benchmarks[name])} rows, weak {c.weak:.3f}, strong {c.strong:.3f};"
        f" APGR {c.apgr:.3f} (random 0.500), CPT(50%) {c.cpt(0.5):.0%}, CPT(80%) {c.cpt(0.8):.0%}"
        for name, c in curves.items()
    ]
    return lines, {"cost-quality": cost_quality(list(curves.items()))}


def _routing_curve(classifier: Classifier, rows: Sequence[Row]) -> Curve:
    outcomes = np.array([row.outcome for row in rows], float)
    scores = np.array([classifier.classify(row.text).difficulty for row in rows])
    return curve(scores, outcomes[:, 0], outcomes[:, 1])


def _accepted(
    rows: Sequence[Row],
    chosen: npt.NDArray[np.int64],
    truth: npt.NDArray[np.int64],
    labels: Sequence[str],
) -> npt.NDArray[np.int64]:
    """Return the categories to score against: what was told where the row also accepts it, else its own."""
    also = [labels[c] in row.also for row, c in zip(rows, chosen, strict=True)]
    return np.where(also, chosen, truth)


def _score_lines(scores: Scores) -> Iterator[str]:
    yield (
        f"{scores.rows} rows: accuracy {scores.accuracy:.3f}, macro-F1 {scores.macro_f1:.3f},"
        f" expected calibration error {scores.calibration_error:.3f}"
    )
    for label, f1 in sorted(scores.f1.items(), key=lambda item: item[1]):
        yield f"  {label:<20} F1 {f1:.3f}"


def _language_lines(rows: Sequence[Row], right: npt.NDArray[np.bool_]) -> Iterator[str]:
    languages = np.array([detect_language(row.text) for row in rows])
    for language in sorted(set(languages)):
        of_it = languages == language
        if of_it.sum() >= FEWEST_OF_A_LANGUAGE:
            yield f"  {language:<20} {of_it.sum():>5} rows: accuracy {right[of_it].mean():.3f}"


def _latency_lines(folder: Path) -> Iterator[str]:
    started = time.perf_counter()
    classifier = Classifier.load(folder)
    load = (time.perf_counter() - started) * 1000
    short, long = _median_ms(classifier, _WORDS * 4), _median_ms(classifier, _WORDS * 34)
    size = sum(path.stat().st_size for path in folder.glob("*.*") if path.suffix != ".md") / 1e6
    yield (
        f"one thread: about 64 tokens {short:.2f} ms, about 512 tokens {long:.2f} ms (medians);"
        f" loads in {load:.0f} ms; {size:.1f} MB"
    )


def _median_ms(classifier: Classifier, text: str) -> float:
    times = []
    for _ in range(LATENCY_RUNS):
        started = time.perf_counter()
        classifier.classify(text)
        times.append(time.perf_counter() - started)
    return statistics.median(times) * 1000
