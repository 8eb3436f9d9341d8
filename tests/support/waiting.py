"""Wait for what nothing announces."""

import asyncio
from collections.abc import Callable


async def until(condition: Callable[[], object], *, within_s: float = 5) -> None:
    """Return once the condition holds. Raises TimeoutError."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 (what is waited for has no event)
            await asyncio.sleep(0.005)
