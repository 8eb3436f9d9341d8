"""When a call may be made again, and how long to wait before it."""

from __future__ import annotations

import random
from typing import Final

SHARE: Final = 0.19
"""How much of a retry each request earns: calls grow by a fifth at most, once there were a hundred."""
MOST_SAVED: Final = 10.0
LONGEST_WAIT_S: Final = 0.5
LONGEST_RETRY_AFTER_S: Final = 20.0


class RetryBudget:
    """What retries a process may make: saved up by requests, so that failing upstreams get no storm."""

    def __init__(self) -> None:
        self._saved = 1.0

    def earn(self) -> None:
        """Note a request."""
        self._saved = min(MOST_SAVED, self._saved + SHARE)

    def spend(self) -> bool:
        """Tell whether one retry may be made, and take it."""
        if self._saved < 1:
            return False
        self._saved -= 1
        return True


def wait_s(retry_after_s: float | None) -> float | None:
    """Return how long to wait before a retry, in seconds: as long as the upstream asks, else full jitter.

    None: it asks for longer than anybody would wait, so that there is no retry.
    """
    if retry_after_s is not None:
        return retry_after_s if retry_after_s <= LONGEST_RETRY_AFTER_S else None
    return random.uniform(0, LONGEST_WAIT_S)  # noqa: S311 (to spread calls, not to keep secrets)
