"""Every failure is a clear, OpenAI-shaped error with the right status: never a trace, never a hang."""

import asyncio
import io
import json
from typing import Any

import pytest
from openai import APIError, AsyncOpenAI

from support.mock_upstream import WORDS, MockUpstream
from support.policies import active, document, model
from support.servers import RunningTurnout, running_turnout
from support.waiting import until

MESSAGES = [{"role": "user", "content": "x"}]


def check_error(reply: Any, *, kind: str, code: str | None) -> str:
    """Check that `reply` is OpenAI's error object and return its message."""
    error = json.loads(reply)["error"] if isinstance(reply, bytes) else reply["error"]
    assert (error["type"], error["code"]) == (kind, code)
    assert {"message", "type", "param", "code"} <= set(error)
    assert "Traceback" not in error["message"]
    return str(error["message"])


@pytest.mark.parametrize(
    ("body", "said", "param"),
    [
        ({}, "model: field required", "model"),
        ({"model": "auto"}, "messages: field required", "messages"),
        ({"model": "auto", "messages": []}, "messages: list should have at least 1", "messages"),
        ({"model": "", "messages": MESSAGES}, "model: string should have at least 1", "model"),
        ({"model": 7, "messages": MESSAGES}, "model: input should be a valid string", "model"),
        ({"model": "auto", "messages": "hi"}, "messages: input should be a valid list", "messages"),
        ({"model": "auto", "messages": ["hi"]}, "messages.0: input should be", "messages.0"),
        (
            {"model": "auto", "messages": [{"role": "wizard", "content": "x"}]},
            "messages.0.role: input should be 'system'",
            "messages.0.role",
        ),
        (
            {"model": "auto", "messages": [{"role": "user", "content": 5}]},
            "messages.0.content: input should be a valid",
            "messages.0.content",
        ),
        (
            {"model": "auto", "messages": MESSAGES, "stream": "yes"},
            "stream: input should be a valid boolean",
            "stream",
        ),
        (
            {"model": "auto", "messages": MESSAGES, "max_tokens": 0},
            "max_tokens: input should be greater than 0",
            "max_tokens",
        ),
    ],
)
async def test_a_wrong_body_is_refused_naming_the_field(
    turnout: RunningTurnout, mock: MockUpstream, body: Any, said: str, param: str
) -> None:
    status, _, reply = await turnout.post("/v1/chat/completions", body)
    assert status == 400
    assert check_error(reply, kind="invalid_request_error", code=None).startswith(said)
    assert json.loads(reply)["error"]["param"] == param
    assert mock.requests == []


@pytest.mark.parametrize("raw", [b"", b"{", b'{"model": ', b"\xff\xfe", b'"text"', b"[1]", b"null"])
async def test_malformed_json_is_refused(turnout: RunningTurnout, raw: bytes) -> None:
    async with turnout.client.post(
        f"{turnout.url}/v1/chat/completions", data=raw, headers={"content-type": "application/json"}
    ) as response:
        assert response.status == 400
        check_error(await response.read(), kind="invalid_request_error", code=None)


async def test_json_nested_too_deep_is_refused(turnout: RunningTurnout) -> None:
    raw = b"[" * 100_000
    async with turnout.client.post(
        f"{turnout.url}/v1/chat/completions", data=raw, headers={"content-type": "application/json"}
    ) as response:
        assert response.status == 400


async def test_a_body_that_is_not_declared_as_json_is_refused(turnout: RunningTurnout) -> None:
    async with turnout.client.post(f"{turnout.url}/v1/chat/completions", data=b"{}") as response:
        assert response.status == 415
        check_error(
            await response.read(), kind="invalid_request_error", code="unsupported_media_type"
        )


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_ten_megabyte_body_is_refused_and_the_sender_gets_to_read_why(
    turnout: RunningTurnout, chunked: bool
) -> None:
    async def pieces() -> Any:
        for _ in range(100):
            yield b"x" * 100_000

    data = pieces() if chunked else io.BytesIO(b"x" * 10_000_000)
    async with turnout.client.post(
        f"{turnout.url}/v1/chat/completions",
        data=data,
        headers={"content-type": "application/json"},
    ) as response:
        assert response.status == 413
        message = check_error(
            await response.read(), kind="invalid_request_error", code="payload_too_large"
        )
        assert message == "the body is over 1,000,000 bytes"


