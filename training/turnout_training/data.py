"""Labelled prompts from JSONL files, each row with the weight that its source deserves."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
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
_REAL_PEOPLE: Final = frozenset({"seed", "autoj-scenario-train"})
_REAL_WEIGHT: Final = 3.0
_FULL_WEIGHT_ROWS: Final = 150
_MOST_OF_A_FORMAT: Final = 300
_MOST_OUTCOMES: Final = 2_000
_OPTIONS: Final = re.compile(r"\nA\. ")
_DIFFICULTY_ONLY_WEIGHT: Final = 0.3


@dataclass(frozen=True, slots=True)
class Row:
    """One prompt. `category` None: it teaches difficulty alone; `difficulty` None: category alone.

    `context` is what came before the prompt. `outcome`: whether a weak and a strong model were right.
    """

    text: str
    category: str | None
    difficulty: float | None
    source: str
    split: str
    context: str = ""
    outcome: tuple[bool, bool] | None = None
    weight: float = 1.0

    @property
    def by_people(self) -> bool:
        """Whether a person wrote the prompt for its own sake, rather than a benchmark's maker."""
        return self.source in _REAL_PEOPLE


def read_rows(paths: Iterable[Path]) -> list[Row]:
    """Return the rows of JSONL files (`.gz` or not) and of folders of them, weighted by source.

    A row has `text` and `category`, or `text`, `weak_correct` and `strong_correct`; `difficulty`,
    `source` and `split` may be given. Raises ValueError naming file and line for any other.
    """
    rows = [row for path in paths for file in _files(path) for row in _read(file)]
    counts = Counter(row.source for row in rows)
    return [replace(row, weight=_weight(row, counts[row.source])) for row in rows]


def without_options(text: str) -> str:
    """Return an exam question without its lettered answers: people ask without them."""
    return _OPTIONS.split(text, maxsplit=1)[0].rstrip()


def digest(rows: Sequence[Row]) -> str:
    """Return a digest of the training data, which goes into the model's metadata."""
    lines = sorted(f"{row.category}\t{row.difficulty}\t{row.context}\t{row.text}" for row in rows)
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
        most = _MOST_OUTCOMES if row.category is None else _MOST_OF_A_FORMAT
        if row.by_people or taken[row.source] <= most:
            kept.append(row)
    return kept


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


def _read(path: Path) -> Iterator[Row]:
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


def _row(fields: dict[str, Any]) -> Row:
    split, source = fields.get("split", "train"), fields.get("source", "seed")
    if "strong_correct" in fields:
        outcome = (bool(fields["weak_correct"]), bool(fields["strong_correct"]))
        harder = float(outcome == (False, True))
        return Row(fields["text"], None, harder, source, split, outcome=outcome)
    difficulty = fields.get("difficulty")
    return Row(
        fields["text"],
        fields["category"],
        None if difficulty is None else float(difficulty),
        source,
        split,
        context=fields.get("context", ""),
    )
