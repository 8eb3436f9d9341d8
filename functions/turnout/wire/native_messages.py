"""What Anthropic's messages can ask for and chat completions cannot: found, and left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

_Fields = dict[str, Any]
_CARRIED_BLOCKS: Final = frozenset(
    {"text", "image", "document", "tool_use", "tool_result", "thinking", "redacted_thinking"}
)
_CARRIED_SOURCES: Final[Mapping[str, frozenset[str]]] = {
    "image": frozenset({"base64", "url"}),
    "document": frozenset({"text", "content"}),
}
_CARRIED_TOOLS: Final = frozenset({None, "custom"})


def without_native(body: Mapping[str, Any]) -> tuple[_Fields, str]:
    """Return the body without what only Anthropic can be asked for, and the first of that in words.

    That is PDFs and files, blocks of its servers' tools, such tools, and MCP servers. What is malformed
    is left as it is, for who reads the body to refuse.
    """
    found: list[str] = []
    carried = dict(body)
    if isinstance(body.get("messages"), list):
        carried["messages"] = [
            _carried_turn(turn, f"messages.{i}", found) for i, turn in enumerate(body["messages"])
        ]
    if isinstance(body.get("tools"), list):
        carried["tools"] = [*_carried_tools(body["tools"], found)]
    if carried.pop("mcp_servers", None):
        found.append("MCP servers (mcp_servers)")
    return carried, next(iter(found), "")


def _carried_turn(turn: Any, param: str, found: list[str]) -> Any:
    if not isinstance(turn, dict) or not isinstance(turn.get("content"), list):
        return turn
    return {**turn, "content": [*_carried_blocks(turn["content"], f"{param}.content", found)]}


def _carried_blocks(blocks: list[Any], param: str, found: list[str]) -> Iterator[Any]:
    for i, block in enumerate(blocks):
        if not isinstance(block, dict):
            yield block
        elif what := _native(block):
            found.append(f"{what} ({param}.{i})")
        else:
            yield _carried_turn(block, f"{param}.{i}", found)


def _native(block: _Fields) -> str:
    """Return what a block is that chat cannot carry, in words; nothing for one that it can."""
    kind, source = block.get("type"), block.get("source")
    if not isinstance(kind, str):
        return ""
    if kind not in _CARRIED_BLOCKS:
        return f"a {kind} block"
    if kind in _CARRIED_SOURCES and isinstance(source, dict):
        form = source.get("type")
        if isinstance(form, str) and form not in _CARRIED_SOURCES[kind]:
            return f"{'an' if kind == 'image' else 'a'} {kind} by {form}"
    return ""


def _carried_tools(tools: list[Any], found: list[str]) -> Iterator[Any]:
    for i, tool in enumerate(tools):
        kind = tool.get("type") if isinstance(tool, dict) else None
        if isinstance(kind, str) and kind not in _CARRIED_TOOLS:
            found.append(f"the server tool {kind} (tools.{i})")
        else:
            yield tool
