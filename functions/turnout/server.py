"""The local server: the same app as in Lambda, on uvicorn."""

from __future__ import annotations

import ipaddress
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Final

import uvicorn
from starlette.middleware.trustedhost import TrustedHostMiddleware

from turnout import __version__
from turnout.bounded_http import BoundedHttp
from turnout.errors import ConfigurationError
from turnout.local import DATA, local_endpoints, local_settings
from turnout.record import DecisionRecord
from turnout.telemetry import Telemetry
from turnout.upstream import Endpoint
from turnout.wiring import build_app

GRACE_S: Final = 10
"""How long requests in flight may go on after SIGTERM, in seconds."""
BACKLOG: Final = 2048
LOG: Final = DATA / "log.jsonl"


def serve(host: str, port: int, environ: Mapping[str, str]) -> None:
    """Serve until stopped. Raises ConfigurationError when it cannot start.

    On a loopback address everyone is let in, since only this machine reaches it; on any other a key
    is asked for.
    """
    settings = replace(local_settings(environ), access="open" if is_loopback(host) else "keys")
    endpoints = local_endpoints(environ)
    listener = _listen(host, port)
    LOG.parent.mkdir(exist_ok=True)
    with LOG.open("a", buffering=1, encoding="utf-8") as log:
        app = build_app(settings, endpoints, Telemetry(log, watch=_show))
        if settings.access == "open":
            # A web page that resolves its own name to this address must not get through.
            app.add_middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])
        print(_welcome(host, listener.getsockname()[1], settings.access, endpoints), flush=True)
        config = uvicorn.Config(
            app,
            http=BoundedHttp,
            log_level="warning",
            server_header=False,
            timeout_graceful_shutdown=GRACE_S,
        )
        # Ctrl-C is how a person stops it: no error.
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listener])


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _listen(host: str, port: int) -> socket.socket:
    # The protocol is named because asyncio turns Nagle's algorithm off only for sockets that name it:
    # without that a reply waits 40 ms for the client's delayed acknowledgement.
    listener = socket.socket(_family(host), socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
        return listener
    except OSError as error:
        listener.close()
        raise ConfigurationError(
            f"cannot listen on {host}:{port} ({error.strerror}); choose another port with PORT=8081"
        ) from None


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _welcome(host: str, port: int, access: str, endpoints: Mapping[str, Endpoint]) -> str:
    address = f"http://{host}:{port}"
    is_open = access == "open"
    configured = [name for name, endpoint in endpoints.items() if endpoint.is_configured]
    found = ", ".join(configured) or "none found, so the built-in demo answers"
    hint = "" if configured else "\n           (set OPENAI_API_KEY or another provider's key)"
    allowed = "everyone on this machine" if is_open else "keys; make one: turnout keys create NAME"
    key = "" if is_open else " \\\n    -H 'authorization: Bearer YOUR_KEY'"
    return f"""Turnout {__version__} on {address} (open it in a browser to watch it decide)
Upstreams: {found}{hint}
Access:    {allowed}
Records:   {LOG}

Try:
  curl -N {address}/v1/chat/completions -H 'content-type: application/json'{key} \\
    -d '{{"model": "auto", "stream": true,
         "messages": [{{"role": "user", "content": "Why is the sky blue?"}}]}}'
"""


def _show(record: DecisionRecord) -> None:
    """Print one line about a request, for the person at the terminal."""
    signals = record.signals
    model = record.attempts[-1].model if record.attempts else "-"
    rule = record.chosen.rule if record.chosen else "-"
    cost = "" if record.cost_usd is None else f"  ${record.cost_usd:.6f}"
    total = record.timings_ms.get("total")
    took = "" if total is None else f"  {total:.0f} ms"
    sys.stdout.write(
        f"{record.outcome:<8} {signals.category} {signals.confidence:.2f}"
        f"  difficulty {signals.difficulty:.2f}  {rule} -> {model}{took}{cost}  {record.id}\n"
    )
    sys.stdout.flush()
