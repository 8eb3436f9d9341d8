"""Labelled prompts from JSONL files, each row with the weight that its source deserves."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TextIO

CATEGORIES: Final = (
    "coding", "math", "reasoning", "creative_writing", "copywriting", "business_writing", "editing",
    "summarization", "translation", "extraction", "question_answering", "education", "planning",
    "conversation",
)  # fmt: skip
HELD_OUT: Final = "autoj-scenario-test"
"""Real users' prompts, kept to evaluate on: never trained on."""
_REAL_PEOPLE: Final = frozenset({"seed", "feedback", "autoj-scenario-train", "auto-j"})
_REAL_WEIGHT: Final = 3.0
_FULL_WEIGHT_ROWS: Final = 150
_MOST_OF_A_FORMAT: Final = 300
_MOST_OUTCOMES: Final = 5_000
_MOST_UNLABELLED: Final = 6_000
_OPTIONS: Final = re.compile(r"\nA\. ")
_DIFFICULTY_ONLY_WEIGHT: Final = 0.3


@dataclass(frozen=True, slots=True)
class Row:
    """One prompt. `category` None: it teaches difficulty alone, or nothing but what a teacher thinks of
    it; `difficulty` None: category alone.

    `also` are categories that a careful person might tell as well. `context` is what came before the
    prompt. `outcome`: how good a weak and a strong model's answers were, in 0..1.
    """

    text: str
    category: str | None
    difficulty: float | None
    source: str
    split: str
    also: tuple[str, ...] = ()
    context: str = ""
    outcome: tuple[float, float] | None = None
    weight: float = 1.0

    @property
    def by_people(self) -> bool:
        """Whether a person wrote the prompt for its own sake, rather than a benchmark's maker."""
        return self.source in _REAL_PEOPLE


@dataclass(frozen=True, slots=True)
class SecondOpinion:
    """What a careful reader would accept as a prompt's category, the best one first.

    `of` is the beginning of the SHA-256 of its text, which need not be ours to publish.
    """

    of: str
    categories: tuple[str, ...]


def read_rows(paths: Iterable[Path]) -> list[Row]:
    """Return the rows of JSONL files (`.gz` or not) and of folders of them, weighted by source.

    A row has `text` and `category` (null where it is not known), or `text`, `weak_correct` and
    `strong_correct` (true, false, or a score in 0..1); `also`, `context`, `difficulty`, `source` and
    `split` may be given. A line with `of` and `categories` is a second opinion on such a row. Raises
    ValueError naming file and line for any other.
    """
    read = [line for path in paths for file in _files(path) for line in _read(file)]
    opinions = {line.of: line for line in read if isinstance(line, SecondOpinion)}
    rows = [_reconsidered(line, opinions) for line in read if isinstance(line, Row)]
    counts = Counter(row.source for row in rows)
    return [replace(row, weight=_weight(row, counts[row.source])) for row in rows]


def without_options(text: str) -> str:
    """Return an exam question without its lettered answers: people ask without them."""
    return _OPTIONS.split(text, maxsplit=1)[0].rstrip()


def digest(rows: Sequence[Row]) -> str:
    """Return a digest of the training data, which goes into the model's metadata."""
    lines = sorted(
        f"{row.category}\t{row.also}\t{row.difficulty}\t{row.context}\t{row.text}" for row in rows
    )
    return hashlib.sha256("\n".join(lines).encode("utf-8", "replace")).hexdigest()[:16]


def without_surplus(rows: Sequence[Row], seed: int) -> list[Row]:
    """Return the rows without what is more of the same: of a benchmark's format a few hundred do.

    People's own prompts are all kept; which others are, is the same for the same seed.
    """
    shuffled = list(rows)
    random.Random(seed).shuffle(shuffled)  # noqa: S311 - for shuffling, not for secrets
    taken: Counter[str] = Counter()
    kept = []
    for row in shuffled:
        taken[row.source] += 1
        if row.by_people or taken[row.source] <= _most(row):
            kept.append(row)
    return kept


def _most(row: Row) -> int:
    if row.category:
        return _MOST_OF_A_FORMAT
    return _MOST_UNLABELLED if row.difficulty is None else _MOST_OUTCOMES


def in_conversation(rows: Sequence[Row], seed: int) -> list[Row]:
    """Return labelled rows, each after a turn that asks for another kind of work, which must not be
    taken for its own."""
    draw = random.Random(seed)  # noqa: S311 - for choosing, not for secrets
    alone = [row for row in rows if row.category and not row.context]
    before = [draw.choice(alone) for _ in alone]
    return [
        replace(row, context=f"User: {earlier.text}")
        for row, earlier in zip(alone, before, strict=True)
        if earlier.category != row.category
    ]


def _reconsidered(row: Row, opinions: Mapping[str, SecondOpinion]) -> Row:
    """Return a row with the second opinion on it beside its own."""
    opinion = opinions.get(hashlib.sha256(row.text.encode("utf-8", "replace")).hexdigest()[:16])
    if opinion is None:
        return row
    best, *others = dict.fromkeys([*filter(None, [row.category]), *opinion.categories, *row.also])
    return replace(row, category=best, also=tuple(others))


def _weight(row: Row, rows_of_source: int) -> float:
    """Weigh real people's prompts up, and large sources of one format down."""
    if row.category is None:
        return _DIFFICULTY_ONLY_WEIGHT
    if row.by_people:
        return _REAL_WEIGHT
    return float(min(1.0, (_FULL_WEIGHT_ROWS / rows_of_source) ** 0.5))


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted([*path.glob("*.jsonl"), *path.glob("*.jsonl.gz")])
    return [path]


def _read(path: Path) -> Iterator[Row | SecondOpinion]:
    with _open(path) as lines:
        for number, line in enumerate(lines, 1):
            try:
                yield _row(json.loads(line))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise ValueError(f"{path}:{number}: not a labelled prompt ({error})") from None


def _open(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return io.TextIOWrapper(gzip.open(path), encoding="utf-8")
    return path.open(encoding="utf-8")


def _row(fields: dict[str, Any]) -> Row | SecondOpinion:
    if "of" in fields:
        return SecondOpinion(fields["of"], tuple(fields["categories"]))
    split, source = fields.get("split", "train"), fields.get("source", "seed")
    if "strong_correct" in fields:
        outcome = (float(fields["weak_correct"]), float(fields["strong_correct"]))
        harder = float(outcome[0] < outcome[1])
        return Row(fields["text"], None, harder, source, split, outcome=outcome)
    difficulty = fields.get("difficulty")
    return Row(
        fields["text"],
        fields["category"],
        None if difficulty is None else float(difficulty),
        source,
        split,
        also=tuple(map(str, fields.get("also", ()))),
        context=fields.get("context", ""),
    )
