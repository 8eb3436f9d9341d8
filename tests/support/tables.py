"""DynamoDB as moto's server plays it, with one table that is keyed as template.yaml keys it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

TABLE = "turnout"
REGION = "eu-central-1"
CREDENTIALS = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}


@contextmanager
def moto_dynamodb() -> Iterator[Any]:
    """Yield a client of a moto server that has the table."""
    app = DomainDispatcherApplication(create_backend_app)
    # One thread: moto, unlike DynamoDB, does not make single writes atomic.
    server = make_server("127.0.0.1", 0, app, threaded=False)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    client = dynamodb_client(f"http://127.0.0.1:{server.port}")
    create_table(client)
    yield client
    client.close()
    server.shutdown()
    serving.join()
    server.server_close()


def dynamodb_client(endpoint: str) -> Any:
    return boto3.client("dynamodb", endpoint_url=endpoint, region_name=REGION, **CREDENTIALS)


def create_table(client: Any) -> None:
    client.create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "S"},
        ],
        KeySchema=[
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
    )


def empty_table(client: Any) -> None:
    for item in client.scan(TableName=TABLE)["Items"]:
        client.delete_item(TableName=TABLE, Key={"pk": item["pk"], "sk": item["sk"]})
