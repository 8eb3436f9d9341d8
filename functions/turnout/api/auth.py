"""Who is calling: a key, or an AWS identity that API Gateway has checked, becomes a caller, or is denied."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol

from fastapi import Request

from turnout.chat import Caller
from turnout.errors import Forbidden, InvalidRequest, Unauthenticated
from turnout.store import Keys
from turnout.upstream import UPSTREAM_KEYS


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a request shows of its sender: a key, and the ARN that API Gateway found behind its signature."""

    key: str | None = None
    principal: str | None = None


class Authenticator(Protocol):
    """Tells whose credentials these are. Raises Unauthenticated, or Forbidden."""

    async def __call__(self, credentials: Credentials) -> Caller: ...


class KeyAuthenticator:
    """Accepts the keys in the store and no others."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    async def __call__(self, credentials: Credentials) -> Caller:
        if not credentials.key:
            raise Unauthenticated("no API key; send `Authorization: Bearer <your Turnout key>`")
        caller = await self._keys.find(credentials.key)
        if caller is None:
            raise Unauthenticated("this API key is not known to Turnout, or was revoked")
        return caller


async def iam_access(credentials: Credentials) -> Caller:
    """Accept whom API Gateway's IAM authorizer let through: the account is the tenant, the role the key."""
    if not credentials.principal:
        raise Unauthenticated("no AWS identity; sign the request with SigV4 for execute-api")
    _, _, _, _, account, identity = credentials.principal.split(":", 5)
    return Caller(tenant=account, key="/".join(identity.split("/")[:2]))


async def open_access(credentials: Credentials) -> Caller:
    """Accept everyone as the tenant `local`: for a server that only this machine can reach."""
    return Caller(tenant="local", key="local", admin=True)


class AdminAuthenticator:
    """Accepts AWS identities that API Gateway let through to the control plane, and administrators' keys."""

    def __init__(self, otherwise: Authenticator) -> None:
        self._otherwise = otherwise

    async def __call__(self, credentials: Credentials) -> Caller:
        if credentials.principal:
            return replace(await iam_access(credentials), admin=True)
        caller = await self._otherwise(credentials)
        if not caller.admin:
            raise Forbidden("this key is no administrator's; see `turnout keys create --admin`")
        return caller


async def authenticate(request: Request) -> Caller:
    """The data plane's route dependency."""
    authenticator: Authenticator = request.app.state.authenticator
    caller = await authenticator(_credentials(request))
    return replace(caller, upstream_keys=_upstream_keys(request))


async def authenticate_admin(request: Request) -> Caller:
    """The control plane's route dependency."""
    authenticator: Authenticator = request.app.state.admin_authenticator
    return await authenticator(_credentials(request))


def _upstream_keys(request: Request) -> dict[str, str]:
    """Return the upstreams' keys that the caller brings: `openai=sk-..., anthropic=sk-ant-...`."""
    keys = {}
    for part in request.headers.get(UPSTREAM_KEYS, "").split(","):
        if part.strip():
            name, _, key = (piece.strip() for piece in part.partition("="))
            if not name or not key:
                raise InvalidRequest(
                    f"{UPSTREAM_KEYS}: write `UPSTREAM=KEY, ...`", param=UPSTREAM_KEYS
                )
            keys[name] = key
    return keys


def _credentials(request: Request) -> Credentials:
    """The key is a bearer token, or in `x-api-key` as Anthropic's SDK sends it."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    bearer = token.strip() if scheme.lower() == "bearer" else ""
    event = request.scope.get("aws.event")
    return Credentials(
        key=bearer or request.headers.get("x-api-key"),
        principal=_principal(event) if event else None,
    )


def _principal(event: dict[str, Any]) -> str | None:
    """Return the caller's ARN from what API Gateway itself wrote: of a REST API's event, or an HTTP API's."""
    context = event.get("requestContext") or {}
    identity = context.get("identity") or (context.get("authorizer") or {}).get("iam") or {}
    arn = identity.get("userArn")
    return arn if isinstance(arn, str) and arn.startswith("arn:") else None
