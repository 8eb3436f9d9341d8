"""The control plane's routes: policies, from pushed to rolled back."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from turnout.api.auth import authenticate_admin
from turnout.api.body import read_json_object
from turnout.chat import Caller
from turnout.policy_desk import PolicyDesk
from turnout.store import Head, Version
from turnout.wire.reading import read

MOST_BODY_BYTES = 390_000
"""What one item of DynamoDB holds, less what is kept beside the document."""

policies = APIRouter(prefix="/admin/policies", dependencies=[Depends(authenticate_admin)])
AdminOf = Annotated[Caller, Depends(authenticate_admin)]


class _Wire(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    why: str = Field(default="", max_length=1_000)


class Pushed(_Wire):
    """A document to be kept as the next version."""

    policy: dict[str, Any]


class Activation(_Wire):
    """Which version is to be in use, in place of which, and for how much of the traffic."""

    version: int
    expected: int | None
    percent: float = 100


class Return(_Wire):
    """From which version to go back."""

    expected: int | None


async def _desk(request: Request) -> PolicyDesk:
    desk: PolicyDesk = request.app.state.desk
    return desk


async def _body(request: Request) -> dict[str, Any]:
    return await read_json_object(request, MOST_BODY_BYTES)


DeskOf = Annotated[PolicyDesk, Depends(_desk)]
BodyOf = Annotated[dict[str, Any], Depends(_body)]


@policies.get("")
async def list_policies(desk: DeskOf) -> dict[str, Any]:
    """List what is in use of each policy, with who moved it when and why."""
    heads = await desk.policies.heads()
    return {"object": "list", "data": [_head(head) for head in heads.values()]}


@policies.get("/{name}")
async def list_versions(name: str, desk: DeskOf) -> dict[str, Any]:
    """List a policy's versions, the newest first, without their documents."""
    head = await desk.policies.head(name)
    versions = [_version(each, whole=False) for each in await desk.policies.versions(name)]
    return {**_head(head), "versions": versions}


@policies.get("/{name}/versions/{number}")
async def show_version(name: str, number: int, desk: DeskOf) -> dict[str, Any]:
    """Show one version with its document."""
    return _version(await desk.policies.version(name, number), whole=True)


@policies.post("/{name}/versions", status_code=201)
async def push(name: str, body: BodyOf, admin: AdminOf, desk: DeskOf) -> dict[str, Any]:
    """Check a document and keep it as the next version; it is not in use by that."""
    pushed = read(Pushed, body)
    number = await desk.push(name, pushed.policy, by=admin.key, why=pushed.why)
    return _version(await desk.policies.version(name, number), whole=False)


@policies.post("/{name}/activate")
async def activate(name: str, body: BodyOf, admin: AdminOf, desk: DeskOf) -> dict[str, Any]:
    """Put a version into use, if the active one is still the expected one (409 if not)."""
    wanted = read(Activation, body)
    head = await desk.activate(
        name,
        wanted.version,
        expected=wanted.expected,
        by=admin.key,
        why=wanted.why,
        percent=wanted.percent,
    )
    return _head(head)


@policies.post("/{name}/rollback")
async def rollback(name: str, body: BodyOf, admin: AdminOf, desk: DeskOf) -> dict[str, Any]:
    """End a canary, or return to the version before."""
    back = read(Return, body)
    head = await desk.policies.rollback(name, expected=back.expected, by=admin.key, why=back.why)
    return _head(head)


@policies.delete("/{name}/versions/{number}", status_code=204)
async def delete(name: str, number: int, desk: DeskOf) -> Response:
    """Delete a version that is not in use."""
    await desk.policies.delete(name, number)
    return Response(status_code=204)


def _head(head: Head) -> dict[str, Any]:
    return {"object": "policy", **asdict(head)}


def _version(version: Version, *, whole: bool) -> dict[str, Any]:
    shown = {"object": "policy.version", **asdict(version), "deleted": version.document is None}
    if not whole:
        del shown["document"]
    return shown
