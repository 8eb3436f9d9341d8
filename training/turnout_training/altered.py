"""Altered prompts, which no one has labelled: a teacher tells what they are, and the small model learns
from that what each part of a prompt has to say."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Final

from turnout_training.data import Row

OF_A_PERSONS_PROMPT: Final = 10
OF_ANOTHER: Final = 2
_MOST_CHARACTERS: Final = 1_500
_FEWEST_WORDS: Final = 2
_WORD: Final = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fff\u0e00-\u0e7f]|\S+?(?=[\u3040-\u30ff\u3400-\u9fff])|\S+"
)
"""A word and the space behind it; a character, in scripts that have no spaces."""


def altered(rows: Sequence[Row], seed: int) -> list[Row]:
    """Return rows without a category made of these: parts of prompts, prompts with words left out or
    exchanged for others, and two prompts' parts put together. The same for the same seed."""
    draw = random.Random(seed)  # noqa: S311 - for drawing, not for secrets
    words = [_words(row.text[:_MOST_CHARACTERS]) for row in rows]
    words_of_all = [word for part in words for word in part[:40]]
    ways = (_part, _thinned, _joined, _exchanged, _joined, _part)

    def made() -> Iterator[str]:
        for row, own in zip(rows, words, strict=True):
            if len(own) < _FEWEST_WORDS:
                continue
            for _ in range(OF_A_PERSONS_PROMPT if row.by_people else OF_ANOTHER):
                way: Callable[..., list[str]] = draw.choice(ways)
                yield "".join(way(own, draw.choice(words), words_of_all, draw)).strip()

    return [
        Row(text, None, None, source="altered", split="train")
        for text in dict.fromkeys(made())
        if text
    ]


def _words(text: str) -> list[str]:
    starts = [match.start() for match in _WORD.finditer(text)]
    return [text[a:b] for a, b in pairwise([*starts, len(text)])]


def _part(own: list[str], other: list[str], of_all: list[str], draw: random.Random) -> list[str]:
    length = draw.randint(min(3, len(own)), max(3, int(len(own) * 0.8)))
    start = draw.choice((0, draw.randint(0, len(own) - 1), max(0, len(own) - length)))
    return own[start : start + length]


def _thinned(own: list[str], other: list[str], of_all: list[str], draw: random.Random) -> list[str]:
    share = draw.uniform(0.1, 0.4)
    return [word for word in own if draw.random() > share] or own[:1]


def _exchanged(
    own: list[str], other: list[str], of_all: list[str], draw: random.Random
) -> list[str]:
    share = draw.uniform(0.1, 0.35)
    return [draw.choice(of_all) if draw.random() < share else word for word in own]


def _joined(own: list[str], other: list[str], of_all: list[str], draw: random.Random) -> list[str]:
    first = _part(own, other, of_all, draw) if draw.random() < 0.5 else own
    second = _part(other, own, of_all, draw) if len(other) >= _FEWEST_WORDS else other
    parts = [first, second] if draw.random() < 0.6 else [second, first]
    return [*parts[0], draw.choice((" ", "\n", "\n\n", ". ")), *parts[1]]
