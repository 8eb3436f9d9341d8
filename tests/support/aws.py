"""AWS on loopback: a table, a secret and a key in it, served by moto in a process of its own."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import boto3

from support.tables import CREDENTIALS, REGION, TABLE, create_table, dynamodb_client
from support.waiting import listening
from turnout.store import Keys
from turnout.store.dynamodb import DynamoTable


@asynccontextmanager
async def running_aws(
    secret: Mapping[str, str], *, bind: str = "127.0.0.1", seen_as: str = "127.0.0.1"
) -> AsyncIterator[dict[str, str]]:
    """Yield the environment of a function that uses it, and the key of a caller under KEY.

    `seen_as` is the address of this machine where the function runs.
    """
    with socket.create_server((bind, 0)) as free:
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "moto.server", "-H", bind, "-p", str(port),
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        await listening(port)
        key = await _furnish(f"http://127.0.0.1:{port}", secret)
        yield {"KEY": key, **_environ(f"http://{seen_as}:{port}")}
    finally:
        process.kill()
        await process.wait()


async def _furnish(endpoint: str, secret: Mapping[str, str]) -> str:
    dynamodb = dynamodb_client(endpoint)
    await asyncio.to_thread(create_table, dynamodb)
    secrets = boto3.client(
        "secretsmanager", endpoint_url=endpoint, region_name=REGION, **CREDENTIALS
    )
    await asyncio.to_thread(
        secrets.create_secret, Name="upstream-keys", SecretString=json.dumps(secret)
    )
    table = DynamoTable(TABLE, dynamodb)
    key = await Keys(table).create("acme")
    secrets.close()
    await table.close()
    return key


def _environ(endpoint: str) -> dict[str, str]:
    return {
        "TURNOUT_TABLE": TABLE,
        "TURNOUT_TABLE_ENDPOINT": endpoint,
        "TURNOUT_SECRET": "upstream-keys",
        "AWS_ENDPOINT_URL_SECRETS_MANAGER": endpoint,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        **{name.upper(): value for name, value in CREDENTIALS.items()},
    }
