"""Settings in Lambda: safe by default, looser under `sam local` alone."""

import json

import boto3
import pytest
from moto import mock_aws

from turnout.chat import Caller
from turnout.deployed import deployed_endpoints, deployed_settings
from turnout.errors import ConfigurationError
from turnout.telemetry import Telemetry

DEPLOYED = {"TURNOUT_TABLE": "table"}
SAM_LOCAL = {"AWS_SAM_LOCAL": "true"}


def test_a_stack_asks_for_keys_and_has_no_demo() -> None:
    settings = deployed_settings(DEPLOYED)
    assert (settings.access, settings.demo, settings.admin) == ("keys", False, False)


def test_without_a_table_nothing_starts() -> None:
    with pytest.raises(ConfigurationError, match="TURNOUT_TABLE"):
        deployed_settings({"TURNOUT_TABLE": ""})


@pytest.mark.parametrize("access", ["open", "none", ""])
def test_no_variable_opens_a_stack_to_everyone(access: str) -> None:
    with pytest.raises(ConfigurationError, match="TURNOUT_ACCESS"):
        deployed_settings({**DEPLOYED, "TURNOUT_ACCESS": access})


def test_aws_identities_may_take_the_place_of_keys() -> None:
    assert deployed_settings({**DEPLOYED, "TURNOUT_ACCESS": "iam"}).access == "iam"


def test_sam_local_needs_neither_table_nor_key() -> None:
    settings = deployed_settings({**SAM_LOCAL, "TURNOUT_TABLE": "", "TURNOUT_ACCESS": "open"})
    assert (settings.table, settings.access, settings.demo) == (None, "open", True)


@pytest.mark.parametrize("size", ["", "0", "-1", "many"])
def test_a_size_that_is_none_is_refused(size: str) -> None:
    with pytest.raises(ConfigurationError, match="TURNOUT_MAX_BODY_BYTES"):
        deployed_settings({**DEPLOYED, "TURNOUT_MAX_BODY_BYTES": size})


def test_a_tenants_own_key_is_kept_in_the_secret_beside_everyones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    members = {
        "OPENAI_API_KEY": "sk-all",
        "acme/OPENAI_API_KEY": "sk-acme",
        "acme/GROQ_API_KEY": "g",
    }
    with mock_aws():
        secrets = boto3.client("secretsmanager", region_name="eu-central-1")
        secrets.create_secret(Name="keys", SecretString=json.dumps(members))
        endpoints = deployed_endpoints({"TURNOUT_SECRET": "keys"}, Telemetry(service="deployed"))
    acme, other = Caller("acme", "k1"), Caller("other", "k2")
    assert endpoints["openai"].key_for(acme) == "sk-acme"
    assert endpoints["openai"].key_for(other) == "sk-all"
    assert endpoints["groq"].serves(acme)
    assert not endpoints["groq"].serves(other)
    assert "sk-acme" not in repr(endpoints)


def test_without_a_secret_upstreams_need_no_key() -> None:
    environ = {"TURNOUT_SECRET": "", "TURNOUT_UPSTREAMS": "vllm=http://10.0.0.5:8000/v1"}
    endpoints = deployed_endpoints(environ, Telemetry(service="deployed"))
    assert [name for name, each in endpoints.items() if each.is_configured] == ["vllm"]
