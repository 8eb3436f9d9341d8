"""Callers' own keys of upstreams: brought by header or kept for their tenant, and used for them alone."""

import json
from typing import Any

import pytest

from support.mock_upstream import MockUpstream
from support.servers import RunningTurnout
from turnout.api.auth import Credentials
from turnout.chat import Caller

CHAT = {"model": "auto", "messages": [{"role": "user", "content": "hi"}]}


async def as_tenant(credentials: Credentials) -> Caller:
    """Let everyone in as the tenant that the key names."""
    return Caller(tenant=credentials.key or "nobody", key="k")


def keys_sent(mock: MockUpstream) -> list[str | None]:
    return [headers.get("authorization") for headers in mock.headers]


async def ask(turnout: RunningTurnout, **headers: str) -> tuple[int, Any]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    status, _, reply = await turnout.post("/v1/chat/completions", CHAT, **named)
    return status, json.loads(reply)


async def test_a_key_that_a_caller_brings_is_used_for_that_call_alone(
    turnout: RunningTurnout, mock: MockUpstream
) -> None:
    for headers in ({"x_turnout_upstream_keys": "mock=sk-mine"}, {}):
        assert (await ask(turnout, **headers))[0] == 200
    assert keys_sent(mock) == ["Bearer sk-mine", "Bearer sk-upstream-secret"]
    assert "sk-mine" not in turnout.log.getvalue()


async def test_an_upstream_without_a_key_serves_those_who_bring_one(
    start: Any, mock: MockUpstream
) -> None:
    async with start("ok", keys={"OTHER_API_KEY": "x"}) as turnout:
        status, reply = await ask(turnout)
        assert status == 422
        assert "not configured" in reply["error"]["message"]
        status, _ = await ask(turnout, x_turnout_upstream_keys="mock=sk-mine")
    assert status == 200
    assert keys_sent(mock) == ["Bearer sk-mine"]


async def test_a_tenants_own_key_serves_that_tenant(start: Any, mock: MockUpstream) -> None:
    keys = {"MOCK_API_KEY": "sk-all", "acme/MOCK_API_KEY": "sk-acme"}
    async with start("ok", keys=keys, authenticator=as_tenant) as turnout:
        for tenant in ("acme", "other"):
            assert (await ask(turnout, x_api_key=tenant))[0] == 200
    assert keys_sent(mock) == ["Bearer sk-acme", "Bearer sk-all"]


async def test_a_callers_refused_key_is_the_callers_to_mend_and_is_not_shown(start: Any) -> None:
    async with start("picky", "ok") as turnout:
        status, reply = await ask(turnout, x_turnout_upstream_keys="mock=sk-wrong")
        assert status == 401
        assert "the caller's own key" in reply["error"]["message"]
        assert "sk-wrong" not in json.dumps(reply) + turnout.log.getvalue()


async def test_wrong_keys_of_one_caller_shut_no_model_out_for_others(start: Any) -> None:
    async with start("picky", "ok") as turnout:
        for _ in range(20):
            await ask(turnout, x_turnout_upstream_keys="mock=sk-wrong")
        _, headers, _ = await turnout.post("/v1/chat/completions", CHAT)
    assert headers["x-turnout-model"] == "mock/picky"


@pytest.mark.parametrize(
    ("header", "why"), [("mok=sk-mine", "no upstream 'mok'"), ("sk-mine", "UPSTREAM=KEY")]
)
async def test_a_key_of_no_upstream_is_refused_without_showing_it(
    turnout: RunningTurnout, mock: MockUpstream, header: str, why: str
) -> None:
    status, reply = await ask(turnout, x_turnout_upstream_keys=header)
    assert status == 400
    assert why in reply["error"]["message"]
    assert "sk-mine" not in json.dumps(reply) + turnout.log.getvalue()
    assert not mock.requests
