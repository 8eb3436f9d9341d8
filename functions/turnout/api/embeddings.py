"""OpenAI's embeddings on the wire: a body becomes an EmbeddingsRequest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from turnout.api.labels import session_of, tags_of, trace_of
from turnout.embeddings import EmbeddingsRequest
from turnout.errors import InvalidRequest
from turnout.signals import BYTES_PER_TOKEN

MOST_INPUTS: Final = 2048
"""As OpenAI has it."""
MOST_DIMENSIONS: Final = 16_384


class _Body(BaseModel):
    """What is read of the body; the rest of it goes to the upstream unread."""

    model_config = ConfigDict(strict=True, extra="ignore")

    model: str = Field(min_length=1)
    input: str | list[Any]
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: int | None = Field(default=None, gt=0, le=MOST_DIMENSIONS)
    user: str | None = None


def parse_embeddings(body: Mapping[str, Any], headers: Mapping[str, str]) -> EmbeddingsRequest:
    """Return the request, with the session and the tags that its headers name.

    Raises InvalidRequest naming the first field at fault.
    """
    try:
        wire = _Body.model_validate(body)
    except ValidationError as error:
        detail = error.errors(include_url=False)[0]
        raise _invalid(str(detail["loc"][0]), detail["msg"]) from None
    inputs = _inputs(wire.input)
    tokens = [_tokens(each) for each in inputs]
    metadata = tags_of(headers)
    return EmbeddingsRequest(
        model=wire.model,
        body=body,
        input_tokens=sum(tokens),
        largest_input_tokens=max(tokens),
        text=next((each for each in inputs if isinstance(each, str)), ""),
        user=wire.user,
        session=session_of(headers, metadata),
        trace=trace_of(headers, metadata),
        metadata=metadata,
    )


def _inputs(wanted: str | list[Any]) -> list[str | list[int]]:
    """Return the inputs, texts or tokens: one, or a batch."""
    batch = wanted if isinstance(wanted, list) and not _is_tokens(wanted) else [wanted]
    if not batch:
        raise _invalid("input", "there is nothing to embed")
    if len(batch) > MOST_INPUTS:
        raise _invalid("input", f"at most {MOST_INPUTS:,} inputs a request")
    for i, each in enumerate(batch):
        if each == "":
            raise _invalid(f"input.{i}" if batch is wanted else "input", "an empty text")
        if not isinstance(each, str) and not _is_tokens(each):
            raise _invalid(f"input.{i}", "neither a text nor a list of tokens")
    return batch


def _is_tokens(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(type(token) is int and token >= 0 for token in value)
    )


def _tokens(each: str | list[int]) -> int:
    if isinstance(each, str):
        return -(-len(each.encode("utf-8", "replace")) // BYTES_PER_TOKEN)
    return len(each)


def _invalid(param: str, why: str) -> InvalidRequest:
    return InvalidRequest(f"{param}: {why[0].lower()}{why[1:]}", param=param)
