"""A real Chromium in front of a real `turnout serve` process."""

import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from e2e.conftest import CommandLine, ServerProcess, Starter

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


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


Opener = Callable[..., Awaitable[Playground]]


@pytest.fixture
async def open_playground(browser: "Browser") -> Opener:
    """Open the playground of a server; options are those of a Playwright context."""

    async def open_at(server: ServerProcess, path: str = "/", **options: Any) -> Playground:
        context = await browser.new_context(**options)
        context.set_default_timeout(10_000)
        page = await context.new_page()
        playground = Playground(page, server.url)
        page.on(
            "console",
            lambda message: (
                playground.complaints.append(message.text)
                if message.type in ("error", "warning")
                else None
            ),
        )
        page.on("pageerror", lambda error: playground.complaints.append(str(error)))
        await page.goto(playground.url + path)
        return playground

    return open_at
