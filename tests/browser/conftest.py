"""A real Chromium in front of a real `turnout serve` process."""

import json
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from e2e.conftest import CommandLine, ServerProcess, Starter

from support.mock_upstream import MockUpstream, running_mock_upstream
from support.policies import document, model

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page, Route

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
AXE = Path(__file__).parents[1] / "node" / "node_modules" / "axe-core" / "axe.min.js"
DEADLINE_MS = 30_000
"""How long a condition is waited for: a machine that is busy with other things is slow, not wrong."""
PHONE = {"viewport": {"width": 320, "height": 640}, "has_touch": True, "is_mobile": True}


@pytest.fixture(scope="session")
def chromium() -> str:
    """The Chromium to drive: the one named in the environment, or the system's."""
    pytest.importorskip(
        "playwright.async_api", reason="playwright is not installed: pip install playwright"
    )
    names = ("chromium", "chromium-browser", "google-chrome")
    places = [os.environ.get("TURNOUT_CHROMIUM"), "/usr/bin/chromium", *map(shutil.which, names)]
    found = next((place for place in places if place and Path(place).exists()), None)
    return found or pytest.skip("no Chromium is found; name one in TURNOUT_CHROMIUM")


@pytest.fixture
async def browser(chromium: str) -> "AsyncIterator[Browser]":
    from playwright.async_api import async_playwright

    async with async_playwright() as driver:
        running = await driver.chromium.launch(executable_path=chromium, args=FLAGS)
        yield running
        await running.close()


@pytest.fixture
def serve(chromium: str, tmp_path: Path) -> Iterator[Starter]:
    starter = Starter(tmp_path)
    yield starter
    starter.stop_all()


@pytest.fixture(scope="session")
def demo(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server without any provider, for the tests that leave it as it is."""
    starter = Starter(tmp_path_factory.mktemp("demo"))
    yield starter()
    starter.stop_all()


@pytest.fixture
def turnout(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path)


@dataclass
class Playground:
    """An open playground, and what its console complained of."""

    page: "Page"
    url: str
    complaints: list[str] = field(default_factory=list)

    async def ask(self, prompt: str) -> None:
        """Send a prompt by keyboard, and do not wait for its reply."""
        await self.page.get_by_role("textbox", name="Prompt", exact=True).fill(prompt)
        await self.page.keyboard.press("Enter")

    async def answered(self) -> None:
        """Wait until every reply of the last turn has ended and its finished record is shown."""
        runs = self.page.locator(".turn:last-child .run")
        for run in await runs.all():
            await run.locator(".outcome").wait_for()


async def _answered(answer: Any, route: "Route") -> None:
    if isinstance(answer, int):
        await route.fulfill(status=answer, json={"error": {"message": "not this time"}})
    else:
        await route.fulfill(json=answer)


Opener = Callable[..., Awaitable[Playground]]


@pytest.fixture
async def open_address(browser: "Browser") -> Opener:
    """Open a page at its address; options are those of a Playwright context.

    `answers` are given in the server's place: JSON by a pattern of the URL, or a status.
    """

    async def open_at(
        address: str, answers: dict[str, Any] | None = None, **options: Any
    ) -> Playground:
        context = await browser.new_context(**options)
        context.set_default_timeout(DEADLINE_MS)
        page = await context.new_page()
        opened = Playground(page, address)
        page.on(
            "console",
            lambda message: (
                opened.complaints.append(message.text)
                if message.type in ("error", "warning")
                else None
            ),
        )
        page.on("pageerror", lambda error: opened.complaints.append(str(error)))
        for pattern, answer in (answers or {}).items():
            await page.route(pattern, partial(_answered, answer))
        await page.goto(address)
        return opened

    return open_at


@pytest.fixture
def open_playground(open_address: Opener) -> Opener:
    """Open a page of a server, as `open_address` does."""

    async def open_at(server: ServerProcess, path: str = "/", **options: Any) -> Playground:
        return await open_address(server.url + path, **options)

    return open_at


@pytest.fixture
async def mock() -> AsyncIterator[MockUpstream]:
    async with running_mock_upstream() as upstream:
        yield upstream


@pytest.fixture
def axe() -> str:
    if not AXE.exists():
        pytest.skip("axe-core is not installed; `make test` does it where there is npm")
    return AXE.read_text(encoding="utf-8")


def routed_to(mock: MockUpstream, folder: Path, *ids: str, **more: Any) -> dict[str, str]:
    """Return the environment of a server whose only policy tries these models of the mock in order.

    `more` is what else the policy says.
    """
    models = {f"m{i}": model(id=id_) for i, id_ in enumerate(ids)}
    policy = document(models=models, default={"use": ["m0"], "fallback": list(models)[1:]}, **more)
    policies = folder / "policies"
    policies.mkdir()
    (policies / "default.yaml").write_text(json.dumps(policy))
    return {"TURNOUT_POLICIES": str(policies), "TURNOUT_UPSTREAMS": f"mock={mock.url}"}


def expect(locator: Any) -> Any:
    from playwright.async_api import expect

    expect.set_options(timeout=DEADLINE_MS)
    return expect(locator)


async def tab_to(page: "Page", name: str, *, back: bool = False) -> None:
    """Press Tab until the element of this name, or beginning with it, has the focus and shows it."""
    for _ in range(60):
        await page.keyboard.press("Shift+Tab" if back else "Tab")
        told = await page.evaluate(
            "(e => e.getAttribute('aria-label') || e.labels?.[0]?.textContent.trim()"
            " || e.textContent.trim())(document.activeElement)"
        )
        if told.startswith(name):
            assert await page.evaluate("document.activeElement.matches(':focus-visible')")
            return
    raise AssertionError(f"{name} is not reached by Tab")


async def serious_faults(page: "Page", axe: str) -> list[str]:
    """Return what axe-core finds serious or critical on the page as it stands."""
    await page.evaluate(axe)
    found = await page.evaluate("axe.run(document)")
    return [
        f"{violation['id']}: {node['target']}"
        for violation in found["violations"]
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]