@pytest.mark.parametrize("asked", ["gpt-nothing", "policy/nothing", "mock/nothing", "policy/"])
async def test_an_unknown_model_or_policy_is_refused_with_what_there_is(
    turnout: RunningTurnout, asked: str
) -> None:
    status, _, reply = await turnout.chat(asked)
    assert status == 404
    message = check_error(reply, kind="invalid_request_error", code="model_not_found")
    assert message == f"no model {asked!r}; try auto, policy/test, mock/ok"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/v1/chat/completions", 405),
        ("GET", "/v1/decisions/x", 404),
    ],
)
async def test_wrong_paths_and_methods_are_told_in_the_same_shape(
    turnout: RunningTurnout, method: str, path: str, status: int
) -> None:
    async with turnout.client.request(method, turnout.url + path) as response:
        assert response.status == status
        assert (await response.json())["error"]["type"] == "invalid_request_error"


async def test_a_request_that_no_model_may_answer_says_why(start) -> None:
    async with start("ok", limits={"max_usd_per_request": 0.000001}) as turnout:
        status, headers, reply = await turnout.chat()
        assert status == 422
        message = check_error(reply, kind="policy_error", code="no_eligible_model")
        assert "limits.max_usd_per_request" in message
        _, record = await turnout.get(f"/v1/decisions/{headers['x-turnout-decision-id']}")
        assert record["outcome"] == "refused"
        assert record["chosen"] is None


BEFORE_CONTENT = [
    "status-500", "status-503", "status-429", "status-408", "status-409", "reset", "redirect",
]  # fmt: skip
ONLY_WHOLE = ["no-completion", "garbage", "huge-body"]
ONLY_STREAMED = [
    "error-first",
    "role-then-error",
    "huge-event",
    "empty",
    "not-a-stream",
    "break-0",
    "error-0",
    "scrap-0",
]


@pytest.mark.parametrize("fault", BEFORE_CONTENT + ONLY_WHOLE)
async def test_a_fault_before_the_reply_falls_back_unseen(start, fault: str) -> None:
    async with start(fault, "ok") as turnout:
        status, headers, reply = await turnout.chat()
        assert status == 200
        assert reply["choices"][0]["message"]["content"] == "".join(WORDS)
        assert headers["x-turnout-model"] == "mock/ok"
        assert headers["x-turnout-attempts"] == "2"
        first = turnout.logged()[0]["decision"]["attempts"][0]
        assert first["model"] == f"mock/{fault}"
        assert first["error"]


@pytest.mark.parametrize("fault", BEFORE_CONTENT + ONLY_STREAMED)
async def test_a_fault_before_the_first_content_of_a_stream_falls_back_unseen(
    start, fault: str
) -> None:
    async with start(fault, "ok") as turnout:
        status, headers, stream = await turnout.stream()
        assert status == 200
        assert headers["x-turnout-model"] == "mock/ok"
        assert b"error" not in stream
        assert stream.count(b"Hello") == 1
        assert stream.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize("position", range(1, len(WORDS)))
@pytest.mark.parametrize("failure", ["break", "error", "scrap", "huge"])
async def test_a_fault_after_content_ends_in_an_error_event_and_is_never_restarted(
    start,
    failure: str,
    position: int,
) -> None:
    async with start(f"{failure}-{position}", "ok") as turnout:
        status, _, stream = await turnout.stream()
        assert status == 200
        for i, word in enumerate(WORDS):
            assert stream.count(json.dumps(word).encode()) == (1 if i < position else 0)
        assert b"[DONE]" not in stream
        last = json.loads(stream.decode().strip().splitlines()[-1].removeprefix("data: "))
        message = check_error(last, kind="upstream_error", code="upstream_broke_off")
        assert message.startswith(f"mock/{failure}-{position} broke off: ")
        assert turnout.logged()[0]["decision"]["outcome"] == "broken"


@pytest.mark.parametrize("ending", ["no-finish", "done-no-finish"])
async def test_a_stream_without_a_finish_reason_is_never_passed_off_as_complete(
    start, ending: str
) -> None:
    async with start(ending) as turnout:
        _, _, stream = await turnout.stream()
        assert b"[DONE]" not in stream
        assert b"ended without a finish reason" in stream
        async with AsyncOpenAI(
            base_url=f"{turnout.url}/v1", api_key="any", max_retries=0
        ) as client:
            chunks = await client.chat.completions.create(
                model="auto",
                messages=MESSAGES,  # type: ignore[arg-type]
                stream=True,
            )
            with pytest.raises(APIError, match="broke off"):
                async for _ in chunks:
                    pass


