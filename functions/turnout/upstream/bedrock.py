"""Amazon Bedrock's models: Converse and ConverseStream, asked and heard through translation."""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import quote

from pydantic_core import to_json

from turnout.chat import Caller, Format
from turnout.errors import InvalidRequest
from turnout.upstream.catalogue import Endpoint
from turnout.upstream.port import Call, CallFailed, Reply, whole_body
from turnout.upstream.sse import json_object
from turnout.upstream.transport import Connections, HttpReply, failures

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.eventstream import EventStreamMessage
    from botocore.session import Session

EVENT_STREAM: Final = "application/vnd.amazon.eventstream"
_REGION: Final = re.compile(r"bedrock-runtime(?:-fips)?\.([a-z0-9-]+)\.")
_MODEL_FAILED: Final = 424
"""Converse's status for a model's own error, which is not the caller's."""


class Bedrock:
    """Bedrock in one region, called with the credentials of the process, or with a key of Bedrock's."""

    takes: Final[frozenset[Format]] = frozenset({"chat"})

    def __init__(self, endpoint: Endpoint, connections: Connections) -> None:
        self._endpoint = endpoint
        self._connections = connections
        self._session: Session | None = None

    def serves(self, caller: Caller) -> bool:
        return self._endpoint.serves(caller)

    async def open(self, call: Call) -> Reply:
        from yarl import URL

        from turnout.wire.bedrock_requests import converse_from_chat

        try:
            arguments = converse_from_chat({**call.body, "model": call.model_id})
        except InvalidRequest as error:
            raise CallFailed(f"cannot be asked of Bedrock: {error}", status=400) from None
        operation = "converse-stream" if call.stream else "converse"
        # What is signed is the path as it is sent, where a model's id stands encoded.
        url = self._endpoint.url(f"/model/{quote(arguments.pop('modelId'), safe='')}/{operation}")
        body = to_json(arguments)
        headers = await self._authorized(url, body, call.caller)
        with failures():
            response = await self._connections.request(
                "POST",
                URL(url, encoded=True),
                headers=headers,
                data=body,
                timeout_s=call.deadline - asyncio.get_running_loop().time(),
            )
        return _ConverseReply(HttpReply(response), call)

    async def close(self) -> None:
        await self._connections.close()

    async def _authorized(self, url: str, body: bytes, caller: Caller) -> dict[str, str]:
        if key := self._endpoint.key_for(caller):
            return {"Authorization": f"Bearer {key}"}
        # Credentials that have run out are fetched anew, which waits for another service.
        return await asyncio.to_thread(self._signed, url, body)

    def _signed(self, url: str, body: bytes) -> dict[str, str]:
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.exceptions import BotoCoreError

        try:
            credentials = self._aws().get_credentials()
            if credentials is None:
                raise CallFailed("there are no AWS credentials to call Bedrock with")
            frozen = credentials.get_frozen_credentials()
        except BotoCoreError as error:
            raise CallFailed(f"no AWS credentials: {type(error).__name__}") from None
        request = AWSRequest("POST", url, {"Content-Type": "application/json"}, body)
        SigV4Auth(frozen, "bedrock", _region(self._endpoint)).add_auth(request)
        return dict(request.headers)

    def _aws(self) -> Session:
        if self._session is None:
            from botocore.session import Session

            self._session = Session()
        return self._session


def _region(endpoint: Endpoint) -> str:
    """Return the region that calls are signed for: the address's, else the process's."""
    told = _REGION.search(endpoint.host)
    return told[1] if told else os.environ.get("AWS_REGION", "us-east-1")


class _ConverseReply:
    """A reply in Converse's format, read as OpenAI's."""

    def __init__(self, reply: HttpReply, call: Call) -> None:
        self._reply = reply
        self._call = call
        self.format: Format = "chat"
        self.status = 502 if reply.status == _MODEL_FAILED else reply.status
        self.retry_after_s = reply.retry_after_s
        streams = reply.content_type == EVENT_STREAM
        self.content_type = "text/event-stream" if streams else reply.content_type

    def chunks(self) -> AsyncIterator[bytes]:
        if self.status == 200 and self.content_type == "text/event-stream":
            return self._stream()
        return self._whole()

    async def close(self) -> None:
        await self._reply.close()

    async def _stream(self) -> AsyncIterator[bytes]:
        from botocore.eventstream import EventStreamBuffer

        from turnout.wire.bedrock_replies import ChunksFromConverse

        options = self._call.body.get("stream_options") or {}
        translator = ChunksFromConverse(
            model=self._call.model_id,
            include_usage=bool(options.get("include_usage")),
            created=int(time.time()),
        )
        frames = EventStreamBuffer()
        async for chunk in self._reply.chunks():
            with _unreadable():
                frames.add_data(chunk)
                translated = b"".join(translator.feed(_event(frame)) for frame in frames)
            if translated:
                yield translated

    async def _whole(self) -> AsyncIterator[bytes]:
        from turnout.wire.bedrock_replies import completion_from_converse, error_from_converse

        answered = json_object(await whole_body(self._reply))
        if self.status != 200:
            yield to_json(error_from_converse(answered))
            return
        with _unreadable():
            completion = completion_from_converse(
                answered, model=self._call.model_id, created=int(time.time())
            )
        yield to_json(completion)


def _event(frame: EventStreamMessage) -> Mapping[str, Any]:
    """Return one event, or exception, of ConverseStream under its name."""
    headers = cast("Mapping[str, object]", frame.headers)
    fields = json_object(frame.payload)
    match headers.get(":message-type"):
        case "exception":
            return {str(headers[":exception-type"]): fields}
        case "error":
            return {"internalServerException": {"message": str(headers.get(":error-message", ""))}}
    return {str(headers[":event-type"]): fields}


@contextmanager
def _unreadable() -> Iterator[None]:
    """Turn what reading a reply of the wrong shape raises into a failed call."""
    from botocore.eventstream import ParserError

    try:
        yield
    except (ParserError, KeyError, TypeError, AttributeError) as error:
        raise CallFailed(f"cannot read its reply: {type(error).__name__}", status=502) from None
