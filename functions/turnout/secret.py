"""The upstreams' keys, from one JSON secret in AWS Secrets Manager that may be rotated meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from turnout.errors import ConfigurationError

FRESH_S: Final = 300.0
"""How long the secret is trusted without reading it again, in seconds."""


class Secret(Mapping[str, str]):
    """The secret's members: read at once, then again in a thread of its own, never on a request's way.

    When it cannot be read again, the last good members stay, and `warn` is told.
    """

    def __init__(
        self,
        read: Callable[[], Mapping[str, str]],
        warn: Callable[[str, str], None],
        *,
        fresh_s: float = FRESH_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raises ConfigurationError when the first reading fails."""
        self._read = read
        self._warn = warn
        self._fresh_s = fresh_s
        self._clock = clock
        self._reading = threading.Lock()
        self._members = read()
        self._read_at = clock()

    def __getitem__(self, name: str) -> str:
        if self._clock() - self._read_at > self._fresh_s and self._reading.acquire(blocking=False):
            threading.Thread(target=self._read_again, daemon=True).start()
        return self._members[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def __repr__(self) -> str:
        return f"<Secret with {', '.join(self._members)}>"

    def _read_again(self) -> None:
        try:
            self._members = self._read()
        except ConfigurationError as error:
            self._warn("secret_not_read", str(error))
        finally:
            self._read_at = self._clock()
            self._reading.release()


def read_secret(name: str, **client_settings: Any) -> dict[str, str]:
    """Return the members of the secret with this name or ARN. Raises ConfigurationError."""
    from aws_lambda_powertools.utilities.parameters import SecretsProvider
    from aws_lambda_powertools.utilities.parameters.exceptions import (
        GetParameterError,
        TransformParameterError,
    )
    from botocore.exceptions import BotoCoreError

    try:
        import boto3

        provider = SecretsProvider(boto3_client=boto3.client("secretsmanager", **client_settings))
        members = provider.get(name, transform="json", force_fetch=True)
    except TransformParameterError:
        # Its own message shows the secret.
        raise ConfigurationError(f"the secret {name} is no JSON") from None
    except (GetParameterError, BotoCoreError) as error:
        raise ConfigurationError(f"the secret {name} cannot be read: {error}") from None
    if not isinstance(members, dict) or not all(
        isinstance(value, str) for value in members.values()
    ):
        raise ConfigurationError(f"the secret {name} must be a JSON object of texts")
    return members