async def test_a_stream_that_finishes_without_done_is_complete(start) -> None:
    async with start("no-done") as turnout:
        _, _, stream = await turnout.stream()
        assert b"error" not in stream
        assert turnout.logged()[0]["decision"]["outcome"] == "ok"


@pytest.mark.parametrize("status", [400, 404, 413, 422])
async def test_an_upstreams_refusal_is_the_callers_to_see_and_is_not_tried_elsewhere(
    start,
    mock: MockUpstream,
    status: int,
) -> None:
    async with start(f"status-{status}", "ok") as turnout:
        answered, headers, reply = await turnout.chat()
        assert answered == status
        assert reply["error"]["message"] == f"mock says {status}"
        assert len(mock.requests) == 1
        assert headers["x-turnout-attempts"] == "1"
        assert turnout.logged()[0]["decision"]["outcome"] == "rejected"
        assert turnout.logged()[0]["decision"]["cost_usd"] is None


async def test_when_all_fail_the_last_error_is_told_with_every_attempt(start) -> None:
    async with start("status-500", "reset", "status-429", "ok") as turnout:
        status, headers, reply = await turnout.chat()
        assert status == 429
        message = check_error(reply, kind="upstream_error", code="upstream_failed")
        assert "mock/status-500: answered 500: mock says 500" in message
        assert [attempt["status"] for attempt in reply["error"]["attempts"]] == [500, None, 429]
        _, record = await turnout.get(f"/v1/decisions/{headers['x-turnout-decision-id']}")
        assert record["outcome"] == "failed"
        assert len(record["attempts"]) == 3


async def test_an_upstream_that_refuses_connections_is_told_in_words(tmp_path) -> None:
    policy = active(document(models={"small": model(id="ok")}, default={"use": ["small"]}))
    async with running_turnout(
        {"test": policy}, {"mock": "http://127.0.0.1:9/v1"}, tmp_path
    ) as turnout:
        status, _, reply = await turnout.chat()
        assert status == 502
        message = check_error(reply, kind="upstream_error", code="upstream_failed")
        assert "could not connect" in message


@pytest.mark.parametrize("stream", [False, True])
async def test_an_upstream_that_hangs_is_given_up_at_the_deadline(
    start,
    mock: MockUpstream,
    stream: bool,
) -> None:
    async with start("hang", limits={"timeout_s": 1}) as turnout:
        began = asyncio.get_running_loop().time()
        status, _, reply = await turnout.chat(stream=stream)
        assert status == 504
        check_error(reply, kind="upstream_error", code="upstream_timeout")
        assert asyncio.get_running_loop().time() - began < 5
        async with asyncio.timeout(1):
            await mock.closed_by_client.wait()


async def test_a_stream_that_is_late_with_its_first_content_falls_back(start) -> None:
    async with start("hang", "ok", limits={"first_chunk_s": 0.2}) as turnout:
        status, headers, _ = await turnout.stream()
        assert status == 200
        assert headers["x-turnout-model"] == "mock/ok"


async def test_a_stream_that_outlasts_the_deadline_ends_in_an_error_event(start) -> None:
    async with start("stall-1", limits={"timeout_s": 1}) as turnout:
        _, _, stream = await turnout.stream()
        assert b"Hello" in stream
        assert b"no answer within the time allowed" in stream
        assert b"[DONE]" not in stream


@pytest.mark.parametrize("path", ["chat/completions", "messages", "responses"])
@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_leaves_before_the_reply_begins_ends_the_upstream_call(
    start, mock: MockUpstream, path: str, stream: bool
) -> None:
    body = {"model": "auto", "stream": stream, "max_tokens": 9, "input": "hi"}
    if path != "responses":
        body = {**body, "messages": [{"role": "user", "content": "hi"}]}
    async with start("hang") as turnout:
        asking = asyncio.create_task(turnout.post(f"/v1/{path}", body))
        await until(lambda: mock.requests)
        asking.cancel()
        async with asyncio.timeout(1):
            await mock.closed_by_client.wait()
        await until(turnout.logged, within_s=1)
        assert turnout.logged()[-1]["decision"]["outcome"] == "client_gone"


