"""The errors Turnout raises; `turnout.api.errors` alone turns them into wire errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from turnout.attempt import Attempt


class TurnoutError(Exception):
    """Anything Turnout can explain to its caller; `str(error)` is safe to show.

    `decision_id` is set where a decision was made before the error.
    """

    decision_id: str | None = None


class InvalidRequest(TurnoutError):
    """The caller sent something that cannot be served as it stands."""

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


class PayloadTooLarge(InvalidRequest):
    """The body is over the configured size."""


class UnsupportedMediaType(InvalidRequest):
    """The body is not declared as JSON."""


class Unauthenticated(TurnoutError):
    """No key, or one that is not known."""


class Forbidden(TurnoutError):
    """A known caller who may not do this."""


class NotFound(TurnoutError):
    """A decision that is not on record, or not the caller's."""


class Conflict(TurnoutError):
    """What the caller wants to change is not in the state that they took it for."""


class UnknownModel(TurnoutError):
    """Neither `auto`, nor a policy, nor a model of the catalogue."""


class NoEligibleModel(TurnoutError):
    """The policy leaves no model that may answer this request; the message says why."""


class UpstreamFailed(TurnoutError):
    """Every attempt failed before any content; `status` is the last upstream's, if it had one."""

    def __init__(self, message: str, *, status: int | None, attempts: Sequence[Attempt]) -> None:
        super().__init__(message)
        self.status = status
        self.attempts = tuple(attempts)


class UpstreamTimeout(UpstreamFailed):
    """The last attempt gave nothing within the policy's `timeout_s`."""


class UpstreamBroke(TurnoutError):
    """The upstream failed after content had gone out: the reply cannot be completed or restarted."""


class ClientGone(TurnoutError):
    """The caller left before the reply began; nobody reads this."""


class ClassifierError(TurnoutError):
    """The model is missing, corrupt, or failed on this text. Never fails a request."""


class StoreError(TurnoutError):
    """The table could not be read or written."""


class ConditionFailed(StoreError):
    """A conditional write met another state than the one it named."""


class ConfigurationError(TurnoutError):
    """The environment or a command-line option cannot be used; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a policy: where, as a dotted path, and what. `line` is its file's, from 1."""

    path: str
    message: str
    line: int | None = None

    def __str__(self) -> str:
        told = f"{self.path}: {self.message}" if self.path else self.message
        return f"line {self.line}, {told}" if self.line else told


class PolicyError(TurnoutError):
    """A policy document that cannot be used, with every problem found in it."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(str(problem) for problem in problems))
        self.problems = tuple(problems)
