"""The built stack: `sam build` once, and `sam local` on top of it. Needs Docker and the SAM CLI."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENVIRON = {
    **os.environ,
    "SAM_CLI_TELEMETRY": "0",
    "DOCKER_BUILDKIT": "0",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(item.path).is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.sam_local)


@pytest.fixture(scope="session")
def sam() -> str:
    """The SAM CLI, once the stack is built."""
    found = shutil.which("sam") or str(ROOT / ".venv-sam" / "bin" / "sam")
    if not Path(found).exists():
        pytest.skip("no SAM CLI; `make .venv-sam` installs one")
    if subprocess.run(["docker", "info"], capture_output=True, check=False).returncode:
        pytest.skip("no Docker engine answers")
    subprocess.run([found, "build"], cwd=ROOT, env=ENVIRON, check=True)
    return found
