"""Who is calling: a key in the request becomes a caller, or the request is denied."""

from __future__ import annotations

from typing import Protocol

from fastapi import Request

from turnout.chat import Caller
from turnout.errors import Unauthenticated
from turnout.store import Keys


class Authenticator(Protocol):
    """Tells whose key this is. Raises Unauthenticated."""

    async def __call__(self, key: str | None) -> Caller: ...


class KeyAuthenticator:
    """Accepts the keys in the store and no others."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    async def __call__(self, key: str | None) -> Caller:
        if not key:
            raise Unauthenticated("no API key; send `Authorization: Bearer <your Turnout key>`")
        caller = await self._keys.find(key)
        if caller is None:
            raise Unauthenticated("this API key is not known to Turnout, or was revoked")
        return caller


async def open_access(key: str | None) -> Caller:
    """Accept everyone as the tenant `local`: for a server that only this machine can reach."""
    return Caller(tenant="local", key="local")


async def authenticate(request: Request) -> Caller:
    """The route dependency. The key is a bearer token, or in `x-api-key` as Anthropic's SDK sends it."""
    authenticator: Authenticator = request.app.state.authenticator
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return await authenticator(token.strip())
    return await authenticator(request.headers.get("x-api-key"))
