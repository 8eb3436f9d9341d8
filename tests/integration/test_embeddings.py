"""Embeddings: routed by the policy, in one space, with the openai SDK as the caller."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import openai
import pytest

from support.mock_upstream import MockUpstream
from support.policies import active, document, model
from support.servers import RunningTurnout, running_turnout
from support.waiting import until
from turnout.api.auth import Credentials
from turnout.chat import Caller

TEXTS = ["Grüezi", "A second text"]


def embedder(id: str = "ok", **changes: Any) -> dict[str, Any]:  # noqa: A002
    """Return a model at $1 a million tokens whose vectors are in the space `s`."""
    price = {"input": 1, "output": 0}
    return model(id=id, **{"can": ["embeddings"], "usd_per_mtok": price, "space": "s", **changes})


@pytest.fixture
def start(mock: MockUpstream, tmp_path: Path) -> Any:
    @asynccontextmanager
    async def start(
        *model_ids: str, limits: dict[str, Any] | None = None, **options: Any
    ) -> AsyncIterator[tuple[RunningTurnout, openai.AsyncOpenAI]]:
        """Start a Turnout that tries the mock's models of these names in order, and chats with `chat`."""
        names = [f"e{i}" for i in range(len(model_ids))]
        models = {name: embedder(id_) for name, id_ in zip(names, model_ids, strict=True)}
        route = {"name": "search", "when": {"needs": ["embeddings"]}, "use": [names[0]]}
        policy = document(
            models={"chat": model(id="chat"), **models},
            routes=[
                {"name": "short", "when": {"input_tokens": "< 100"}, "use": ["chat"]},
                {**route, "fallback": names[1:]},
            ],
            default={"use": ["chat"]},
            limits=limits or {},
        )
        urls = options.pop("urls", {"mock": mock.url})
        policies = {"test": active(policy)}
        async with (
            running_turnout(policies, urls, tmp_path, **options) as turnout,
            sdk(turnout) as client,
        ):
            yield turnout, client

    return start


def sdk(turnout: RunningTurnout) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"{turnout.url}/v1", api_key="any", max_retries=0)


def vectors(reply: Any) -> list[list[float]]:
    return [item.embedding for item in reply.data]


OF_TEXTS = [[6.0, 0.0, 0.5], [13.0, 1.0, 0.5]]


@pytest.mark.parametrize("asked", ["auto", "policy/test", "e0", "mock/ok"])
async def test_a_batch_comes_back_in_order_with_its_usage_cost_and_decision(
    start: Any, mock: MockUpstream, asked: str
) -> None:
    async with start("ok") as (turnout, client):
        raw = await client.embeddings.with_raw_response.create(model=asked, input=TEXTS)
        reply = raw.parse()
        assert vectors(reply) == OF_TEXTS
        assert reply.usage.prompt_tokens == 2_000
        assert raw.headers["x-turnout-model"] == "mock/ok"
        assert raw.headers["x-turnout-category"] == "embeddings"
        _, record = await turnout.get(f"/v1/decisions/{raw.headers['x-turnout-decision-id']}")
    assert mock.requests[0] == {"model": "ok", "input": TEXTS, "encoding_format": "base64"}
    assert (record["outcome"], record["cost_usd"]) == ("ok", 0.002)
    assert record["usage"] == {
        "input_tokens": 2_000,
        "output_tokens": 0,
        "cached_input_tokens": 0,
        "estimated": False,
    }
    assert record["chosen"]["rule"] == ("search" if asked in ("auto", "policy/test") else "pinned")
    assert record["signals"]["needs"] == ["embeddings"]
    assert record["classifier"]["version"] == "not asked"


@pytest.mark.parametrize("upstreams", ["ok", "numbers", "coded"])
@pytest.mark.parametrize("encoding", ["float", "base64"])
async def test_vectors_come_in_the_encoding_asked_for_whatever_the_upstream_knows(
    start: Any, upstreams: str, encoding: Any
) -> None:
    async with start(upstreams) as (turnout, client):
        reply = await client.embeddings.create(model="auto", input=TEXTS, encoding_format=encoding)
        _, _, raw = await turnout.post(
            "/v1/embeddings", {"model": "auto", "input": TEXTS, "encoding_format": encoding}
        )
    told = vectors(reply)
    if encoding == "float":
        assert told == OF_TEXTS
    kind = {"float": list, "base64": str}[encoding]
    assert [type(item["embedding"]) for item in json.loads(raw)["data"]] == [kind, kind]


