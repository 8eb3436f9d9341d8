"""The demo upstream's embeddings: no model's, but hashed words, so that texts that share words are near."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping
from typing import Any, Final

DIMENSIONS: Final = 256
_WORD: Final = re.compile(r"\w+")


def demo_embeddings(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return the reply to an embeddings request."""
    wanted = asked["input"]
    inputs = [wanted] if isinstance(wanted, str) or isinstance(wanted[0], int) else wanted
    words = [_words(each) for each in inputs]
    data = [
        {"object": "embedding", "index": i, "embedding": _vector(said, _dimensions(asked))}
        for i, said in enumerate(words)
    ]
    tokens = sum(map(len, words))
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": "turnout-demo", "usage": usage}


def _dimensions(asked: Mapping[str, Any]) -> int:
    return asked.get("dimensions") or DIMENSIONS


def _words(text: str | list[int]) -> list[str]:
    if isinstance(text, str):
        return _WORD.findall(text.casefold()) or [text]
    return [str(token) for token in text]


def _vector(words: list[str], dimensions: int) -> list[float]:
    vector = [0.0] * dimensions
    for word in words:
        digest = hashlib.blake2b(word.encode("utf-8", "replace"), digest_size=8).digest()
        number = int.from_bytes(digest, "big")
        vector[(number >> 1) % dimensions] += 1.0 if number & 1 else -1.0
    length = math.sqrt(sum(value * value for value in vector)) or 1.0
    return [round(value / length, 6) for value in vector]
