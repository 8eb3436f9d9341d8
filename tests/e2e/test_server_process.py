"""A person's first minutes: the server as a process, with the openai SDK in front of it."""

import json
import signal
import socket
import subprocess
import sys
import urllib.request
from typing import Any

import pytest
from openai import OpenAI

TWELVE_PROMPTS = {
    "coding": "Write a Python function that merges two sorted lists.",
    "math": "Evaluate the integral of x^2 * e^x from 0 to 1, showing each step.",
    "reasoning": "Ann is taller than Bob, and Bob is taller than Cem. Who is the shortest, and why?",
    "creative_writing": "Write a short story about a lighthouse keeper who befriends a storm.",
    "copywriting": "Write a catchy product description for a bamboo toothbrush.",
    "business_writing": "Write an email to my boss asking for two days off next week.",
    "editing": "Fix the grammar: she dont has no idea where them books is",
    "summarization": "Summarize this in one sentence: The council met on Monday to discuss the bridge."
    " After three hours it voted to repair it by spring, at a cost of two million.",
    "translation": "Translate into French: Where is the nearest train station?",
    "question_answering": "What is the capital of Australia?",
    "planning": "Plan a three-day trip to Lisbon with two small children.",
    "conversation": "hey, how are you doing today?",
}


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as response:
        return json.load(response)


def ask(client: OpenAI, prompt: str) -> tuple[str, dict[str, str]]:
    """Stream a reply and return its text and the response's headers."""
    with client.chat.completions.with_streaming_response.create(
        model="auto", messages=[{"role": "user", "content": prompt}], stream=True
    ) as response:
        headers = dict(response.headers)
        text = ""
        for line in response.iter_lines():
            if line.startswith("data: ") and line != "data: [DONE]":
                for choice in json.loads(line[6:])["choices"]:
                    text += choice["delta"].get("content") or ""
    return text, headers


def test_twelve_kinds_of_prompts_go_to_at_least_three_models_each_with_its_reason(serve) -> None:
    server = serve()
    assert "the built-in demo answers" in server.welcome
    models, categories = set(), {}
    with OpenAI(base_url=f"{server.url}/v1", api_key="any") as client:
        for category, prompt in TWELVE_PROMPTS.items():
            text, headers = ask(client, prompt)
            record = get(f"{server.url}/v1/decisions/{headers['x-turnout-decision-id']}")
            assert record["outcome"] == "ok"
            assert record["chosen"]["reason"]
            assert "demo" in text
            assert f"{record['chosen']['model']} would have answered" in text
            assert record["chosen"]["reason"] in text
            models.add(headers["x-turnout-model"])
            categories[category] = headers["x-turnout-category"]
    assert len(models) >= 3
    right = [category for category, told in categories.items() if told == category]
    assert len(right) >= 10, categories


def test_the_printed_curl_line_works(serve) -> None:
    server = serve()
    command = server.welcome.partition("Try:\n")[2]
    shown = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, timeout=30, check=True
    )
    assert shown.stdout.rstrip().endswith("data: [DONE]")


def test_decisions_outlive_a_killed_process(serve) -> None:
    server = serve()
    with OpenAI(base_url=f"{server.url}/v1", api_key="any") as client:
        _, headers = ask(client, "hello")
    server.stop(signal.SIGKILL)
    again = serve()
    record = get(f"{again.url}/v1/decisions/{headers['x-turnout-decision-id']}")
    assert record["outcome"] == "ok"


def test_sigterm_lets_a_stream_in_flight_finish(serve) -> None:
    server = serve()
    with OpenAI(base_url=f"{server.url}/v1", api_key="any") as client:
        chunks = client.chat.completions.create(
            model="auto", messages=[{"role": "user", "content": "hello"}], stream=True
        )
        first = next(iter(chunks))
        server.process.send_signal(signal.SIGTERM)
        rest = list(chunks)
    assert first.choices
    assert rest[-1].choices[0].finish_reason == "stop"
    assert server.process.wait(timeout=15) in (0, -signal.SIGTERM)


def test_a_provider_key_in_the_environment_is_found_and_not_shown(serve) -> None:
    server = serve(OPENAI_API_KEY="sk-very-secret", TURNOUT_UPSTREAMS="vllm=http://127.0.0.1:9/v1")
    assert "Upstreams: openai, vllm" in server.welcome
    assert "sk-very-secret" not in server.welcome


def test_off_loopback_a_key_is_asked_for(serve, turnout) -> None:
    server = serve("--host", "0.0.0.0")
    key = turnout("keys", "create", "acme").stdout.strip()
    request = urllib.request.Request(f"{server.url}/v1/models")
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(request, timeout=10)
    request.add_header("authorization", f"Bearer {key}")
    with urllib.request.urlopen(request, timeout=10) as response:
        assert response.status == 200


def test_a_web_page_under_another_name_is_kept_out_of_an_open_server(serve) -> None:
    server = serve()
    request = urllib.request.Request(f"{server.url}/v1/models", headers={"host": "evil.example"})
    with pytest.raises(urllib.error.HTTPError, match="400"):
        urllib.request.urlopen(request, timeout=10)


def test_a_taken_port_is_told_in_one_line(turnout) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = turnout("serve", "--port", str(port))
    assert result.returncode == 1
    assert result.stderr.startswith(f"Error: cannot listen on 127.0.0.1:{port}")
    assert result.stderr.count("\n") == 1


def test_importing_the_app_needs_neither_server_nor_boto3_nor_http_client() -> None:
    code = (
        "import sys, turnout.wiring;"
        "print([m for m in ('uvicorn', 'boto3', 'aiohttp', 'yaml') if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
