"""Which models are worth trying now: a circuit breaker each, in the memory of one process."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from turnout.upstream.port import Target

CONSECUTIVE: Final = 5
"""Failures in a row that open a breaker."""
WINDOW: Final = 20
FAILURE_SHARE: Final = 0.5
"""The share of the last WINDOW calls whose failing opens a breaker."""
OPEN_S: Final = 30.0
"""How long an open breaker keeps a model behind the others before one call may probe it, in seconds."""


@dataclass(slots=True)
class _Breaker:
    recent: deque[bool] = field(default_factory=lambda: deque(maxlen=WINDOW))
    in_a_row: int = 0
    opened_at: float | None = None
    probing: bool = False

    def trips(self) -> bool:
        full = len(self.recent) == WINDOW
        rate = full and self.recent.count(False) >= FAILURE_SHARE * WINDOW
        return self.in_a_row >= CONSECUTIVE or rate


class Health:
    """Remembers how calls went. A model is never given up: it only goes behind those that are well."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._breakers: dict[str, _Breaker] = {}

    def ordered(self, targets: Sequence[Target]) -> list[Target]:
        """Return the targets in their order, those whose breaker is open behind the others.

        Where all are open the first alone is left: trying every one would only add to the load.
        """
        ordered = sorted(targets, key=self.is_shut_out)
        return ordered[:1] if ordered and self.is_shut_out(ordered[0]) else ordered

    def begin(self, target: Target) -> None:
        """Note a call to the target; of an open one it is the probe."""
        breaker = self._breakers.setdefault(target.model, _Breaker())
        breaker.probing = breaker.opened_at is not None

    def succeeded(self, target: Target) -> None:
        breaker = self._breakers[target.model]
        if breaker.opened_at is not None:
            self._breakers[target.model] = _Breaker()
            return
        breaker.recent.append(True)
        breaker.in_a_row = 0

    def failed(self, target: Target) -> None:
        breaker = self._breakers[target.model]
        breaker.recent.append(False)
        breaker.in_a_row += 1
        breaker.probing = False
        if breaker.opened_at is not None or breaker.trips():
            breaker.opened_at = self._clock()

    def left(self, target: Target) -> None:
        """Note a call that ended without telling anything of the target's health."""
        self._breakers[target.model].probing = False

    def is_shut_out(self, target: Target) -> bool:
        """Tell whether the target's breaker is open, and not to be probed now."""
        breaker = self._breakers.get(target.model)
        if breaker is None or breaker.opened_at is None:
            return False
        return breaker.probing or self._clock() - breaker.opened_at < OPEN_S
