"""A request's body: read within its limit, and parsed as one JSON object."""

from __future__ import annotations

from typing import Any, Final

from fastapi import Request
from pydantic_core import from_json

from turnout.errors import InvalidRequest, PayloadTooLarge, UnsupportedMediaType

DRAINED_BYTES: Final = 64 << 20
"""How much of an oversized body is read and dropped, so that its sender gets to read the answer."""


async def read_json_object(request: Request, most_bytes: int) -> dict[str, Any]:
    """Return the body's JSON object.

    Raises UnsupportedMediaType, PayloadTooLarge, or InvalidRequest saying where it is malformed.
    """
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    # Not only tidiness: a web page cannot send this type to another origin without its consent.
    if content_type != "application/json":
        raise UnsupportedMediaType("send the body with `Content-Type: application/json`")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise UnsupportedMediaType("send the body as it is, without `Content-Encoding`")
    try:
        value = from_json(await _read(request, most_bytes))
    except ValueError as error:
        raise InvalidRequest(f"the body is not valid JSON: {error}") from None
    if not isinstance(value, dict):
        raise InvalidRequest("the body must be a JSON object")
    return value


async def _read(request: Request, most_bytes: int) -> bytes:
    body = bytearray()
    received = 0
    async for chunk in request.stream():
        received += len(chunk)
        if received <= most_bytes:
            body += chunk
        elif received > DRAINED_BYTES:
            break
    if received > most_bytes:
        raise PayloadTooLarge(f"the body is over {most_bytes:,} bytes")
    return bytes(body)
