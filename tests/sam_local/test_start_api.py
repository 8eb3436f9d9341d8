"""`sam local start-api` with a table, a secret and an upstream on this machine, and a real SDK in front."""

import asyncio
import json
import os
import signal
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from openai import AsyncOpenAI, AuthenticationError

from sam_local.conftest import ENVIRON, ROOT
from support.aws import running_aws
from support.mock_upstream import WORDS, MockUpstream, running_mock_upstream

HOST = "host.docker.internal"
MESSAGES: Any = [{"role": "user", "content": "Write a function that sorts a list."}]


@dataclass
class Served:
    url: str
    key: str
    upstream: MockUpstream


@pytest.fixture
async def served(sam: str, tmp_path: Path) -> AsyncIterator[Served]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    async with (
        running_mock_upstream(bind="0.0.0.0", seen_as=HOST) as upstream,
        running_aws({"ANTHROPIC_API_KEY": "sk-a"}, bind="0.0.0.0", seen_as=HOST) as aws,
    ):
        function = {
            "TURNOUT_TABLE": aws["TURNOUT_TABLE"],
            "TURNOUT_TABLE_ENDPOINT": aws["TURNOUT_TABLE_ENDPOINT"],
            "TURNOUT_SECRET": "",
            "TURNOUT_UPSTREAMS": f"anthropic={upstream.url}",
            "TURNOUT_PRIVATE_UPSTREAMS": "anthropic",
        }
        variables = tmp_path / "env.json"
        variables.write_text(json.dumps({"RouterFunction": function, "AdminFunction": function}))
        process = await asyncio.create_subprocess_exec(
            sam, "local", "start-api", "--skip-pull-image", "--port", str(port),
            "--env-vars", str(variables), "--config-env", "none",
            "--add-host", f"{HOST}:host-gateway", "--warm-containers", "EAGER",
            cwd=ROOT, env=ENVIRON, start_new_session=True,
        )  # fmt: skip
        try:
            await _answers(f"http://127.0.0.1:{port}/health")
            yield Served(f"http://127.0.0.1:{port}", aws["KEY"], upstream)
        finally:
            os.killpg(process.pid, signal.SIGINT)
            await asyncio.wait_for(process.wait(), 60)


async def _answers(url: str) -> None:
    async with aiohttp.ClientSession() as client, asyncio.timeout(120):
        while True:
            try:
                async with client.get(url) as response:
                    if response.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(1)


async def test_the_openai_sdk_is_served_by_the_stack(served: Served) -> None:
    async with AsyncOpenAI(base_url=f"{served.url}/v1", api_key=served.key) as client:
        raw = await client.chat.completions.with_raw_response.create(
            model="auto", messages=MESSAGES
        )
        assert raw.headers["x-turnout-category"] == "coding"
        assert raw.parse().choices[0].message.content == "".join(WORDS)
        chunks = await client.chat.completions.create(model="auto", messages=MESSAGES, stream=True)
        text = "".join([c.choices[0].delta.content or "" async for c in chunks if c.choices])
        assert text == "".join(WORDS)
        assert "auto" in [model.id async for model in client.models.list()]
        decision = await client.get(
            f"/decisions/{raw.headers['x-turnout-decision-id']}", cast_to=object
        )
        assert isinstance(decision, dict)
        assert decision["outcome"] == "ok", "the decision is not in DynamoDB"
    async with AsyncOpenAI(base_url=f"{served.url}/v1", api_key="tn_wrong") as client:
        with pytest.raises(AuthenticationError, match="not known to Turnout"):
            await client.chat.completions.create(model="auto", messages=MESSAGES)
    async with aiohttp.ClientSession() as client_of_admin:
        headers = {"authorization": f"Bearer {served.key}"}
        async with client_of_admin.get(f"{served.url}/admin/keys", headers=headers) as response:
            assert response.status == 403, "an ordinary key got into the control plane"
