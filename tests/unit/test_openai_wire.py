"""OpenAI's body becomes the request that routing reads."""

from typing import Any

import pytest

from turnout.api.openai import parse_chat
from turnout.chat import ChatRequest
from turnout.signals import TOKENS_PER_IMAGE, estimate_input_tokens


def parsed(*messages: dict[str, Any], **body: Any) -> ChatRequest:
    default = {"role": "user", "content": "hello"}
    return parse_chat({"model": "auto", "messages": list(messages) or [default], **body})


def test_the_prompt_is_the_last_user_turn_and_the_context_what_came_before() -> None:
    request = parsed(
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "first"},
        {"role": "assistant", "content": "answer"},
        {
            "role": "user",
            "content": [{"type": "text", "text": "second"}, {"type": "text", "text": "!"}],
        },
        {"role": "assistant", "content": None},
    )
    assert request.prompt == "second\n!"
    assert request.context == "System: Be brief.\nUser: first\nAssistant: answer"


def test_a_conversation_without_a_user_has_an_empty_prompt() -> None:
    request = parsed({"role": "system", "content": "Go on."})
    assert (request.prompt, request.context) == ("", "System: Go on.")


@pytest.mark.parametrize(
    ("body", "needs"),
    [
        ({}, set()),
        ({"tools": []}, set()),
        ({"tools": [{"type": "function"}]}, {"tools"}),
        ({"functions": [{"name": "f"}]}, {"tools"}),
        ({"response_format": {"type": "json_object"}}, set()),
        ({"response_format": {"type": "json_schema", "json_schema": {}}}, {"json_schema"}),
        ({"reasoning_effort": "high"}, {"reasoning"}),
        ({"reasoning_effort": "none"}, set()),
    ],
)
def test_needs_are_read_off_the_body(body: dict[str, Any], needs: set[str]) -> None:
    assert parsed(**body).needs == needs


def test_images_and_audio_are_needs_and_images_are_counted() -> None:
    image = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    audio = {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}
    request = parsed({"role": "user", "content": [image, image, audio]})
    assert request.needs == {"images", "audio"}
    assert request.images == 2
    assert estimate_input_tokens(request) >= 2 * TOKENS_PER_IMAGE


def test_the_newer_name_of_the_output_bound_wins() -> None:
    assert parsed(max_tokens=5).max_output_tokens == 5
    assert parsed(max_tokens=5, max_completion_tokens=7).max_output_tokens == 7


def test_a_session_comes_by_header_or_metadata() -> None:
    body = {"model": "auto", "messages": [{"role": "user", "content": "x"}]}
    assert parse_chat(body).session is None
    assert parse_chat({**body, "metadata": {"session_id": "m"}}).session == "m"
    assert (
        parse_chat({**body, "metadata": {"session_id": "m"}}, {"x-turnout-session": "h"}).session
        == "h"
    )


def test_input_tokens_are_estimated_near_what_a_tokenizer_counts() -> None:
    english = parsed(
        {"role": "user", "content": "The quick brown fox jumps over the lazy dog. " * 20}
    )
    assert 180 <= estimate_input_tokens(english) <= 260, "a GPT tokenizer counts 201"
    chinese = parsed({"role": "user", "content": "敏捷的棕色狐狸跳过了懒狗。" * 20})
    assert 150 <= estimate_input_tokens(chinese) <= 300


def test_lone_surrogates_are_counted_and_do_not_crash() -> None:
    assert estimate_input_tokens(parsed({"role": "user", "content": "\ud800"})) > 0
