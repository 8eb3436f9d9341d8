"""A chat completion becomes a response in OpenAI's Responses format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from turnout.wire.fields import count_of, object_of, objects_of, reasoning_of, text_of

_INCOMPLETE: Final[Mapping[str | None, str]] = {
    "length": "max_output_tokens",
    "content_filter": "content_filter",
}
_REPEATED: Final[Mapping[str, Any]] = {
    "instructions": None,
    "max_output_tokens": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "reasoning": {"effort": None, "summary": None},
    "temperature": None,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_p": None,
    "user": None,
}
"""What a response repeats of its request, and what it says where the request was silent."""


def response_from_completion(
    completion: Mapping[str, Any], *, request: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the response that tells what the completion's first choice does.

    `request` is the body that came in. Log probabilities and annotations are left behind.
    """
    choice = next(objects_of(completion.get("choices")), {})
    reason = text_of(choice, "finish_reason") or None
    response = begun_response(completion, request=request)
    items = list(_items(response, object_of(choice, "message")))
    for item in items:
        item["status"] = last_status(reason) if item is items[-1] else "completed"
    return ended_response(
        response, items, finish_reason=reason, usage=response_usage(object_of(completion, "usage"))
    )


def begun_response(reply: Mapping[str, Any], *, request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the response to `request` as it stands before any output.

    `reply` is the completion, or a chunk of it: it gives the id, the time and the model.
    """
    created = reply.get("created")
    repeated = {
        name: default if request.get(name) is None else request[name]
        for name, default in _REPEATED.items()
    }
    return {
        "id": "resp_" + text_of(reply, "id").removeprefix("chatcmpl-"),
        "object": "response",
        "created_at": created if isinstance(created, int | float) else 0,
        "status": "in_progress",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "model": text_of(reply, "model") or request.get("model", ""),
        "output": [],
        "previous_response_id": None,
        "store": False,
        "truncation": "disabled",
        "usage": None,
    } | repeated


def ended_response(
    response: Mapping[str, Any],
    output: Sequence[Mapping[str, Any]],
    *,
    finish_reason: str | None,
    usage: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Return the response with its output, completed or incomplete as the finish reason says."""
    incomplete = _INCOMPLETE.get(finish_reason)
    return {
        **response,
        "status": "incomplete" if incomplete else "completed",
        "incomplete_details": {"reason": incomplete} if incomplete else None,
        "output": list(output),
        "usage": usage,
    }


def last_status(finish_reason: str | None) -> str:
    """Return the status of the last output item, which is where a reply is cut off."""
    return "incomplete" if finish_reason in _INCOMPLETE else "completed"


def new_item(kind: str, response: Mapping[str, Any], index: int, **fields: Any) -> dict[str, Any]:
    """Return the response's output item at `index`; its id is made of the two."""
    prefix = {"message": "msg", "reasoning": "rs", "function_call": "fc"}[kind]
    suffix = response["id"].removeprefix("resp_")
    return {"type": kind, "id": f"{prefix}_{suffix}_{index}", "status": "in_progress"} | fields


def call_item(call: Mapping[str, Any], response: Mapping[str, Any], index: int) -> dict[str, Any]:
    """Return the output item of a tool call, or of the first delta of one."""
    item, function = new_item("function_call", response, index), object_of(call, "function")
    return item | {
        "call_id": text_of(call, "id") or item["id"].replace("fc_", "call_", 1),
        "name": text_of(function, "name"),
        "arguments": text_of(function, "arguments"),
    }


def new_part(kind: str, text: str) -> dict[str, Any]:
    """Return a part of an output item: `output_text`, `refusal` or `summary_text`."""
    if kind == "output_text":
        return {"type": kind, "text": text, "annotations": [], "logprobs": []}
    return {"type": kind, "refusal" if kind == "refusal" else "text": text}


def response_usage(usage: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the usage as responses count it, or None when the completion told none."""
    if not usage:
        return None
    prompt, output = count_of(usage, "prompt_tokens"), count_of(usage, "completion_tokens")
    prompt_details = object_of(usage, "prompt_tokens_details")
    output_details = object_of(usage, "completion_tokens_details")
    return {
        "input_tokens": prompt,
        "input_tokens_details": {
            "cached_tokens": count_of(prompt_details, "cached_tokens"),
            "cache_write_tokens": count_of(prompt_details, "cache_write_tokens"),
        },
        "output_tokens": output,
        "output_tokens_details": {"reasoning_tokens": count_of(output_details, "reasoning_tokens")},
        "total_tokens": prompt + output,
    }


def _items(response: Mapping[str, Any], message: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    count = 0
    if reasoning := reasoning_of(message):
        summary = [new_part("summary_text", reasoning)]
        yield new_item("reasoning", response, count, summary=summary)
        count += 1
    texts = {"output_text": text_of(message, "content"), "refusal": text_of(message, "refusal")}
    if parts := [new_part(kind, text) for kind, text in texts.items() if text]:
        yield new_item("message", response, count, role="assistant", content=parts)
        count += 1
    for index, call in enumerate(objects_of(message.get("tool_calls")), start=count):
        yield call_item(call, response, index)
