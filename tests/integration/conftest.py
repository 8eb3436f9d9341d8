"""A mock upstream and a Turnout in front of it, both on loopback sockets."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from support.mock_upstream import MockUpstream, running_mock_upstream
from support.policies import active, document, model
from support.servers import RunningTurnout, running_turnout

StartTurnout = Callable[..., AbstractAsyncContextManager[RunningTurnout]]


@pytest.fixture
async def mock() -> AsyncIterator[MockUpstream]:
    async with running_mock_upstream() as upstream:
        yield upstream


@pytest.fixture
def start(mock: MockUpstream, tmp_path: Path) -> StartTurnout:
    """Start a Turnout whose default route tries the mock's models of these names in order."""

    def start(
        *model_ids: str,
        limits: dict[str, Any] | None = None,
        choice: dict[str, Any] | None = None,
        **options: Any,
    ) -> Any:
        names = [f"m{i}" for i in range(len(model_ids))]
        models = {name: model(id=id_) for name, id_ in zip(names, model_ids, strict=True)}
        policy = document(
            models=models,
            default={"use": [names[0]], "fallback": names[1:], **(choice or {})},
            limits=limits or {},
            **options.pop("policy", {}),
        )
        return running_turnout({"test": active(policy)}, {"mock": mock.url}, tmp_path, **options)

    return start


@pytest.fixture
async def turnout(start: StartTurnout) -> AsyncIterator[RunningTurnout]:
    """A Turnout whose only model is the mock's `ok`."""
    async with start("ok") as running:
        yield running
