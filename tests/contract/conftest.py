"""The tables that must do alike: SQLite in a file, and DynamoDB as moto's server and dynalite play it."""

import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from support.tables import TABLE, create_table, dynamodb_client, empty_table, moto_dynamodb
from turnout.store import Table
from turnout.store.dynamodb import DynamoTable
from turnout.store.sqlite import SqliteTable

NODE_MODULES = Path(__file__).parents[1] / "node" / "node_modules"
START_S = 20.0


@pytest.fixture(scope="session")
def dynamodb() -> Iterator[Any]:
    with moto_dynamodb() as client:
        yield client


@pytest.fixture(scope="session")
def dynalite() -> Iterator[Any]:
    command = NODE_MODULES / "dynalite" / "cli.js"
    if not (shutil.which("node") and command.exists()):
        pytest.skip("dynalite is not installed; `make test` does it where there is npm")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        ["node", str(command), "--port", str(port), "--createTableMs", "0"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    client = dynamodb_client(f"http://127.0.0.1:{port}")
    deadline = time.monotonic() + START_S
    while True:
        try:
            create_table(client)
            client.get_waiter("table_exists").wait(TableName=TABLE, WaiterConfig={"Delay": 1})
            break
        except (EndpointConnectionError, ClientError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
    yield client
    client.close()
    process.terminate()
    process.wait()


@pytest.fixture(params=["sqlite", "dynamodb", "dynalite"])
async def table(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Table]:
    if request.param == "sqlite":
        sqlite = SqliteTable(tmp_path / "turnout.db")
        yield sqlite
        await sqlite.close()
        return
    client = request.getfixturevalue(request.param)
    empty_table(client)
    yield DynamoTable(TABLE, client)
    empty_table(client)
