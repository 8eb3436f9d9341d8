"""Bedrock's side of the wire: the signature checked anew, Converse's replies, event stream frames."""

from __future__ import annotations

import hmac
import json
import struct
import zlib
from typing import Any

from aiohttp import web
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

ACCESS_KEY, SECRET_KEY = "AKIDEXAMPLE", "bedrock-secret-access-key"
REGION = "eu-central-1"


def is_signed(request: web.Request, body: bytes) -> bool:
    """Tell whether the request, as it came, is signed with SECRET_KEY for Bedrock in REGION."""
    authorization = request.headers.get("Authorization", "")
    fields = dict(
        field.strip().split("=", 1) for field in authorization.partition(" ")[2].split(",") if field
    )
    scope = f"{ACCESS_KEY}/{request.headers['X-Amz-Date'][:8]}/{REGION}/bedrock/aws4_request"
    if fields.get("Credential") != scope:
        return False
    signed = {name: request.headers[name] for name in fields["SignedHeaders"].split(";")}
    url = f"http://{request.host}{request.raw_path}"
    anew = AWSRequest(request.method, url, signed, body)
    anew.context["timestamp"] = request.headers["X-Amz-Date"]
    auth = SigV4Auth(Credentials(ACCESS_KEY, SECRET_KEY), "bedrock", REGION)
    told = auth.signature(auth.string_to_sign(anew, auth.canonical_request(anew)), anew)
    return hmac.compare_digest(told, fields["Signature"])


def frame(kind: str, fields: dict[str, Any], *, message_type: str = "event") -> bytes:
    """Return one frame of an event stream."""
    named = ":event-type" if message_type == "event" else ":exception-type"
    values = {named: kind, ":content-type": "application/json", ":message-type": message_type}
    headers = b"".join(
        bytes([len(name)])
        + name.encode()
        + b"\x07"
        + struct.pack(">H", len(value))
        + value.encode()
        for name, value in values.items()
    )
    payload = json.dumps(fields).encode()
    prelude = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    checked = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + payload
    return checked + struct.pack(">I", zlib.crc32(checked))


def refused(status: int, kind: str, message: str) -> web.Response:
    """Return one of Bedrock's errors."""
    return web.json_response(
        {"message": message}, status=status, headers={"x-amzn-errortype": f"{kind}:http://x/"}
    )


def converse_reply(
    blocks: list[dict[str, Any]], *, called: bool, usage: dict[str, int]
) -> dict[str, Any]:
    return {
        "output": {"message": {"role": "assistant", "content": blocks}},
        "stopReason": "tool_use" if called else "end_turn",
        "usage": usage,
        "metrics": {"latencyMs": 1},
    }


def converse_frames(reply: dict[str, Any]) -> list[bytes]:
    """Return the frames that tell what a reply of Converse does, each block in two pieces."""
    frames = [frame("messageStart", {"role": "assistant"})]
    for index, block in enumerate(reply["output"]["message"]["content"]):
        frames += _block_frames(index, block)
    frames.append(frame("messageStop", {"stopReason": reply["stopReason"]}))
    return [*frames, frame("metadata", {"usage": reply["usage"], "metrics": {"latencyMs": 1}})]


def _block_frames(index: int, block: dict[str, Any]) -> list[bytes]:
    place = {"contentBlockIndex": index}
    frames = []
    match block:
        case {"toolUse": tool_use}:
            named = {"toolUseId": tool_use["toolUseId"], "name": tool_use["name"]}
            frames.append(frame("contentBlockStart", {**place, "start": {"toolUse": named}}))
            deltas = [
                {"toolUse": {"input": piece}} for piece in _two(json.dumps(tool_use["input"]))
            ]
        case {"reasoningContent": {"reasoningText": {"text": text}}}:
            deltas = [{"reasoningContent": {"text": piece}} for piece in _two(text)]
        case {"text": text}:
            deltas = [{"text": piece} for piece in _two(text)]
    frames += [frame("contentBlockDelta", {**place, "delta": delta}) for delta in deltas]
    return [*frames, frame("contentBlockStop", place)]


def _two(text: str) -> tuple[str, str]:
    return text[:4], text[4:]
