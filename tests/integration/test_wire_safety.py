"""What may come over the wire, and from where: upstreams and callers that mean harm."""

import asyncio
import gzip
import json
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from support.mock_upstream import MockUpstream
from support.policies import active, document, model
from support.servers import RunningTurnout, running_turnout

POLICY = document(models={"m": model(id="ok")}, default={"use": ["m"]})


@pytest.fixture
def pretended(mock: MockUpstream, monkeypatch: pytest.MonkeyPatch) -> str:
    """The mock's address under a public-looking name that resolves to this machine."""
    resolve = socket.getaddrinfo

    def resolving(host: Any, *args: Any, **options: Any) -> Any:
        return resolve("127.0.0.1" if host == "llm.example" else host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolving)
    return mock.url.replace("127.0.0.1", "llm.example")


async def test_a_name_that_resolves_into_the_own_network_is_not_called(
    pretended: str, mock: MockUpstream, tmp_path: Path
) -> None:
    async with running_turnout({"test": active(POLICY)}, {"mock": pretended}, tmp_path) as turnout:
        status, _, reply = await turnout.chat()
    assert status == 502
    assert "resolves to an address inside a network" in reply["error"]["message"]
    assert "127.0.0.1" not in json.dumps(reply)
    assert not mock.requests


async def test_unless_it_is_said_to_be_there(
    pretended: str, mock: MockUpstream, tmp_path: Path
) -> None:
    policies, urls = {"test": active(POLICY)}, {"mock": pretended}
    async with running_turnout(policies, urls, tmp_path, private={"mock"}) as turnout:
        status, _, _ = await turnout.chat()
    assert status == 200
    assert len(mock.requests) == 1


@pytest.mark.parametrize("harm", ["compressed", "endless-header", "redirect"])
@pytest.mark.parametrize("stream", [False, True])
async def test_an_upstreams_reply_that_may_do_harm_is_not_read(
    start: Any, harm: str, stream: bool
) -> None:
    async with start(harm, "ok") as turnout:
        status, headers, _ = await turnout.post(
            "/v1/chat/completions",
            {"model": "auto", "stream": stream, "messages": [{"role": "user", "content": "hi"}]},
        )
    assert status == 200
    assert headers["x-turnout-model"] == "mock/ok"


@pytest.mark.parametrize("stream", [False, True])
async def test_of_the_upstreams_headers_the_caller_sees_the_content_type_alone(
    turnout: RunningTurnout, stream: bool
) -> None:
    async with turnout.ask(stream=stream) as response:
        names = {name.lower() for name in response.headers}
    usual = {"date", "server", "content-type", "content-length", "transfer-encoding"}
    ours = {name for name in names if name.startswith("x-turnout-")}
    assert len(ours) == 5
    assert names - ours <= usual | {"server-timing", "cache-control"}
    assert response.headers["server"] != "mock"


async def test_a_compressed_request_is_refused(turnout: RunningTurnout) -> None:
    body = gzip.compress(b"{}" + b" " * 10_000_000)
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    async with turnout.client.post(
        f"{turnout.url}/v1/chat/completions", data=body, headers=headers
    ) as response:
        assert response.status == 415
        assert "Content-Encoding" in (await response.json())["error"]["message"]


@pytest.mark.parametrize("header", [b"x: " + b"x" * 8_000 + b"\r\n", b"x" * 8_000])
async def test_a_head_that_does_not_end_is_refused(turnout: RunningTurnout, header: bytes) -> None:
    address = urlsplit(turnout.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(b"GET /health HTTP/1.1\r\nhost: x\r\n")
    answer = asyncio.create_task(reader.read(100))
    sent = 0
    while not answer.done() and sent < 1_000_000:
        writer.write(header)
        sent += len(header)
        await asyncio.wait({answer}, timeout=0.02)
    assert answer.done()
    assert answer.result().startswith(b"HTTP/1.1 400 ")
    writer.close()