async def test_a_store_that_fails_loses_no_reply_and_is_warned_of(start) -> None:
    async with start("ok") as turnout:
        await turnout.table.close()
        status, _, reply = await turnout.chat()
        assert status == 200
        assert reply["choices"][0]["message"]["content"] == "".join(WORDS)
        assert len(turnout.logged("decision_not_stored")) == 1
        status, reply = await turnout.get("/v1/decisions/dec_x")
        assert status == 503
        check_error(reply, kind="api_error", code="store_unavailable")


async def test_an_unexpected_error_is_a_plain_500(turnout: RunningTurnout, monkeypatch) -> None:
    monkeypatch.setattr("turnout.service.decide", lambda *_: 1 / 0)
    status, _, reply = await turnout.chat()
    assert status == 500
    assert check_error(reply, kind="api_error", code="internal_error") == (
        "internal error; the log has the details"
    )


async def test_a_model_that_keeps_failing_is_tried_last_until_it_is_well_again(
    start, mock: MockUpstream
) -> None:
    async with start("status-503", "ok") as turnout:
        for _ in range(8):
            status, _, _ = await turnout.chat()
            assert status == 200
    assert [request["model"] for request in mock.requests].count("status-503") == 5


async def test_the_only_candidate_is_tried_however_often_it_failed(
    start, mock: MockUpstream
) -> None:
    async with start("status-503") as turnout:
        for _ in range(8):
            before = len(mock.requests)
            assert (await turnout.chat())[0] == 503
            assert len(mock.requests) > before


async def test_requests_at_fault_do_not_count_against_a_model(start, mock: MockUpstream) -> None:
    async with start("status-400", "ok") as turnout:
        for _ in range(8):
            assert (await turnout.chat())[0] == 400


@pytest.mark.parametrize("stream", [False, True])
async def test_the_last_candidate_is_called_once_more_where_that_may_help(
    start, mock: MockUpstream, stream: bool
) -> None:
    async with start("flaky-1") as turnout:
        status, headers, _ = await turnout.post("/v1/chat/completions", asked(stream))
        assert (status, headers["x-turnout-attempts"]) == (200, "2")
    assert len(mock.requests) == 2


def asked(stream: bool) -> dict[str, object]:
    return {"model": "auto", "stream": stream, "messages": [{"role": "user", "content": "hi"}]}


async def test_an_upstream_that_asks_for_time_gets_it(start, mock: MockUpstream) -> None:
    async with start("patient-0.3") as turnout:
        began = asyncio.get_running_loop().time()
        assert (await turnout.chat())[0] == 200
        assert asyncio.get_running_loop().time() - began >= 0.3


async def test_an_upstream_may_ask_for_time_by_date(start, mock: MockUpstream) -> None:
    # Its seconds are whole ones: between one and two of them are left.
    async with start("patient-date-2") as turnout:
        began = asyncio.get_running_loop().time()
        assert (await turnout.chat())[0] == 200
        assert asyncio.get_running_loop().time() - began >= 0.9


async def test_an_upstream_that_asks_for_more_time_than_anyone_waits_is_not_asked_again(
    start, mock: MockUpstream
) -> None:
    async with start("patient-60") as turnout:
        assert (await turnout.chat())[0] == 429
    assert len(mock.requests) == 1


async def test_no_retry_is_waited_for_beyond_the_deadline(start, mock: MockUpstream) -> None:
    async with start("patient-20", limits={"timeout_s": 10}) as turnout:
        assert (await turnout.chat())[0] == 429
    assert len(mock.requests) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
async def test_a_request_at_fault_is_never_sent_twice(
    start, mock: MockUpstream, status: int
) -> None:
    async with start(f"status-{status}", "ok") as turnout:
        await turnout.chat()
    assert len(mock.requests) == 1


async def test_when_everything_fails_calls_grow_by_a_fifth_at_most(
    start, mock: MockUpstream
) -> None:
    async with start("status-503", "status-500", "reset") as turnout:
        for _ in range(200):
            assert (await turnout.chat())[0] >= 500
    assert len(mock.requests) <= 1.2 * 200
