"""Wait for what nothing announces."""

import asyncio
from collections.abc import Callable


async def until(condition: Callable[[], object], *, within_s: float = 5) -> None:
    """Return once the condition holds. Raises TimeoutError."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 (what is waited for has no event)
            await asyncio.sleep(0.005)


async def listening(port: int, *, within_s: float = 30) -> None:
    """Return once something on this machine takes connections there. Raises TimeoutError."""
    async with asyncio.timeout(within_s):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
                continue
            writer.close()
            return
