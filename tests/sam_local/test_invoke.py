"""`sam local invoke` with each sample event, on nothing but the built stack."""

import json
import subprocess
from typing import Any

import pytest

from sam_local.conftest import ENVIRON, ROOT


def invoke(sam: str, event: str, function: str = "RouterFunction") -> dict[str, Any]:
    command = [sam, "local", "invoke", function, "--skip-pull-image", "-e", f"infra/events/{event}"]
    result = subprocess.run(
        command, cwd=ROOT, env=ENVIRON, capture_output=True, text=True, check=False, timeout=180
    )
    assert result.returncode == 0, result.stderr
    lines = [line for line in result.stdout.splitlines() if line.startswith('{"statusCode"')]
    assert lines, result.stdout + result.stderr
    answer: dict[str, Any] = json.loads(lines[-1])
    return answer


def test_health_tells_the_classifier_and_the_policy(sam: str) -> None:
    answer = invoke(sam, "health.json")
    assert answer["statusCode"] == 200
    health = json.loads(answer["body"])
    assert health["status"] == "ok"
    assert health["classifier"], "the classifier layer is not where it should be"


@pytest.mark.parametrize("event", ["chat.json", "http-api-chat.json"])
def test_a_chat_is_routed_by_the_classifier_in_its_layer(sam: str, event: str) -> None:
    answer = invoke(sam, event)
    assert answer["statusCode"] == 200
    assert answer["headers"]["x-turnout-category"] == "coding"
    assert json.loads(answer["body"])["choices"][0]["message"]["content"]


def test_a_streamed_chat_comes_whole(sam: str) -> None:
    answer = invoke(sam, "chat-stream.json")
    assert answer["headers"]["content-type"].startswith("text/event-stream")
    assert answer["body"].endswith("data: [DONE]\n\n")


def test_a_route_is_decided_alone(sam: str) -> None:
    decision = json.loads(invoke(sam, "route.json")["body"])
    assert decision["signals"]["category"] in ("math", "reasoning")
    assert decision["outcome"] == "decided"


def test_bad_json_is_a_clear_error(sam: str) -> None:
    answer = invoke(sam, "bad-json.json")
    assert answer["statusCode"] == 400
    assert "not valid JSON" in json.loads(answer["body"])["error"]["message"]


def test_an_http_api_payload_is_understood(sam: str) -> None:
    assert invoke(sam, "http-api-health.json")["statusCode"] == 200


def test_the_control_plane_makes_a_key(sam: str) -> None:
    answer = invoke(sam, "admin-create-key.json", "AdminFunction")
    assert answer["statusCode"] == 201
    assert json.loads(answer["body"])["key"].startswith("tn_")
