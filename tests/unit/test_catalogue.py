"""Which upstreams the environment configures."""

import pytest

from turnout.errors import ConfigurationError
from turnout.upstream import configured_endpoints


def test_a_known_upstream_needs_only_its_key() -> None:
    endpoints = configured_endpoints({"OPENAI_API_KEY": "sk-1", "GROQ_API_KEY": ""})
    assert list(endpoints) == ["openai"]
    assert endpoints["openai"].base_url == "https://api.openai.com/v1"
    assert endpoints["openai"].key == "sk-1"


def test_a_known_upstream_may_be_elsewhere() -> None:
    environ = {"OPENAI_API_KEY": "sk-1", "OPENAI_BASE_URL": "http://proxy/v1"}
    assert configured_endpoints(environ)["openai"].base_url == "http://proxy/v1"


def test_others_are_listed_by_name_and_address_their_keys_optional() -> None:
    endpoints = configured_endpoints(
        {
            "TURNOUT_UPSTREAMS": "vllm=http://10.0.0.5:8000/v1, my-llm=https://llm.example/v1,",
            "MY_LLM_API_KEY": "k",
        }
    )
    found = [(e.name, e.base_url, e.key) for e in endpoints.values()]
    assert found == [
        ("vllm", "http://10.0.0.5:8000/v1", None),
        ("my-llm", "https://llm.example/v1", "k"),
    ]


def test_a_key_that_is_changed_is_used_from_then_on() -> None:
    environ = {"OPENAI_API_KEY": "sk-1"}
    endpoint = configured_endpoints(environ)["openai"]
    environ["OPENAI_API_KEY"] = "sk-2"
    assert endpoint.key == "sk-2"


@pytest.mark.parametrize(
    "entry",
    [
        "vllm",
        "=http://x/v1",
        "vllm=ftp://x",
        "vllm=http://",
        "v=file:///x",
        "v=http://169.254.169.254",
    ],
)
def test_an_entry_that_cannot_be_read_is_told(entry: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot read"):
        configured_endpoints({"TURNOUT_UPSTREAMS": entry})


@pytest.mark.parametrize("url", ["api.example", "ftp://x", "http://[fe80::1]/v1"])
def test_another_address_that_cannot_be_called_is_told(url: str) -> None:
    with pytest.raises(ConfigurationError, match="OPENAI_BASE_URL"):
        configured_endpoints({"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": url})


def test_those_that_may_be_in_the_own_network_are_named() -> None:
    environ = {"OPENAI_API_KEY": "k", "TURNOUT_UPSTREAMS": "vllm=https://vllm.corp/v1"}
    endpoints = configured_endpoints(environ | {"TURNOUT_PRIVATE_UPSTREAMS": "vllm"})
    assert {e.name: e.private for e in endpoints.values()} == {"openai": False, "vllm": True}
    assert endpoints["vllm"].host == "vllm.corp"
    with pytest.raises(ConfigurationError, match="'vlm'"):
        configured_endpoints(environ | {"TURNOUT_PRIVATE_UPSTREAMS": "vlm"})


def test_a_key_is_not_shown_by_repr() -> None:
    assert "sk-1" not in repr(configured_endpoints({"OPENAI_API_KEY": "sk-1"}))


def test_who_speaks_anthropics_messages_is_told_by_name_or_address() -> None:
    endpoints = configured_endpoints(
        {
            "ANTHROPIC_API_KEY": "k",
            "OPENAI_API_KEY": "k",
            "TURNOUT_UPSTREAMS": "corp=anthropic+https://llm.example/v1,vllm=http://10.0.0.5/v1",
        }
    )
    assert {e.name: e.speaks for e in endpoints.values()} == {
        "anthropic": "anthropic",
        "openai": "openai",
        "corp": "anthropic",
        "vllm": "openai",
    }
    assert endpoints["corp"].url("/messages") == "https://llm.example/v1/messages"