async def test_the_sdks_own_choice_of_encoding_is_numbers_in_the_end(start: Any) -> None:
    async with start("numbers") as (_, client):
        assert vectors(await client.embeddings.create(model="auto", input="x")) == [[1.0, 0.0, 0.5]]


async def test_what_turnout_does_not_know_goes_upstream_as_it_came(
    start: Any, mock: MockUpstream
) -> None:
    async with start("ok") as (_, client):
        await client.embeddings.create(
            model="auto", input="x", dimensions=3, user="u", extra_body={"input_type": "query"}
        )
    sent = mock.requests[0]
    assert (sent["dimensions"], sent["user"], sent["input_type"]) == (3, "u", "query")


@pytest.mark.parametrize(
    "fault",
    [
        "status-500",
        "status-429",
        "reset",
        "short",
        "ragged",
        "no-completion",
        "garbage",
        "redirect",
    ],
)
async def test_a_fault_falls_back_to_another_model_of_the_same_space(
    start: Any, fault: str
) -> None:
    async with start(fault, "ok") as (turnout, client):
        raw = await client.embeddings.with_raw_response.create(model="auto", input=TEXTS)
        assert vectors(raw.parse()) == OF_TEXTS
        assert raw.headers["x-turnout-model"] == "mock/ok"
        assert raw.headers["x-turnout-attempts"] == "2"
        assert turnout.logged()[0]["decision"]["attempts"][0]["error"]


async def test_a_refusal_is_the_callers_to_see(start: Any, mock: MockUpstream) -> None:
    async with start("status-400", "ok") as (_, client):
        with pytest.raises(openai.BadRequestError, match="mock says 400"):
            await client.embeddings.create(model="auto", input="x")
    assert len(mock.requests) == 1


async def test_when_all_fail_every_attempt_is_told(start: Any) -> None:
    async with start("status-500", "short") as (turnout, client):
        with pytest.raises(openai.InternalServerError) as raised:
            await client.embeddings.create(model="auto", input=TEXTS)
        assert "1 embeddings for 2 inputs" in raised.value.message
        assert turnout.logged()[0]["decision"]["outcome"] == "failed"


async def test_a_caller_that_leaves_ends_the_call(start: Any, mock: MockUpstream) -> None:
    async with start("hang") as (turnout, client):
        asking = asyncio.create_task(client.embeddings.create(model="auto", input="x"))
        await until(lambda: mock.requests)
        asking.cancel()
        async with asyncio.timeout(1):
            await mock.closed_by_client.wait()
        await until(turnout.logged, within_s=1)
        assert turnout.logged()[0]["decision"]["outcome"] == "client_gone"


@pytest.mark.parametrize(
    ("changed", "param", "said"),
    [
        ({"input": ""}, "input", "an empty text"),
        ({"input": []}, "input", "there is nothing to embed"),
        ({"input": ["a", ""]}, "input.1", "an empty text"),
        ({"input": ["a", 3]}, "input.1", "neither a text nor a list of tokens"),
        ({"input": [[1, -2]]}, "input.0", "neither a text nor a list of tokens"),
        ({"input": {"text": "a"}}, "input", "input should be a valid"),
        ({"input": ["a"] * 2_049}, "input", "at most 2,048 inputs"),
        ({"encoding_format": "hex"}, "encoding_format", "input should be 'float' or 'base64'"),
        ({"dimensions": 0}, "dimensions", "input should be greater than 0"),
        ({"model": ""}, "model", "string should have at least 1"),
    ],
)
async def test_a_wrong_body_is_refused_naming_the_field(
    start: Any, mock: MockUpstream, changed: dict[str, Any], param: str, said: str
) -> None:
    async with start("ok") as (turnout, _):
        body = {"model": "auto", "input": "x", **changed}
        status, _, reply = await turnout.post("/v1/embeddings", body)
    error = json.loads(reply)["error"]
    assert (status, error["type"], error["param"]) == (400, "invalid_request_error", param)
    assert error["message"].startswith(f"{param}: {said}")
    assert mock.requests == []


