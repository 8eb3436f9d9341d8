"""Whole replies and errors between Anthropic Messages and OpenAI's chat completions, both ways."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from pydantic_core import from_json, to_json

from turnout.wire.fields import count_of, object_of, objects_of, reasoning_of, text_of

UNPARSED: Final = "unparsed_arguments"
"""Where a tool's input keeps arguments that are no JSON object, as they were written."""

_FINISH_REASONS: Final[Mapping[str, str]] = {
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
"""By stop reason; every other one (end_turn, stop_sequence, pause_turn) is `stop`."""
_STOP_REASONS: Final[Mapping[str, str]] = {
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
}
"""By finish reason; every other one is `end_turn`: chat tells no stop sequence."""
_ERROR_TYPES: Final[Mapping[int, str]] = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def completion_from_message(
    message: Mapping[str, Any], *, model: str, created: int = 0
) -> dict[str, Any]:
    """Return the chat completion that tells what the message does.

    A message has no time; `created` is the caller's. Signatures, redacted thinking, citations and
    the blocks of server tools are left behind, and so is usage where the message has none.
    """
    blocks = [*objects_of(message.get("content"))]
    choice = {
        "index": 0,
        "message": _chat_message(blocks),
        "logprobs": None,
        "finish_reason": finish_reason_of(message.get("stop_reason")),
    }
    completion = {
        "id": completion_id_of(message.get("id")),
        "object": "chat.completion",
        "created": created,
        "model": model,
        "choices": [choice],
    }
    usage = object_of(message, "usage")
    return completion | ({"usage": chat_usage(usage)} if usage else {})


def message_from_completion(completion: Mapping[str, Any], *, model: str) -> dict[str, Any]:
    """Return the message that tells what the completion's first choice does.

    Log probabilities, annotations and audio are left behind. Thinking comes with an empty
    signature: only Anthropic can sign it, and `chat_from_messages` asks for none back.
    """
    choice = next(objects_of(completion.get("choices")), {})
    said = object_of(choice, "message")
    message_id = message_id_of(completion.get("id"))
    blocks = [*_content_blocks(said, message_id)]
    reason = stop_reason_of(
        choice.get("finish_reason"),
        called=any(block["type"] == "tool_use" for block in blocks),
        refused=bool(text_of(said, "refusal")),
    )
    return new_message(message_id, model) | {
        "content": blocks,
        "stop_reason": reason,
        "usage": message_usage(object_of(completion, "usage")),
    }


def new_message(message_id: str, model: str) -> dict[str, Any]:
    """Return a message as it stands before any content."""
    return {
        "id": message_id,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": message_usage({}),
    }


def error_from_anthropic(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return OpenAI's error object for Anthropic's, whose types it keeps."""
    error = object_of(body, "error")
    return {
        "error": {
            "message": text_of(error, "message") or "an error without a message",
            "type": text_of(error, "type") or "api_error",
            "param": None,
            "code": None,
        }
    }


def anthropic_error(message: str, *, status: int) -> dict[str, Any]:
    """Return Anthropic's error object for an answer of this HTTP status."""
    return {"type": "error", "error": {"type": anthropic_error_type(status), "message": message}}


def anthropic_error_type(status: int) -> str:
    """Return what Anthropic calls an error of this HTTP status."""
    fallback = "invalid_request_error" if 400 <= status < 500 else "api_error"
    return _ERROR_TYPES.get(status, fallback)


def finish_reason_of(stop_reason: object) -> str:
    return _FINISH_REASONS.get(str(stop_reason), "stop")


def stop_reason_of(finish_reason: object, *, called: bool, refused: bool) -> str:
    """Return the stop reason. `called` and `refused` tell what the reply held: chat ends a forced
    call with `stop`, and a refusal too, where Anthropic's callers go by the reason alone."""
    reason = _STOP_REASONS.get(str(finish_reason), "end_turn")
    if reason not in ("end_turn", "tool_use"):
        return reason
    if refused:
        return "refusal"
    return "tool_use" if called else "end_turn"


def completion_id_of(message_id: object) -> str:
    return f"chatcmpl-{str(message_id or '').removeprefix('msg_')}"


def message_id_of(completion_id: object) -> str:
    return f"msg_{str(completion_id or '').removeprefix('chatcmpl-')}"


def chat_usage(usage: Mapping[str, Any]) -> dict[str, Any]:
    """Return usage as OpenAI counts it: the prompt with what the cache gave and took."""
    read = count_of(usage, "cache_read_input_tokens")
    written = count_of(usage, "cache_creation_input_tokens")
    prompt = count_of(usage, "input_tokens") + read + written
    completion = count_of(usage, "output_tokens")
    counts: dict[str, Any] = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": read, "cache_write_tokens": written},
    }
    if thought := count_of(object_of(usage, "output_tokens_details"), "thinking_tokens"):
        counts["completion_tokens_details"] = {"reasoning_tokens": thought}
    return counts


def message_usage(usage: Mapping[str, Any]) -> dict[str, Any]:
    """Return usage as Anthropic counts it: the input without what the cache gave and took."""
    details = object_of(usage, "prompt_tokens_details")
    read, written = count_of(details, "cached_tokens"), count_of(details, "cache_write_tokens")
    return {
        "input_tokens": max(0, count_of(usage, "prompt_tokens") - read - written),
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": read,
        "output_tokens": count_of(usage, "completion_tokens"),
    }


def tool_input(arguments: str) -> dict[str, Any]:
    """Return a call's arguments as the object that Anthropic wants.

    A model may write what is no JSON object. Such arguments are kept whole under UNPARSED, since
    an empty input would show the model a call that it never made, and a result that fits none.
    """
    if not arguments.strip():
        return {}
    parsed = parsed_object(arguments)
    return {UNPARSED: arguments} if parsed is None else parsed


def tool_call(block: Mapping[str, Any]) -> dict[str, Any]:
    """Return the chat tool call that a `tool_use` block is."""
    arguments = to_json(block.get("input") or {}).decode()
    function = {"name": text_of(block, "name"), "arguments": arguments}
    return {"id": text_of(block, "id"), "type": "function", "function": function}


def tool_use_id(message_id: str, position: int) -> str:
    """Return an id for a call that came without one; unlike any other of the conversation, and
    within the 40 characters that OpenAI takes back."""
    return f"toolu_{message_id.removeprefix('msg_')[-28:]}_{position}"


def parsed_object(text: str | bytes) -> dict[str, Any] | None:
    """Return the JSON object that `text` is, or None when it is none."""
    try:
        value = from_json(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _chat_message(blocks: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    texts, thoughts, calls = [], [], []
    for block in blocks:
        match block:
            case {"type": "text", "text": str(text)}:
                texts.append(text)
            case {"type": "thinking", "thinking": str(text)}:
                thoughts.append(text)
            case {"type": "tool_use"}:
                calls.append(tool_call(block))
    message: dict[str, Any] = {
        "role": "assistant",
        "content": "".join(texts) or None,
        "refusal": None,
    }
    if any(thoughts):
        message["reasoning_content"] = "".join(thoughts)
    return message | ({"tool_calls": calls} if calls else {})


def _content_blocks(said: Mapping[str, Any], message_id: str) -> Iterator[dict[str, Any]]:
    if thought := reasoning_of(said):
        yield {"type": "thinking", "thinking": thought, "signature": ""}
    for text in (text_of(said, "content"), text_of(said, "refusal")):
        if text:
            yield {"type": "text", "text": text}
    for i, call in enumerate(objects_of(said.get("tool_calls"))):
        function = object_of(call, "function")
        yield {
            "type": "tool_use",
            "id": text_of(call, "id") or tool_use_id(message_id, i),
            "name": text_of(function, "name"),
            "input": tool_input(text_of(function, "arguments")),
        }
