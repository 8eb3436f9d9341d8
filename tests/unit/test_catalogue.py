"""Which upstreams the environment configures."""

from dataclasses import replace

import pytest

from turnout.chat import Caller
from turnout.errors import ConfigurationError
from turnout.upstream import read_endpoints

ACME = Caller("acme", "key")


def test_a_known_upstream_needs_only_its_key() -> None:
    endpoints = read_endpoints({"OPENAI_API_KEY": "sk-1", "GROQ_API_KEY": ""})
    assert [name for name, endpoint in endpoints.items() if endpoint.is_configured] == ["openai"]
    assert endpoints["openai"].base_url == "https://api.openai.com/v1"
    assert endpoints["openai"].key_for(ACME) == "sk-1"


def test_a_known_upstream_may_be_elsewhere() -> None:
    environ = {"OPENAI_API_KEY": "sk-1", "OPENAI_BASE_URL": "http://proxy/v1"}
    assert read_endpoints(environ)["openai"].base_url == "http://proxy/v1"


def test_others_are_listed_by_name_and_address_their_keys_optional() -> None:
    endpoints = read_endpoints(
        {
            "TURNOUT_UPSTREAMS": "vllm=http://10.0.0.5:8000/v1, my-llm=https://llm.example/v1,",
            "MY_LLM_API_KEY": "k",
        }
    )
    found = [(e.name, e.base_url, e.key_for(ACME)) for e in endpoints.values() if e.is_configured]
    assert found == [
        ("vllm", "http://10.0.0.5:8000/v1", None),
        ("my-llm", "https://llm.example/v1", "k"),
    ]


def test_a_callers_key_goes_before_its_tenants_and_that_before_everyones() -> None:
    keys = {"OPENAI_API_KEY": "everyone's", "acme/OPENAI_API_KEY": "acme's"}
    endpoint = read_endpoints(keys)["openai"]
    assert endpoint.key_for(Caller("other", "k")) == "everyone's"
    assert endpoint.key_for(ACME) == "acme's"
    assert endpoint.key_for(replace(ACME, upstream_keys={"openai": "its own"})) == "its own"


def test_an_upstream_that_wants_a_key_serves_those_alone_for_whom_there_is_one() -> None:
    endpoint = read_endpoints({"acme/GROQ_API_KEY": "acme's"})["groq"]
    assert not endpoint.is_configured
    assert endpoint.serves(ACME)
    assert not endpoint.serves(Caller("other", "k"))
    assert endpoint.serves(Caller("other", "k", upstream_keys={"groq": "its own"}))


def test_a_key_that_is_added_is_found_without_a_restart() -> None:
    environ: dict[str, str] = {}
    endpoint = read_endpoints(environ)["openai"]
    assert not endpoint.is_configured
    environ["OPENAI_API_KEY"] = "sk-1"
    assert endpoint.is_configured


def test_a_key_that_is_changed_is_used_from_then_on() -> None:
    environ = {"OPENAI_API_KEY": "sk-1"}
    endpoint = read_endpoints(environ)["openai"]
    environ["OPENAI_API_KEY"] = "sk-2"
    assert endpoint.key_for(ACME) == "sk-2"


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
        read_endpoints({"TURNOUT_UPSTREAMS": entry})


@pytest.mark.parametrize("url", ["api.example", "ftp://x", "http://[fe80::1]/v1"])
def test_another_address_that_cannot_be_called_is_told(url: str) -> None:
    with pytest.raises(ConfigurationError, match="OPENAI_BASE_URL"):
        read_endpoints({"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": url})


def test_those_that_may_be_in_the_own_network_are_named() -> None:
    environ = {"OPENAI_API_KEY": "k", "TURNOUT_UPSTREAMS": "vllm=https://vllm.corp/v1"}
    endpoints = read_endpoints(environ | {"TURNOUT_PRIVATE_UPSTREAMS": "vllm"})
    assert [e.name for e in endpoints.values() if e.private] == ["vllm"]
    assert endpoints["vllm"].host == "vllm.corp"
    with pytest.raises(ConfigurationError, match="'vlm'"):
        read_endpoints(environ | {"TURNOUT_PRIVATE_UPSTREAMS": "vlm"})


def test_a_key_is_not_shown_by_repr() -> None:
    assert "sk-1" not in repr(read_endpoints({"OPENAI_API_KEY": "sk-1"}))


def test_who_speaks_anthropics_messages_is_told_by_name_or_address() -> None:
    endpoints = read_endpoints(
        {
            "ANTHROPIC_API_KEY": "k",
            "OPENAI_API_KEY": "k",
            "TURNOUT_UPSTREAMS": "corp=anthropic+https://llm.example/v1,vllm=http://10.0.0.5/v1",
        }
    )
    assert {e.name: e.speaks for e in endpoints.values() if e.is_configured} == {
        "anthropic": "anthropic",
        "openai": "openai",
        "corp": "anthropic",
        "vllm": "openai",
    }
    assert endpoints["corp"].url("/messages") == "https://llm.example/v1/messages"


def test_bedrock_is_there_where_its_region_is_named_and_wants_no_key() -> None:
    assert "bedrock" not in read_endpoints({})
    endpoint = read_endpoints({"TURNOUT_BEDROCK_REGION": "eu-central-1"})["bedrock"]
    assert endpoint.base_url == "https://bedrock-runtime.eu-central-1.amazonaws.com"
    assert (endpoint.speaks, endpoint.is_configured) == ("bedrock", True)


def test_another_bedrock_is_listed_by_its_address() -> None:
    listed = "us=bedrock+https://bedrock-runtime.us-east-1.amazonaws.com"
    endpoint = read_endpoints({"TURNOUT_UPSTREAMS": listed})["us"]
    assert (endpoint.speaks, endpoint.host) == (
        "bedrock",
        "bedrock-runtime.us-east-1.amazonaws.com",
    )


@pytest.mark.parametrize("region", ["Frankfurt", "eu-central-1.example.com/", "eu_central_1"])
def test_a_region_that_is_none_is_refused(region: str) -> None:
    with pytest.raises(ConfigurationError, match="TURNOUT_BEDROCK_REGION"):
        read_endpoints({"TURNOUT_BEDROCK_REGION": region})
