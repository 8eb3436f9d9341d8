"""Upstreams: who answers, how they are called, and how one reply is made of several attempts."""

from turnout.upstream.anthropic import Anthropic
from turnout.upstream.bedrock import Bedrock
from turnout.upstream.catalogue import UPSTREAM_KEYS, Endpoint, known_upstreams, read_endpoints
from turnout.upstream.demo import DemoUpstream
from turnout.upstream.exchange import Exchange
from turnout.upstream.openai_compatible import OpenAICompatible
from turnout.upstream.port import Call, CallFailed, CallTimedOut, Reply, Target, Upstream
from turnout.upstream.relay import Plan, Upstreams, relay
from turnout.upstream.sse import data_lines
from turnout.upstream.transport import Connections

__all__ = [
    "UPSTREAM_KEYS",
    "Anthropic",
    "Bedrock",
    "Call",
    "CallFailed",
    "CallTimedOut",
    "Connections",
    "DemoUpstream",
    "Endpoint",
    "Exchange",
    "OpenAICompatible",
    "Plan",
    "Reply",
    "Target",
    "Upstream",
    "Upstreams",
    "data_lines",
    "known_upstreams",
    "read_endpoints",
    "relay",
]
