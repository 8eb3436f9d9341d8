"""Cold starts, measured: from the process's start to the first routed chat answered, and its memory.

    make bench-cold

Four ways of starting the same function, one after the other, several rounds, each process on one core:

- eager: as `sam build` packs it by default, without bytecode, and everything imported at the start
- eager, compiled: the same with bytecode
- as built: `make build`'s package, without its bytecode
- as deployed: `make build`'s package

The table and the secret are moto's, the upstream is the tests' mock; the event is a chat completion.
`--docker` runs "as deployed" in Lambda's image too.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.aws import running_aws
from support.lambda_standin import proxy_event, running_standin
from support.mock_upstream import running_mock_upstream

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / ".aws-sam" / "build"
IMAGE = "public.ecr.aws/lambda/python:3.13-x86_64"
EAGER = """import boto3, aiohttp, numpy, onnxruntime, tokenizers, yaml
import aws_lambda_powertools.utilities.parameters, aws_lambda_powertools.event_handler
import turnout.store.dynamodb, turnout.store.sqlite, turnout.upstream.openai_compatible
import fastapi.openapi.utils
boto3.resource("dynamodb"); boto3.client("secretsmanager")
from router import app, handler
"""


@dataclass
class Way:
    """One way of starting the function."""

    name: str
    package: Path
    inference: Path
    handler: str = "router.handler"
    docker: bool = False


@dataclass
class Start:
    """One start. Times in milliseconds from the process's start, memory in megabytes."""

    ready: float
    first: float
    memory: float


def ways(folder: Path, python: str, *, docker: bool) -> list[Way]:
    deployed = Way("as deployed", BUILD / "RouterFunction", BUILD / "InferenceLayer" / "python")
    built = Way("as built, no bytecode", folder / "built", folder / "built-inference")
    shutil.copytree(deployed.package, built.package)
    shutil.copytree(deployed.inference, built.inference)
    eager = Way("eager, no bytecode", folder / "eager", folder / "eager-inference", "eager.handler")
    for out, requirements in (
        (eager.package, ROOT / "functions" / "requirements.txt"),
        (eager.inference, ROOT / "layers" / "inference" / "requirements.txt"),
    ):
        command = [python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile"]
        command += ["--root-user-action=ignore", "--disable-pip-version-check"]
        subprocess.run([*command, f"--target={out}", "-r", requirements], check=True)
    shutil.copytree(ROOT / "functions", eager.package, dirs_exist_ok=True)
    (eager.package / "eager.py").write_text(EAGER)
    for way in (built, eager):
        for cache in [*way.package.rglob("__pycache__"), *way.inference.rglob("__pycache__")]:
            shutil.rmtree(cache)
    compiled = Way("eager", folder / "compiled", folder / "compiled-inference", "eager.handler")
    shutil.copytree(eager.package, compiled.package)
    shutil.copytree(eager.inference, compiled.inference)
    command = [python, "-m", "compileall", "-q", "-q", "--invalidation-mode=unchecked-hash"]
    subprocess.run([*command, compiled.package, compiled.inference], check=False)
    found = [eager, compiled, built, deployed]
    if docker:
        image = Way("as deployed, in the image", deployed.package, deployed.inference, docker=True)
        found.append(image)
    return found


async def start(way: Way, python: str, environ: dict[str, str], body: dict[str, Any]) -> Start:
    """Start the function once and time it."""
    key = environ.pop("KEY")
    async with running_standin() as standin:
        headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        event = proxy_event("POST", "/v1/chat/completions", headers, json.dumps(body).encode())
        invocation = standin.invoke(event)
        environ = {
            **environ,
            "AWS_LAMBDA_RUNTIME_API": standin.api,
            "_HANDLER": way.handler,
            "PYTHONDONTWRITEBYTECODE": "1",
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }
        began = time.perf_counter()
        process = await asyncio.create_subprocess_exec(
            *_command(way, python, environ),
            env={"PATH": os.environ["PATH"]} if way.docker else _outside(way, environ),
            stdout=asyncio.subprocess.DEVNULL,
        )
        head = await asyncio.wait_for(invocation.head, 60)
        ready = standin.asked_at
        first = time.perf_counter()
        if head["statusCode"] != 200:
            raise SystemExit(f"{way.name}: {head} {await invocation.body()!r}")
        await invocation.body()
        memory = 0.0 if way.docker else _most_memory_mb(process.pid)
        process.terminate()
        await process.wait()
    return Start((ready - began) * 1000, (first - began) * 1000, memory)


def _most_memory_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1000


def _outside(way: Way, environ: dict[str, str]) -> dict[str, str]:
    return {
        **environ,
        "PATH": os.environ["PATH"],
        "LAMBDA_TASK_ROOT": str(way.package),
        "PYTHONPATH": str(way.inference),
        "TURNOUT_CLASSIFIER": str(ROOT / "layers" / "classifier"),
    }


def _command(way: Way, python: str, environ: dict[str, str]) -> list[str]:
    if not way.docker:
        return ["taskset", "-c", "1", str(way.package / "bootstrap-streaming"), python]
    settings = [f"--env={name}={value}" for name, value in environ.items()]
    mounts = [
        f"--volume={way.package}:/var/task:ro",
        f"--volume={way.inference.parent}:/opt:ro",
        f"--volume={ROOT / 'layers' / 'classifier'}:/classifier:ro",
        "--env=TURNOUT_CLASSIFIER=/classifier",
        "--env=LAMBDA_TASK_ROOT=/var/task",
        "--entrypoint=/var/task/bootstrap-streaming",
    ]
    run = ["docker", "run", "--rm", "--network=host", "--cpuset-cpus=1"]
    return [*run, *settings, *mounts, IMAGE, "/var/lang/bin/python3.13"]


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--python", default="python3.13", help="A Python 3.13.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--docker", action="store_true")
    options = parser.parse_args()
    python = shutil.which(options.python) or options.python
    body = {"model": "auto", "messages": [{"role": "user", "content": "Sort a list in Python."}]}
    with tempfile.TemporaryDirectory() as folder:
        found = ways(Path(folder), python, docker=options.docker)
        starts: dict[str, list[Start]] = {way.name: [] for way in found}
        async with running_mock_upstream() as mock, running_aws({"OPENAI_API_KEY": "sk-x"}) as aws:
            environ = {**aws, "TURNOUT_UPSTREAMS": f"anthropic={mock.url}, openai={mock.url}"}
            for _ in range(options.rounds):
                for way in found:
                    starts[way.name].append(await start(way, python, dict(environ), body))
    print(f"{'':28}{'ready':>10}{'first chat':>12}{'peak memory':>13}")
    for name, measured in starts.items():
        ready = statistics.median(each.ready for each in measured)
        first = statistics.median(each.first for each in measured)
        memory = statistics.median(each.memory for each in measured)
        print(f"{name:28}{ready:>7.0f} ms{first:>9.0f} ms{memory:>10.0f} MB")


if __name__ == "__main__":
    asyncio.run(main())
