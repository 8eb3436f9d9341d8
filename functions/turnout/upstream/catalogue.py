"""The upstreams Turnout knows by name: where they are, and which variable holds their key.

This is the allow-list of hosts: a policy names an upstream and never an address.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal
from urllib.parse import urlsplit

from turnout.chat import Caller
from turnout.errors import ConfigurationError
from turnout.upstream.addresses import may_be_called

Protocol = Literal["openai", "anthropic", "bedrock"]
"""What an upstream speaks: OpenAI's chat completions, Anthropic's messages, or Bedrock's Converse."""
_SCHEMES: Final[Mapping[str, Protocol]] = {"anthropic+": "anthropic", "bedrock+": "bedrock"}
BEDROCK: Final = "bedrock"
BEDROCK_REGION: Final = "TURNOUT_BEDROCK_REGION"
CUSTOM_UPSTREAMS: Final = "TURNOUT_UPSTREAMS"
PRIVATE_UPSTREAMS: Final = "TURNOUT_PRIVATE_UPSTREAMS"
UPSTREAM_KEYS: Final = "x-turnout-upstream-keys"
"""The header in which callers send keys of their own."""
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
_MAY_BE_REGION: Final = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
_SPEAK_ANTHROPIC: Final = frozenset({"anthropic"})


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where one upstream is. Its key is looked up among `keys` at each call, so that a rotated one is
    found, and is never shown. `wants_key`: without one it cannot be called. `private`: its name may
    resolve to an address of the own network."""

    name: str
    base_url: str
    keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    speaks: Protocol = "openai"
    wants_key: bool = False
    private: bool = False

    def url(self, path: str) -> str:
        """Return the address of a path under the base URL."""
        return self.base_url.rstrip("/") + path

    @property
    def host(self) -> str:
        """The name, or literal address, to connect to."""
        return urlsplit(self.base_url).hostname or ""

    @property
    def is_configured(self) -> bool:
        """Whether every caller may be served."""
        return not self.wants_key or bool(self.keys.get(key_variable(self.name)))

    def serves(self, caller: Caller) -> bool:
        """Tell whether this caller may be served."""
        return not self.wants_key or self.key_for(caller) is not None

    def key_for(self, caller: Caller) -> str | None:
        """Return the key to call with: one that the caller brings, its tenant's own, or everyone's.

        A tenant's own is kept as `TENANT/OPENAI_API_KEY`. None: there is none.
        """
        variable = key_variable(self.name)
        return (
            caller.upstream_keys.get(self.name)
            or self.keys.get(f"{caller.tenant}/{variable}")
            or self.keys.get(variable)
            or None
        )


def key_variable(name: str) -> str:
    """Return the environment variable that holds an upstream's key."""
    return f"{name.upper().replace('-', '_')}_API_KEY"


def known_upstreams(environ: Mapping[str, str]) -> frozenset[str]:
    """Return the names that a policy may use, whether their keys are at hand here or not."""
    listed = {entry.partition("=")[0].strip() for entry in _entries(environ, CUSTOM_UPSTREAMS)}
    return frozenset({*KNOWN, "ollama", BEDROCK, *listed} - {""})


def read_endpoints(environ: Mapping[str, str]) -> dict[str, Endpoint]:
    """Return the upstreams by name: the known ones, and those that the environment adds.

    A known one needs a key (`OPENAI_API_KEY`) and may have another address (`OPENAI_BASE_URL`).
    Others are listed in TURNOUT_UPSTREAMS as `name=url,name=url`, their keys optional; a url may begin
    with `anthropic+` or `bedrock+` for one that speaks as they do. TURNOUT_BEDROCK_REGION adds Amazon
    Bedrock in that region, which is called with the credentials of the process. Those named in
    TURNOUT_PRIVATE_UPSTREAMS may be in the own network. Raises ConfigurationError for an entry that
    cannot be read.
    """
    endpoints = [*_known(environ), *_bedrock(environ), *_listed(environ)]
    private = _entries(environ, PRIVATE_UPSTREAMS)
    if unknown := set(private) - known_upstreams(environ):
        raise ConfigurationError(f"{PRIVATE_UPSTREAMS}: there is no upstream {min(unknown)!r}")
    return {each.name: replace(each, private=each.name in private) for each in endpoints}


def _known(environ: Mapping[str, str]) -> Iterator[Endpoint]:
    for name, usual in KNOWN.items():
        variable = f"{name.upper()}_BASE_URL"
        url = environ.get(variable, usual)
        if not _may_be_url(url):
            raise ConfigurationError(f"{variable}: cannot read {url!r}; write https://host/v1")
        yield Endpoint(name, url, environ, _protocol(name), wants_key=True)


def _bedrock(environ: Mapping[str, str]) -> Iterator[Endpoint]:
    region = environ.get(BEDROCK_REGION)
    if not region:
        return
    if not _MAY_BE_REGION.fullmatch(region):
        raise ConfigurationError(f"{BEDROCK_REGION}: cannot read {region!r}; write eu-central-1")
    url = f"https://bedrock-runtime.{region}.amazonaws.com"
    yield Endpoint(BEDROCK, url, environ, BEDROCK)


def _listed(environ: Mapping[str, str]) -> Iterator[Endpoint]:
    for entry in _entries(environ, CUSTOM_UPSTREAMS):
        name, _, url = entry.partition("=")
        speaks, url = spoken_at(url)
        if not name or not _may_be_url(url):
            raise ConfigurationError(
                f"{CUSTOM_UPSTREAMS}: cannot read {entry!r}; write name=https://host/v1, ..."
            )
        yield Endpoint(name, url, environ, speaks)


def spoken_at(url: str) -> tuple[Protocol, str]:
    """Return what is spoken at a listed url, and the url itself."""
    for scheme, speaks in _SCHEMES.items():
        if url.startswith(scheme):
            return speaks, url.removeprefix(scheme)
    return "openai", url


def _may_be_url(url: str) -> bool:
    """Tell whether an upstream may be there; a literal address is as good as said to be private."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return False
    try:
        return may_be_called(parts.hostname, inside=True)
    except ValueError:
        return True


def _entries(environ: Mapping[str, str], variable: str) -> list[str]:
    return [entry for part in environ.get(variable, "").split(",") if (entry := part.strip())]


def _protocol(name: str) -> Protocol:
    return "anthropic" if name in _SPEAK_ANTHROPIC else "openai"
