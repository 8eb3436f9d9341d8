"""Upstreams: who answers, how they are called, and how one reply is made of several attempts."""

from turnout.upstream.catalogue import Endpoint, configured_endpoints, known_upstreams
from turnout.upstream.demo import DemoUpstream
from turnout.upstream.openai_compatible import Connections, OpenAICompatible
from turnout.upstream.port import Call, CallFailed, CallTimedOut, Reply, Upstream
from turnout.upstream.relay import Exchange, Plan, Target, Upstreams, relay

__all__ = [
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
    "configured_endpoints",
    "known_upstreams",
    "relay",
]
