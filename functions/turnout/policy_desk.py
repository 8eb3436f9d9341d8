"""Where administrators work on policies: what is pushed or activated is checked first."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from turnout.errors import InvalidRequest
from turnout.known_models import known_models
from turnout.policy import Policy
from turnout.policy_check import parse_policy
from turnout.store import Head, Policies

_NAME: Final = "abcdefghijklmnopqrstuvwxyz0123456789-_"


class PolicyDesk:
    """Checks, pushes and activates. Raises PolicyError, Conflict, NotFound, StoreError."""

    def __init__(
        self,
        policies: Policies,
        *,
        categories: Callable[[], Collection[str] | None],
        upstreams: Collection[str],
    ) -> None:
        """`categories` is asked when a policy is checked: it may have to load the classifier."""
        self.policies = policies
        self._categories = categories
        self._upstreams = upstreams

    async def push(self, name: str, document: Mapping[str, Any], *, by: str, why: str) -> int:
        """Check the document, keep it as the next version, and return its number."""
        if not name or set(name.lower()) - set(_NAME):
            raise InvalidRequest(
                f"{name!r}: name a policy by letters, digits, - and _", param="name"
            )
        policy = self.check(known_models().fill_in(document))
        whole = policy.model_dump(mode="json", exclude_defaults=True)
        return await self.policies.push(name, whole, by=by, why=why)

    async def activate(
        self, name: str, number: int, *, expected: int | None, by: str, why: str, percent: float
    ) -> Head:
        """Check the version by what is configured now, and point at it for `percent` of the traffic."""
        if not 0 < percent <= 100:
            raise InvalidRequest("percent must be over 0 and at most 100", param="percent")
        version = await self.policies.version(name, number)
        self.check(version.document)
        return await self.policies.activate(
            name, number, expected=expected, by=by, why=why, percent=percent
        )

    def check(self, document: object) -> Policy:
        """Return the policy. Raises PolicyError with everything that keeps it from being used."""
        return parse_policy(document, categories=self._categories(), upstreams=self._upstreams)