@pytest.mark.parametrize("asked", [[1, 2, 3], [[1, 2], [3]]])
async def test_tokens_are_inputs_too(start: Any, mock: MockUpstream, asked: Sequence[Any]) -> None:
    # The mock takes each of a list for an input; of one list of tokens there is one vector.
    async with start("ok") as (turnout, client):
        if isinstance(asked[0], list):
            reply = await client.embeddings.create(model="auto", input=asked)  # type: ignore[arg-type]
            assert [v[0] for v in vectors(reply)] == [2.0, 1.0]
        _, _, decided = await turnout.post("/v1/route", {"model": "auto", "input": asked})
        assert json.loads(decided)["signals"]["input_tokens"] == 3


async def test_inputs_must_fit_the_context_one_by_one(start: Any) -> None:
    long = "word " * 70_000  # 87,500 tokens of the model's 100,000
    async with start("ok") as (_, client):
        assert len(vectors(await client.embeddings.create(model="auto", input=[long, long]))) == 2
        with pytest.raises(openai.UnprocessableEntityError, match="context of 100,000 tokens"):
            await client.embeddings.create(model="auto", input=[long + long])


async def test_limits_hold(start: Any) -> None:
    async with start("ok", limits={"max_usd_per_request": 0.0001}) as (_, client):
        await client.embeddings.create(model="auto", input="word " * 50)
        with pytest.raises(openai.UnprocessableEntityError, match="max_usd_per_request"):
            await client.embeddings.create(model="auto", input="word " * 100)


async def test_a_chat_is_never_asked_of_an_embedder_nor_the_other_way_round(start: Any) -> None:
    async with start("ok") as (turnout, client):
        status, _, reply = await turnout.chat("e0")
        assert status == 422
        assert "makes embeddings alone" in reply["error"]["message"]
        with pytest.raises(openai.UnprocessableEntityError, match="cannot do embeddings"):
            await client.embeddings.create(model="chat", input="x")


async def test_an_upstream_that_makes_none_is_not_asked(start: Any, mock: MockUpstream) -> None:
    async with start("ok", urls={"mock": f"anthropic+{mock.url}"}) as (_, client):
        with pytest.raises(openai.UnprocessableEntityError, match="cannot be asked for embeddings"):
            await client.embeddings.create(model="auto", input="x")
    assert mock.requests == []


async def test_a_policy_without_a_route_for_them_refuses_them(
    mock: MockUpstream, tmp_path: Path
) -> None:
    policy = active(document(models={"small": model()}))
    async with (
        running_turnout({"test": policy}, {"mock": mock.url}, tmp_path) as turnout,
        sdk(turnout) as client,
    ):
        with pytest.raises(openai.UnprocessableEntityError, match="cannot do embeddings"):
            await client.embeddings.create(model="auto", input="x")


async def test_a_key_that_may_not_use_the_model_is_refused(start: Any) -> None:
    async def restricted(credentials: Credentials) -> Caller:
        return Caller(tenant="t", key="k", models=("chat",))

    async with start("ok", authenticator=restricted) as (_, client):
        with pytest.raises(openai.UnprocessableEntityError, match="approved for this key"):
            await client.embeddings.create(model="auto", input="x")


async def test_the_decision_alone_can_be_asked_for_and_explained(
    start: Any, mock: MockUpstream
) -> None:
    async with start("ok") as (turnout, _):
        _, _, reply = await turnout.post("/v1/route", {"model": "auto", "input": TEXTS})
        decision = json.loads(reply)
        assert decision["chosen"]["rule"] == "search"
        _, explained = await turnout.get(f"/v1/decisions/{decision['id']}/explain")
    assert explained["agrees"]
    assert [rule["matched"] for rule in explained["rules"]] == [False, True]
    assert mock.requests == []


async def test_the_demo_answers_with_hashed_words_where_texts_that_share_words_are_near(
    tmp_path: Path,
) -> None:
    policy = active(
        document(
            models={"small": model(), "e": embedder()},
            routes=[{"name": "search", "when": {"needs": ["embeddings"]}, "use": ["e"]}],
        )
    )
    texts = ["the red train", "a red train", "fiscal policy"]
    async with running_turnout({"test": policy}, {}, tmp_path) as turnout, sdk(turnout) as client:
        reply = await client.embeddings.create(model="auto", input=texts, dimensions=64)
    assert reply.model == "turnout-demo"
    one, two, other = vectors(reply)
    assert {len(one), len(two), len(other)} == {64}
    assert math.isclose(cosine(one, one), 1, abs_tol=1e-3)
    assert cosine(one, two) > cosine(one, other) + 0.2


def cosine(a: list[float], b: list[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))
