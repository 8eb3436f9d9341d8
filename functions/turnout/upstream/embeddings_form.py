"""Replies in the format of OpenAI's embeddings: as many vectors as inputs, in the encoding asked for."""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Mapping
from typing import Any

from pydantic_core import to_json

from turnout.upstream.form import NotAReply, Whole, of_counts
from turnout.upstream.sse import error_message, json_object


def whole_embeddings(body: bytes, asked: Mapping[str, Any]) -> Whole:
    """Return a whole reply, untouched where its encoding is the one asked for. Raises NotAReply.

    Not every upstream knows base64, and not every SDK takes numbers where it asked for that.
    """
    reply = json_object(body)
    data = reply.get("data")
    if not isinstance(data, list) or not data:
        raise NotAReply(error_message(reply) or "no embeddings")
    vectors = [item.get("embedding") if isinstance(item, dict) else None for item in data]
    _check(vectors, inputs=count_inputs(asked["input"]))
    encoding = str if asked.get("encoding_format") == "base64" else list
    if not isinstance(vectors[0], encoding):
        recoded = [{**item, "embedding": _recoded(item["embedding"])} for item in data]
        body = to_json({**reply, "data": recoded})
    usage = reply.get("usage")
    read = usage.get("prompt_tokens") if isinstance(usage, dict) else None
    return Whole(body, of_counts(read, 0, 0), 0)


def count_inputs(asked: Any) -> int:
    """Return how many inputs there are: a text, a list of tokens, or a list of either."""
    if isinstance(asked, str) or (asked and isinstance(asked[0], int)):
        return 1
    return len(asked)


def _check(vectors: list[Any], *, inputs: int) -> None:
    if len(vectors) != inputs:
        raise NotAReply(f"{len(vectors)} embeddings for {inputs} inputs")
    kinds = {(type(vector), len(vector)) for vector in vectors if isinstance(vector, str | list)}
    if len(kinds) != 1 or not all(vectors):
        raise NotAReply("embeddings that are missing, empty or of several lengths")


def _recoded(vector: str | list[Any]) -> str | list[float]:
    """Return numbers as base64 of little-endian floats of 4 bytes, or that as numbers."""
    try:
        if isinstance(vector, str):
            return [value for (value,) in struct.iter_unpack("<f", base64.b64decode(vector))]
        return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
    except (struct.error, binascii.Error, OverflowError):
        raise NotAReply("embeddings that cannot be read") from None
