"""Clients in Node: the openai SDK, and CompatCanary, which scans what calls itself OpenAI-compatible."""

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from support.capable_upstream import GREETING, running_capable_upstream
from support.mock_upstream import MockUpstream
from support.policies import active, document, model
from support.servers import RunningTurnout, running_turnout

NODE = Path(__file__).parents[1] / "node"
MODULES = NODE / "node_modules"
TEXT = "".join(GREETING)
STREAM = """
import OpenAI from "openai";
const client = new OpenAI({ apiKey: "any", maxRetries: 0 });
const messages = [{ role: "user", content: "Hello" }];
const told = { deltas: [] };
try {
  const stream = await client.chat.completions.create({ model: process.argv[2], messages, stream: true });
  for await (const chunk of stream) told.deltas.push(chunk.choices[0]?.delta?.content ?? "");
  const whole = await client.chat.completions.create({ model: process.argv[2], messages });
  told.whole = whole.choices[0].message.content;
  const response = await client.responses.create({ model: process.argv[2], input: "Hello" });
  told.response = response.output_text;
  const events = await client.responses.create({ model: process.argv[2], input: "Hello", stream: true });
  told.events = [];
  for await (const event of events) told.events.push(event.type);
} catch (error) {
  told.error = { status: error.status, code: error.code, message: error.message };
}
console.log(JSON.stringify(told));
"""

pytestmark = pytest.mark.skipif(
    not (shutil.which("node") and (MODULES / "openai").exists()),
    reason="Node's packages are not installed; `make test` does it where there is npm",
)


@pytest.fixture(params=["openai", "anthropic"])
async def turnout(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[RunningTurnout]:
    policy = active(document(models={"small": model(id="claude-sonnet-4-5")}))
    async with running_capable_upstream() as upstream:
        url = upstream.url if request.param == "openai" else f"anthropic+{upstream.url}"
        async with running_turnout({"test": policy}, {"mock": url}, tmp_path) as running:
            yield running


async def node(turnout: RunningTurnout, *command: str, script: str = "") -> tuple[int, Any]:
    """Run node, and return its exit status and the JSON that it printed."""
    process = await asyncio.create_subprocess_exec(
        "node",
        *command,
        cwd=NODE,
        env={**os.environ, "OPENAI_BASE_URL": f"{turnout.url}/v1"},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        printed, _ = await process.communicate(script.encode())
    return process.returncode or 0, json.loads(printed)


async def test_the_openai_sdk_for_node_reads_chats_and_responses(turnout: RunningTurnout) -> None:
    _, told = await node(turnout, "--input-type=module", "-", "auto", script=STREAM)
    assert "error" not in told
    assert len(told["deltas"]) > 1
    assert "".join(told["deltas"]) == TEXT
    assert told["whole"] == told["response"] == TEXT
    assert told["events"][0] == "response.created"
    assert told["events"][-1] == "response.completed"


async def test_the_openai_sdk_for_node_reads_errors(turnout: RunningTurnout) -> None:
    _, told = await node(turnout, "--input-type=module", "-", "nothing", script=STREAM)
    assert told["error"]["status"] == 404
    assert told["error"]["code"] == "model_not_found"


EMBED = """
import OpenAI from "openai";
const client = new OpenAI({ apiKey: "any", maxRetries: 0 });
const reply = await client.embeddings.create({ model: "auto", input: ["four", "seven"] });
console.log(JSON.stringify(reply.data.map((each) => Array.from(each.embedding))));
"""


@pytest.mark.parametrize("upstream", ["ok", "numbers"])
async def test_the_openai_sdk_for_node_reads_embeddings_of_upstreams_that_know_no_base64_too(
    mock: MockUpstream, tmp_path: Path, upstream: str
) -> None:
    route = {"name": "search", "when": {"needs": ["embeddings"]}, "use": ["e"]}
    models = {"small": model(), "e": model(id=upstream, can=["embeddings"])}
    policy = active(document(models=models, routes=[route]))
    async with running_turnout({"test": policy}, {"mock": mock.url}, tmp_path) as turnout:
        _, told = await node(turnout, "--input-type=module", "-", script=EMBED)
    assert told == [[4.0, 0.0, 0.5], [5.0, 1.0, 0.5]]


async def test_compatcanary_finds_nothing_amiss(turnout: RunningTurnout) -> None:
    scan = str(MODULES / "compatcanary" / "src" / "cli.js")
    status, report = await node(
        turnout, scan, "scan", "--model", "auto", "--format", "json", "--fail-on", "any"
    )
    failed = {
        probe["name"]: probe["summary"] for probe in report["results"] if probe["status"] != "pass"
    }
    assert failed == {}
    assert status == 0
