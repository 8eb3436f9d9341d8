"""The upstreams Turnout knows by name: where they are, and which variable holds their key.

This is the allow-list of hosts: a policy names an upstream and never an address.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import urlsplit

from turnout.errors import ConfigurationError

Protocol = Literal["openai", "anthropic"]
"""What an upstream speaks: OpenAI's chat completions, or Anthropic's messages."""
ANTHROPIC_SCHEME: Final = "anthropic+"
CUSTOM_UPSTREAMS: Final = "TURNOUT_UPSTREAMS"
OLLAMA_URL: Final = "http://127.0.0.1:11434/v1"

KNOWN: Final[Mapping[str, str]] = {
    "openai": "https://api.openai.com/v1",
    "anthropic": "https://api.anthropic.com/v1",
    "gemini": "https://generativelanguage.googleapis.com/v1beta/openai",
    "groq": "https://api.groq.com/openai/v1",
    "mistral": "https://api.mistral.ai/v1",
    "deepseek": "https://api.deepseek.com/v1",
    "xai": "https://api.x.ai/v1",
    "together": "https://api.together.xyz/v1",
    "openrouter": "https://openrouter.ai/api/v1",
}
"""Base URLs of upstreams that need a key; `chat/completions` (Anthropic: `messages`) is appended to them."""
_SPEAK_ANTHROPIC: Final = frozenset({"anthropic"})


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where one upstream is. Its key is looked up among `keys` at each call, so that a rotated one is
    found, and is never shown."""

    name: str
    base_url: str
    keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    speaks: Protocol = "openai"

    def url(self, path: str) -> str:
        """Return the address of a path under the base URL."""
        return self.base_url.rstrip("/") + path

    @property
    def key(self) -> str | None:
        """The key to send, None where the upstream needs none."""
        return self.keys.get(key_variable(self.name)) or None


def key_variable(name: str) -> str:
    """Return the environment variable that holds an upstream's key."""
    return f"{name.upper().replace('-', '_')}_API_KEY"


def known_upstreams(environ: Mapping[str, str]) -> frozenset[str]:
    """Return the names that a policy may use, whether their keys are at hand here or not."""
    entries = environ.get(CUSTOM_UPSTREAMS, "").split(",")
    listed = {entry.partition("=")[0].strip() for entry in entries}
    return frozenset({*KNOWN, "ollama", *listed} - {""})


def configured_endpoints(environ: Mapping[str, str]) -> dict[str, Endpoint]:
    """Return the upstreams that the environment configures, by name.

    A known one needs its key (`OPENAI_API_KEY`) and may have another address (`OPENAI_BASE_URL`).
    Others are listed in TURNOUT_UPSTREAMS as `name=url,name=url`, their keys optional; a url may begin
    with `anthropic+` for one that speaks Anthropic's messages.
    Raises ConfigurationError for an entry that cannot be read.
    """
    endpoints = {
        name: Endpoint(name, environ.get(f"{name.upper()}_BASE_URL", url), environ, _protocol(name))
        for name, url in KNOWN.items()
        if environ.get(key_variable(name))
    }
    for entry in filter(None, map(str.strip, environ.get(CUSTOM_UPSTREAMS, "").split(","))):
        name, _, url = entry.partition("=")
        speaks: Protocol = "anthropic" if url.startswith(ANTHROPIC_SCHEME) else "openai"
        url = url.removeprefix(ANTHROPIC_SCHEME)
        if not name or urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
            raise ConfigurationError(
                f"{CUSTOM_UPSTREAMS}: cannot read {entry!r}; write name=https://host/v1, ..."
            )
        endpoints[name] = Endpoint(name, url, environ, speaks)
    return endpoints


def _protocol(name: str) -> Protocol:
    return "anthropic" if name in _SPEAK_ANTHROPIC else "openai"
