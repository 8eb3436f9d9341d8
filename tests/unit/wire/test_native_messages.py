"""What only Anthropic can be asked for is found and left out; what is malformed is left alone."""

from typing import Any

import pytest

from turnout.wire.native_messages import without_native

TEXT = {"type": "text", "text": "Hi"}


def body(*blocks: Any, role: str = "user", **more: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": role, "content": [*blocks]}], **more}


def source(kind: str, form: str) -> dict[str, Any]:
    return {"type": kind, "source": {"type": form}}


@pytest.mark.parametrize(
    ("block", "said"),
    [
        (source("document", "base64"), "a document by base64 (messages.0.content.1)"),
        (source("document", "url"), "a document by url (messages.0.content.1)"),
        (source("document", "file"), "a document by file (messages.0.content.1)"),
        (source("image", "file"), "an image by file (messages.0.content.1)"),
        ({"type": "server_tool_use"}, "a server_tool_use block (messages.0.content.1)"),
    ],
)
def test_a_block_that_chat_cannot_carry_is_left_out(block: dict[str, Any], said: str) -> None:
    asked = body(TEXT, block)
    assert without_native(asked) == (body(TEXT), said)
    assert asked == body(TEXT, block)


def test_it_is_found_in_a_tools_result_too() -> None:
    result = {"type": "tool_result", "tool_use_id": "t", "content": [source("document", "base64")]}
    carried, said = without_native(body(result))
    assert carried == body({**result, "content": []})
    assert said == "a document by base64 (messages.0.content.0.content.0)"


def test_the_first_is_told() -> None:
    tools = [{"name": "mine"}, {"type": "bash_20250124", "name": "bash"}]
    carried, said = without_native(body(TEXT, tools=tools, mcp_servers=[{"url": "u"}]))
    assert carried == body(TEXT, tools=tools[:1])
    assert said == "the server tool bash_20250124 (tools.1)"


@pytest.mark.parametrize(
    "asked",
    [
        body(TEXT, source("image", "url"), source("document", "text"), {"type": "thinking"}),
        {"messages": "oops", "tools": 3},
        {"messages": [3, {"content": [3, {"type": 7}, {"type": "image", "source": 3}]}]},
        {"messages": [{"role": "user", "content": "Hi"}], "tools": [3, {"type": "custom"}]},
        {},
    ],
)
def test_everything_else_stays(asked: dict[str, Any]) -> None:
    assert without_native(asked) == (asked, "")
