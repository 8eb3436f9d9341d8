"""The table in DynamoDB, through boto3: the deployed store."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pydantic_core import to_json

from turnout.errors import ConditionFailed, StoreError
from turnout.store.table import Item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

_Answer = TypeVar("_Answer")
_Attributes = Mapping[str, Any]

# `pk` and `sk` are the table's keys, `ttl` its time-to-live attribute; a counter is an attribute of
# its own, so that DynamoDB itself adds to it.
_COUNTER: Final = "n_"
_LIVE: Final = "(attribute_not_exists(#ttl) OR #ttl > :now)"
_RACES: Final = 5
"""How often a write is tried again when another writer renews the same expired item meanwhile."""


def client(endpoint: str | None = None) -> DynamoDBClient:
    """Return boto3's client, at AWS's own address or another. Retries and waits are short: callers wait."""
    import boto3
    from botocore.config import Config

    config = Config(
        connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3}
    )
    made: DynamoDBClient = boto3.client("dynamodb", endpoint_url=endpoint, config=config)
    return made


class DynamoTable:
    """A table in DynamoDB. boto3 blocks, so each call runs in a thread."""

    def __init__(self, name: str, client: DynamoDBClient) -> None:
        self._name = name
        self._client = client

    async def get(self, partition: str, sort: str) -> Item | None:
        attributes = await self._read(partition, sort)
        item = _item(attributes) if attributes else None
        return item if item and _is_live(item.expires) else None

    async def put(self, item: Item, *, if_revision: int | None = None) -> int:
        document = {"S": to_json(item.document).decode()}
        assignments = ["document = :document"]
        values: dict[str, Any] = {":document": document}
        fresh: dict[str, Any] = {"document": document}
        removal = " REMOVE #ttl"
        if item.expires is not None:
            fresh["ttl"] = values[":ttl"] = {"N": str(item.expires)}
            assignments.append("#ttl = :ttl")
            removal = ""
        condition = ""
        if if_revision == 0:
            condition = "attribute_not_exists(revision)"
        elif if_revision is not None:
            condition = "revision = :wanted"
            values[":wanted"] = {"N": str(if_revision)}
        written = await self._write(
            item.partition,
            item.sort,
            assignments,
            values,
            condition=condition,
            removal=removal,
            fresh=None if if_revision else fresh,
        )
        return int(written["revision"]["N"])

    async def query(
        self, partition: str, *, limit: int, descending: bool = False, after: str | None = None
    ) -> list[Item]:
        items: list[Item] = []
        start: dict[str, Any] = {}
        if after is not None:
            start = {"ExclusiveStartKey": _key(partition, after)}
        while len(items) < limit:
            page = await self._query_page(partition, limit, descending, start)
            items.extend(item for item in map(_item, page["Items"]) if _is_live(item.expires))
            if "LastEvaluatedKey" not in page:
                break
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
        return items[:limit]

    async def add(
        self,
        partition: str,
        sort: str,
        counter: str,
        amount: int,
        *,
        at_most: int | None = None,
        expires: int | None = None,
    ) -> int:
        name = _COUNTER + counter
        assignments = ["#counter = if_not_exists(#counter, :zero) + :amount"]
        values = {":amount": {"N": str(amount)}, ":empty": {"S": "{}"}}
        assignments.append("document = if_not_exists(document, :empty)")
        fresh: dict[str, Any] | None = {name: values[":amount"], "document": values[":empty"]}
        condition = ""
        if at_most is not None:
            values[":room"] = {"N": str(at_most - amount)}
            condition = "#counter <= :room"
            if amount <= at_most:
                condition = f"(attribute_not_exists(#counter) OR {condition})"
            else:
                fresh = None
        if expires is not None:
            values[":ttl"] = {"N": str(expires)}
            assignments.append("#ttl = :ttl")
            if fresh:
                fresh["ttl"] = values[":ttl"]
        names = {"#counter": name}
        written = await self._write(
            partition, sort, assignments, values, condition=condition, fresh=fresh, names=names
        )
        return int(written[name]["N"])

    async def delete(self, partition: str, sort: str) -> None:
        await self._call(
            lambda: self._client.delete_item(TableName=self._name, Key=_key(partition, sort))
        )

    async def close(self) -> None:
        await asyncio.to_thread(self._client.close)

    async def _read(self, partition: str, sort: str) -> _Attributes | None:
        answer = await self._call(
            lambda: self._client.get_item(
                TableName=self._name, Key=_key(partition, sort), ConsistentRead=True
            )
        )
        return answer.get("Item")

    async def _query_page(
        self, partition: str, limit: int, descending: bool, start: Mapping[str, Any]
    ) -> Any:
        return await self._call(
            lambda: self._client.query(
                TableName=self._name,
                KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues={":pk": {"S": partition}},
                ScanIndexForward=not descending,
                ConsistentRead=True,
                Limit=limit,
                **start,
            )
        )

    async def _write(
        self,
        partition: str,
        sort: str,
        assignments: list[str],
        values: Mapping[str, Any],
        *,
        condition: str,
        fresh: _Attributes | None,
        removal: str = "",
        names: Mapping[str, str] | None = None,
    ) -> _Attributes:
        """Update a live or absent item under `condition`, and return all its attributes.

        An expired item that DynamoDB has not deleted yet counts as absent: it is replaced by `fresh`
        (None: the condition cannot hold for an absent item), unless another writer got there first.
        """
        update: dict[str, Any] = {
            "TableName": self._name,
            "Key": _key(partition, sort),
            "UpdateExpression": "SET "
            + ", ".join([*assignments, "revision = if_not_exists(revision, :zero) + :one"])
            + removal,
            "ConditionExpression": f"{_LIVE} AND {condition}" if condition else _LIVE,
            "ExpressionAttributeNames": {"#ttl": "ttl", **(names or {})},
            "ReturnValues": "ALL_NEW",
        }
        failed_alive = False
        for _ in range(_RACES):
            now = {":now": {"N": str(int(time.time()))}, ":zero": {"N": "0"}, ":one": {"N": "1"}}
            update["ExpressionAttributeValues"] = {**values, **now}
            try:
                answer = await self._call(lambda: self._client.update_item(**update))
                return answer["Attributes"]
            except ConditionFailed:
                stored = await self._read(partition, sort)
                if stored is None or _is_live(_item(stored).expires):
                    # It may have been expired at the write, and replaced by another before the read.
                    if failed_alive:
                        raise
                    failed_alive = True
                    continue
                if fresh is None:
                    raise
            try:
                return await self._replace(stored, fresh)
            except ConditionFailed:
                continue
        raise StoreError(f"{partition}/{sort} is written by too many at once")

    async def _replace(self, stored: _Attributes, fresh: _Attributes) -> _Attributes:
        revision = int(stored["revision"]["N"])
        item = {
            "pk": stored["pk"],
            "sk": stored["sk"],
            "revision": {"N": str(revision + 1)},
            **fresh,
        }
        await self._call(
            lambda: self._client.put_item(
                TableName=self._name,
                Item=item,
                ConditionExpression="revision = :seen",
                ExpressionAttributeValues={":seen": {"N": str(revision)}},
            )
        )
        return item

    async def _call(self, call: Callable[[], _Answer]) -> _Answer:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return await asyncio.to_thread(call)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                raise ConditionFailed("the stored item is in another state") from error
            raise StoreError(f"DynamoDB: {error}") from error
        except BotoCoreError as error:
            raise StoreError(f"DynamoDB: {error}") from error


def _key(partition: str, sort: str) -> dict[str, Any]:
    return {"pk": {"S": partition}, "sk": {"S": sort}}


def _item(attributes: _Attributes) -> Item:
    return Item(
        partition=attributes["pk"]["S"],
        sort=attributes["sk"]["S"],
        document=json.loads(attributes["document"]["S"]),
        counters={
            name.removeprefix(_COUNTER): int(value["N"])
            for name, value in attributes.items()
            if name.startswith(_COUNTER)
        },
        revision=int(attributes["revision"]["N"]),
        expires=int(attributes["ttl"]["N"]) if "ttl" in attributes else None,
    )


def _is_live(expires: int | None) -> bool:
    return expires is None or expires > int(time.time())
