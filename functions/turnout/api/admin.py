"""The control plane's routes: callers' keys."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from turnout.api.auth import authenticate_admin
from turnout.api.body import read_json_object
from turnout.errors import NotFound
from turnout.store import Keys
from turnout.wire.reading import read

MOST_BODY_BYTES = 1_000_000

admin = APIRouter(prefix="/admin", dependencies=[Depends(authenticate_admin)])


class NewKey(BaseModel):
    """What a key to be made may do; `models` None allows every model of the policy."""

    model_config = ConfigDict(extra="forbid", strict=True)

    tenant: str = Field(min_length=1, max_length=128)
    group: str = Field(default="", max_length=128)
    models: list[str] | None = None
    admin: bool = False


async def _keys(request: Request) -> Keys:
    keys: Keys = request.app.state.keys
    return keys


async def _new_key(request: Request) -> NewKey:
    return read(NewKey, await read_json_object(request, MOST_BODY_BYTES))


KeysOf = Annotated[Keys, Depends(_keys)]
NewKeyOf = Annotated[NewKey, Depends(_new_key)]


@admin.post("/keys", status_code=201)
async def create_key(new: NewKeyOf, keys: KeysOf) -> dict[str, Any]:
    """Make a key and show it, this once."""
    models = None if new.models is None else tuple(new.models)
    key = await keys.create(new.tenant, group=new.group, models=models, admin=new.admin)
    return {"object": "key", "id": keys.id_of(key), "key": key, **new.model_dump()}


@admin.get("/keys")
async def list_keys(keys: KeysOf) -> dict[str, Any]:
    """List the keys by id; the keys themselves are not stored."""
    data = [
        {"object": "key", "id": key_id, "tenant": tenant} for key_id, tenant in await keys.list()
    ]
    return {"object": "list", "data": data}


@admin.delete("/keys/{key_id}", status_code=204)
async def revoke_key(key_id: str, keys: KeysOf) -> Response:
    """Revoke a key; warm functions notice within 30 seconds."""
    if not await keys.revoke(key_id):
        raise NotFound(f"no key {key_id!r}")
    return Response(status_code=204)
