"""Upstreams that speak OpenAI's chat completions and embeddings."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from pydantic_core import to_json

from turnout.chat import Caller, Format
from turnout.policy import ANY_MODEL
from turnout.upstream.catalogue import Endpoint
from turnout.upstream.port import Call, CallFailed, Reply
from turnout.upstream.transport import CONNECT_TIMEOUT_S, Connections, HttpReply, failures

_PATHS: Final[Mapping[Format, str]] = {"chat": "/chat/completions", "embeddings": "/embeddings"}


class OpenAICompatible:
    """One upstream at one base URL."""

    takes: Final[frozenset[Format]] = frozenset({"chat", "embeddings"})

    def __init__(self, endpoint: Endpoint, connections: Connections) -> None:
        self._endpoint = endpoint
        self._connections = connections
        self._first_model: str | None = None

    def serves(self, caller: Caller) -> bool:
        return self._endpoint.serves(caller)

    async def open(self, call: Call) -> Reply:
        model_id = await self._model_id(call)
        with failures():
            response = await self._connections.request(
                "POST",
                self._endpoint.url(_PATHS[call.asks]),
                headers=self._headers(call.caller),
                data=to_json({**call.body, "model": model_id}),
                timeout_s=call.deadline - asyncio.get_running_loop().time(),
            )
        return HttpReply(response, call.asks)

    async def _model_id(self, call: Call) -> str:
        """Return the model to ask for; for any model, the first that the upstream lists."""
        if call.model_id != ANY_MODEL:
            return call.model_id
        if self._first_model is None:
            with failures():
                response = await self._connections.request(
                    "GET",
                    self._endpoint.url("/models"),
                    headers=self._headers(call.caller),
                    timeout_s=CONNECT_TIMEOUT_S,
                )
                async with response:
                    listing = await response.json(content_type=None)
            try:
                self._first_model = str(listing["data"][0]["id"])
            except (TypeError, KeyError, IndexError):
                raise CallFailed("the upstream lists no model") from None
        return self._first_model

    async def close(self) -> None:
        await self._connections.close()

    def _headers(self, caller: Caller) -> dict[str, str]:
        key = self._endpoint.key_for(caller)
        return {"Authorization": f"Bearer {key}"} if key else {}
