"""A real `turnout serve` process in a folder of its own."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from turnout.upstream.catalogue import KNOWN, key_variable


def clean_environment(folder: Path, **changes: str) -> dict[str, str]:
    """Return this environment without any provider's key, so that a test finds what it sets up."""
    keys = {key_variable(name) for name in KNOWN}
    environ = {name: value for name, value in os.environ.items() if name not in keys}
    # Nothing listens on port 9: an Ollama that happens to run here is not found.
    return environ | {"OLLAMA_BASE_URL": "http://127.0.0.1:9/v1", "HOME": str(folder)} | changes


@dataclass
class ServerProcess:
    """A running server: where it is, and what it printed when it started."""

    process: subprocess.Popen[str]
    url: str
    welcome: str

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and return the exit status once it has ended."""
        self.process.send_signal(how)
        code = self.process.wait(timeout=15)
        if self.process.stdout:
            self.process.stdout.close()
        return code


class Starter:
    """Starts servers in one folder, and stops those still running at the end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._servers: list[ServerProcess] = []

    def __call__(self, *arguments: str, **environ: str) -> ServerProcess:
        process = subprocess.Popen(
            [sys.executable, "-m", "turnout", "serve", "--port", "0", *arguments],
            cwd=self.folder,
            env=clean_environment(self.folder, **environ),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert process.stdout is not None
        lines: list[str] = []
        while "Try:\n" not in lines or lines[-1] != "\n":
            line = process.stdout.readline()
            assert line, f"the server ended: {''.join(lines)}"
            lines.append(line)
        welcome = "".join(lines)
        found = re.search(r"Turnout \S+ on http://\S+:(\d+)", welcome)
        assert found, welcome
        server = ServerProcess(process, f"http://127.0.0.1:{found[1]}", welcome)
        self._servers.append(server)
        return server

    def stop_all(self) -> None:
        for server in self._servers:
            if server.process.poll() is None:
                server.stop(signal.SIGKILL)
            elif server.process.stdout:
                server.process.stdout.close()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Starter]:
    starter = Starter(tmp_path)
    yield starter
    starter.stop_all()


@pytest.fixture
def turnout(tmp_path: Path) -> "CommandLine":
    return CommandLine(tmp_path)


@dataclass
class CommandLine:
    """Runs `turnout` in a folder."""

    folder: Path

    def __call__(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "turnout", *arguments],
            cwd=self.folder,
            env=clean_environment(self.folder),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
