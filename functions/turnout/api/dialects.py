"""The wire formats beside chat completions: a request becomes a chat, and the chat's reply theirs.

Translation happens here, at the edge: what is inside knows chat completions alone.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from pydantic_core import from_json, to_json
from starlette.responses import Response

from turnout.api.errors import anthropic_body
from turnout.api.openai import parse_chat
from turnout.api.reply import StreamedReply, routing_headers, whole
from turnout.chat import ChatRequest, Format, Native
from turnout.errors import InvalidRequest, TurnoutError
from turnout.record import DecisionRecord
from turnout.service import Answer
from turnout.upstream import data_lines

BETA: Final = "anthropic-beta"
_BETAS: Final = re.compile(r"[A-Za-z0-9_., -]{1,1024}")

# What translates is imported where it is used: most requests, and every cold start, do without.


class StreamTranslator(Protocol):
    """Turns the payloads of a chat completion stream, `[DONE]` last, into another format's events."""

    def feed(self, data: bytes) -> bytes: ...

    def broken(self, message: str) -> bytes:
        """Return the event that tells the caller that the reply cannot be completed."""


class Dialect(Protocol):
    """One wire format, for one request in it."""

    @property
    def format(self) -> Format | None:
        """The format of replies that need no translation; None where no upstream is asked in it."""

    def chat(self, headers: Mapping[str, str]) -> ChatRequest:
        """Return the request as a chat. Raises InvalidRequest."""

    def whole(self, completion: Mapping[str, Any], model: str) -> dict[str, Any]:
        """Return a whole chat completion in this format."""

    def refusal(self, answered: Mapping[str, Any], status: int) -> Mapping[str, Any]:
        """Return an upstream's refusal of the request in this format."""

    def stream(self, record: DecisionRecord) -> StreamTranslator: ...


@dataclass(frozen=True, slots=True)
class Messages:
    """Anthropic's messages. What only Anthropic can be asked for is left out of the chat."""

    body: Mapping[str, Any]
    format: Format | None = "messages"

    def chat(self, headers: Mapping[str, str]) -> ChatRequest:
        from turnout.wire.messages_to_chat import chat_from_messages
        from turnout.wire.native_messages import without_native

        carried, only = without_native(self.body)
        native = Native("messages", self.body, only, _beta(headers))
        return replace(parse_chat(chat_from_messages(carried), headers), native=native)

    def whole(self, completion: Mapping[str, Any], model: str) -> dict[str, Any]:
        from turnout.wire.anthropic_replies import message_from_completion

        return message_from_completion(completion, model=model)

    def refusal(self, answered: Mapping[str, Any], status: int) -> Mapping[str, Any]:
        return anthropic_body(_message(answered), status)

    def stream(self, record: DecisionRecord) -> StreamTranslator:
        from turnout.wire.messages_from_chunks import MessagesFromChunks

        return MessagesFromChunks(
            model=_answering(record), input_tokens=record.signals.input_tokens
        )


@dataclass(frozen=True, slots=True)
class Responses:
    """OpenAI's responses."""

    body: Mapping[str, Any]
    format: Format | None = None

    def chat(self, headers: Mapping[str, str]) -> ChatRequest:
        from turnout.wire.responses_requests import chat_from_response_request

        return parse_chat(chat_from_response_request(self.body), headers)

    def whole(self, completion: Mapping[str, Any], model: str) -> dict[str, Any]:
        from turnout.wire.responses_replies import response_from_completion

        return response_from_completion(completion, request=self.body)

    def refusal(self, answered: Mapping[str, Any], status: int) -> Mapping[str, Any]:
        return answered

    def stream(self, record: DecisionRecord) -> StreamTranslator:
        from turnout.wire.responses_streams import ResponseEventsFromChunks

        return ResponseEventsFromChunks(request=self.body)


async def reply_in(dialect: Dialect, answer: Answer) -> Response:
    """Return the answer in the caller's own wire format, streamed or whole."""
    if answer.format == dialect.format:
        if answer.content_type != "text/event-stream":
            return await whole(answer)
        return StreamedReply(replace(answer, chunks=_untouched(answer, dialect)))
    if answer.content_type == "text/event-stream":
        translator = dialect.stream(answer.record)
        return StreamedReply(replace(answer, chunks=_translated(answer, translator)))
    answered = from_json(b"".join([chunk async for chunk in answer.chunks]))
    told = (
        dialect.whole(answered, _answering(answer.record))
        if answer.status == 200
        else dialect.refusal(answered, answer.status)
    )
    return Response(
        to_json(told), answer.status, routing_headers(answer.record), media_type="application/json"
    )


async def _untouched(answer: Answer, dialect: Dialect) -> AsyncGenerator[bytes, None]:
    try:
        async for chunk in answer.chunks:
            yield chunk
    except TurnoutError as error:
        yield dialect.stream(answer.record).broken(str(error))
    finally:
        await answer.chunks.aclose()


async def _translated(answer: Answer, translator: StreamTranslator) -> AsyncGenerator[bytes, None]:
    ended = False
    try:
        async for chunk in answer.chunks:
            for payload in data_lines(chunk):
                ended = ended or payload.strip() == b"[DONE]"
                if events := translator.feed(payload):
                    yield events
        if not ended and (events := translator.feed(b"[DONE]")):
            yield events
    except TurnoutError as error:
        yield translator.broken(str(error))
    finally:
        await answer.chunks.aclose()


def _beta(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the caller's header that switches on what its body may ask for, the only one to go upstream."""
    value = headers.get(BETA)
    if value is None:
        return {}
    if not _BETAS.fullmatch(value):
        raise InvalidRequest(f"{BETA}: names of features, with commas between them", param=BETA)
    return {BETA: value}


def _answering(record: DecisionRecord) -> str:
    return record.attempts[-1].model if record.attempts else ""


def _message(answered: Mapping[str, Any]) -> str:
    error = answered.get("error")
    message = error.get("message") if isinstance(error, dict) else None
    return message if isinstance(message, str) else "the upstream refused the request"
