"""Bedrock as an upstream: what is signed, what is refused, and frames that are not what they should be."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from support.bedrock_standin import (
    ACCESS_KEY,
    REGION,
    SECRET_KEY,
    converse_frames,
    converse_reply,
    frame,
    is_signed,
    refused,
)
from support.policies import active, document, model
from support.servers import RunningTurnout, running_turnout
from support.web_app import serving

PROFILE = f"arn:aws:bedrock:{REGION}:123456789012:inference-profile/eu.claude-v1:0"
USAGE = {"inputTokens": 9, "outputTokens": 3, "totalTokens": 12}
REPLY = converse_reply([{"text": "Hello from afar"}], called=False, usage=USAGE)
FRAMES = converse_frames(REPLY)
Answer = Callable[[web.Request], Any]


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    monkeypatch.setenv("AWS_REGION", REGION)


@pytest.fixture
def start(tmp_path: Path) -> Any:
    """Start a Turnout whose one model is behind a Bedrock that answers so."""

    @asynccontextmanager
    async def start(answer: Answer, **options: Any) -> AsyncIterator[RunningTurnout]:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", answer)
        async with serving(app) as port:
            policy = active(document(models={"small": model("bedrock", PROFILE)}))
            urls = {"bedrock": f"bedrock+http://127.0.0.1:{port}"}
            async with running_turnout({"test": policy}, urls, tmp_path, **options) as turnout:
                yield turnout

    return start


def streaming(*frames: bytes) -> Answer:
    """Answer with these bytes of an event stream."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(
            headers={"content-type": "application/vnd.amazon.eventstream"}
        )
        await response.prepare(request)
        for each in frames:
            await response.write(each)
        return response

    return answer


async def test_the_path_with_a_models_arn_is_signed_as_it_is_sent(start: Any) -> None:
    signed = []

    async def answer(request: web.Request) -> web.Response:
        signed.append((request.raw_path, is_signed(request, await request.read())))
        return web.json_response(REPLY)

    async with start(answer) as turnout:
        status, _, reply = await turnout.chat()
    assert (status, reply["choices"][0]["message"]["content"]) == (200, "Hello from afar")
    path = PROFILE.replace(":", "%3A").replace("/", "%2F")
    assert signed == [(f"/model/{path}/converse", True)]


async def test_a_key_of_bedrocks_own_goes_before_credentials(start: Any) -> None:
    seen = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request.headers["Authorization"])
        return web.json_response(REPLY)

    async with start(answer, keys={"BEDROCK_API_KEY": "bedrock-key"}) as turnout:
        await turnout.chat()
    assert seen == ["Bearer bedrock-key"]


async def test_without_credentials_the_call_fails_in_words(
    start: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    async with start(streaming()) as turnout:
        status, _, reply = await turnout.chat()
    assert status == 502
    assert "no AWS credentials" in reply["error"]["message"]


@pytest.mark.parametrize(
    ("status", "kind", "answered"),
    [
        (429, "ThrottlingException", 429),
        (503, "ServiceUnavailableException", 503),
        (424, "ModelErrorException", 502),
        (403, "AccessDeniedException", 502),
        (400, "ValidationException", 400),
        (404, "ResourceNotFoundException", 404),
    ],
)
async def test_its_errors_are_told_and_who_is_not_allowed_is_not(
    start: Any, status: int, kind: str, answered: int
) -> None:
    async def answer(request: web.Request) -> web.Response:
        return refused(status, kind, f"{kind} for role/turnout-router")

    async with start(answer) as turnout:
        told, _, reply = await turnout.chat()
    assert told == answered
    assert ("role/turnout-router" in reply["error"]["message"]) == (status != 403)


def corrupt(frame: bytes) -> bytes:
    return frame[:-5] + bytes([frame[-5] ^ 1]) + frame[-4:]


OVERLONG = struct.pack(">II", 1 << 31, 0) + bytes(4)
NAMELESS = frame("contentBlockDelta", {"contentBlockIndex": 0})
TOO_MANY = frame("throttlingException", {"message": "slow down"}, message_type="exception")
BROKEN = {
    "corrupt": corrupt(FRAMES[2]),
    "overlong": OVERLONG,
    "garbage": b"\x00garbage" * 30,
    "without its fields": NAMELESS,
    "an exception": TOO_MANY,
}


@pytest.mark.parametrize("broken", BROKEN)
async def test_a_broken_frame_before_content_fails_the_call(start: Any, broken: str) -> None:
    async with start(streaming(FRAMES[0], BROKEN[broken])) as turnout:
        status, _, _ = await turnout.stream()
    assert status == 502
    assert turnout.logged()[0]["decision"]["outcome"] == "failed"


@pytest.mark.parametrize("broken", BROKEN)
async def test_a_broken_frame_after_content_ends_in_an_error_event(start: Any, broken: str) -> None:
    async with start(streaming(*FRAMES[:2], BROKEN[broken])) as turnout:
        status, _, stream = await turnout.stream()
    # Where all came at once, nothing was passed on yet.
    assert status in (200, 502)
    assert b"[DONE]" not in stream
    assert b'"error"' in stream
    assert turnout.logged()[0]["decision"]["outcome"] in ("broken", "failed")


@pytest.mark.parametrize("kept", range(2, len(FRAMES) - 2))
async def test_a_stream_that_ends_early_is_never_passed_off_as_complete(
    start: Any, kept: int
) -> None:
    async with start(streaming(*FRAMES[:kept])) as turnout:
        _, _, stream = await turnout.stream()
    assert b"ended without a finish reason" in stream
    assert b"[DONE]" not in stream


async def test_frames_may_come_in_any_pieces(start: Any) -> None:
    whole = b"".join(FRAMES)
    pieces = [whole[i : i + 1] for i in range(len(whole))]
    async with start(streaming(*pieces)) as turnout:
        status, _, stream = await turnout.stream(stream_options={"include_usage": True})
    assert status == 200
    assert stream.endswith(b"data: [DONE]\n\n")
    assert turnout.logged()[0]["decision"]["usage"]["output_tokens"] == 3


async def test_a_caller_that_leaves_ends_the_call(start: Any) -> None:
    asked, left = asyncio.Event(), asyncio.Event()

    async def answer(request: web.Request) -> web.Response:
        asked.set()
        try:
            await asyncio.sleep(30)
        finally:
            left.set()
        return web.json_response(REPLY)

    async with start(answer) as turnout:
        asking = asyncio.create_task(turnout.stream())
        await asked.wait()
        asking.cancel()
        async with asyncio.timeout(1):
            await left.wait()
