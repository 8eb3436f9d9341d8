"""The upstreams' keys from a secret: read at once, renewed behind the requests' back, never shown."""

import threading
from collections.abc import Mapping

import boto3
import pytest
from moto import mock_aws

from turnout.errors import ConfigurationError
from turnout.secret import Secret, read_secret

REGION = {"region_name": "eu-central-1"}


class Source:
    """A secret that is read so often as it is asked for, from whatever `members` is then."""

    def __init__(self) -> None:
        self.members: Mapping[str, str] | None = {"OPENAI_API_KEY": "sk-1"}
        self.read_again = threading.Event()
        self.answers = threading.Event()
        self.answers.set()
        self.now = 0.0
        self.warnings: list[str] = []

    def read(self) -> Mapping[str, str]:
        if self.now:
            self.read_again.set()
            self.answers.wait(2)
        if self.members is None:
            raise ConfigurationError("not today")
        return self.members

    def secret(self) -> Secret:
        return Secret(
            self.read, lambda event, _: self.warnings.append(event), clock=lambda: self.now
        )


def _settled() -> None:
    """Wait for the threads that read."""
    for thread in threading.enumerate():
        if thread.daemon and thread is not threading.current_thread():
            thread.join(2)


def test_a_fresh_secret_is_not_read_again() -> None:
    source = Source()
    secret = source.secret()
    source.members, source.now = {"OPENAI_API_KEY": "sk-2"}, 299
    assert secret["OPENAI_API_KEY"] == "sk-1"
    assert not source.read_again.is_set()


def test_a_rotated_key_is_found_without_a_request_waiting_for_it() -> None:
    source = Source()
    secret = source.secret()
    source.members, source.now = {"OPENAI_API_KEY": "sk-2"}, 301
    source.answers.clear()
    assert secret["OPENAI_API_KEY"] == "sk-1"
    assert source.read_again.wait(2)
    source.answers.set()
    _settled()
    assert secret["OPENAI_API_KEY"] == "sk-2"


def test_a_secret_that_cannot_be_read_again_stays_as_it_was_with_a_warning() -> None:
    source = Source()
    secret = source.secret()
    source.members, source.now = None, 301
    assert secret["OPENAI_API_KEY"] == "sk-1"
    assert source.read_again.wait(2)
    _settled()
    assert secret["OPENAI_API_KEY"] == "sk-1"
    assert source.warnings == ["secret_not_read"]


def test_a_secret_that_cannot_be_read_at_first_is_an_error() -> None:
    source = Source()
    source.members = None
    with pytest.raises(ConfigurationError):
        source.secret()


def test_its_values_are_not_shown() -> None:
    assert "sk-1" not in repr(Source().secret())


@mock_aws
def test_it_is_read_from_secrets_manager() -> None:
    client = boto3.client("secretsmanager", **REGION)
    client.create_secret(Name="keys", SecretString='{"OPENAI_API_KEY": "sk-1"}')
    assert read_secret("keys", **REGION) == {"OPENAI_API_KEY": "sk-1"}


@mock_aws
@pytest.mark.parametrize(
    ("value", "why"),
    [("not json sk-1", "is no JSON"), ('["sk-1"]', "JSON object"), ('{"A": 1}', "JSON object")],
)
def test_one_of_another_shape_is_refused_without_showing_it(value: str, why: str) -> None:
    boto3.client("secretsmanager", **REGION).create_secret(Name="keys", SecretString=value)
    with pytest.raises(ConfigurationError, match=why) as caught:
        read_secret("keys", **REGION)
    assert "sk-1" not in str(caught.value)


@mock_aws
def test_a_missing_one_is_named() -> None:
    with pytest.raises(ConfigurationError, match="no-such-secret cannot be read"):
        read_secret("no-such-secret", **REGION)
