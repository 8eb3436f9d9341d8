"""Puts the parts together: from settings to an app that serves."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from fastapi import FastAPI

from turnout.api import ControlPlane, create_admin_app, create_app
from turnout.api.app import MOST_BODY_BYTES
from turnout.api.auth import Authenticator, KeyAuthenticator, iam_access, open_access
from turnout.classifier import Classifier
from turnout.errors import ClassifierError, ConfigurationError
from turnout.policy_book import PolicyBook
from turnout.policy_desk import PolicyDesk
from turnout.policy_file import read_policies
from turnout.sensing import Sensor
from turnout.service import Router
from turnout.signals import DEMO_UPSTREAM
from turnout.store import Decisions, Feedbacks, Keys, Policies, Table
from turnout.telemetry import Telemetry
from turnout.upstream import (
    Anthropic,
    Bedrock,
    Connections,
    DemoUpstream,
    Endpoint,
    OpenAICompatible,
    Upstream,
    Upstreams,
)

DEFAULT_POLICY = "default"
Access = Literal["keys", "iam", "open"]


@dataclass(frozen=True, slots=True)
class Settings:
    """How one process is set up.

    `table` names a DynamoDB table, at `table_endpoint` if that is not AWS's own; without a table the
    store is a file. `access`: Turnout's keys, AWS's (checked by API Gateway), or none.
    """

    classifier: Path
    policies: Path
    store: Path
    table: str | None = None
    table_endpoint: str | None = None
    access: Access = "keys"
    most_body_bytes: int = MOST_BODY_BYTES
    demo: bool = False
    admin: bool = False
    playground: bool = False
    known_upstreams: frozenset[str] = frozenset()


def load_classifier(folder: Path, telemetry: Telemetry) -> Classifier | None:
    """Return the classifier, or None with a warning: without one the policy's default serves."""
    try:
        return Classifier.load(folder)
    except ClassifierError as error:
        telemetry.warn("classifier_unavailable", str(error))
        return None


def open_table(settings: Settings) -> Table:
    """Return the store: DynamoDB where a table is named, else the SQLite file. Raises StoreError."""
    if settings.table:
        from turnout.store.dynamodb import DynamoTable, client

        return DynamoTable(settings.table, client(settings.table_endpoint))
    from turnout.store.sqlite import SqliteTable

    return SqliteTable(settings.store)


def build_upstreams(endpoints: Mapping[str, Endpoint], *, demo: bool) -> Upstreams:
    """Return the upstreams at these endpoints; the demo upstream alone where there is none."""
    private = {endpoint.host for endpoint in endpoints.values() if endpoint.private}
    connections = Connections({"localhost", *private})
    speakers: Mapping[str, Callable[[Endpoint, Connections], Upstream]] = {
        "openai": OpenAICompatible,
        "anthropic": Anthropic,
        "bedrock": Bedrock,
    }
    by_name: dict[str, Upstream] = {
        name: speakers[endpoint.speaks](endpoint, connections)
        for name, endpoint in endpoints.items()
    }
    if demo and not any(endpoint.is_configured for endpoint in endpoints.values()):
        by_name[DEMO_UPSTREAM] = DemoUpstream()
    return Upstreams(by_name)


def build_router(
    settings: Settings, table: Table, endpoints: Mapping[str, Endpoint], telemetry: Telemetry
) -> Router:
    """Return the router. Raises ConfigurationError when a policy cannot be used."""
    sensor = Sensor(load_classifier(settings.classifier, telemetry), telemetry.warn)
    policies = read_policies(settings.policies, categories=sensor.labels or None)
    if DEFAULT_POLICY not in policies:
        raise ConfigurationError(f"no {DEFAULT_POLICY}.yaml in {settings.policies}")
    upstreams = build_upstreams(endpoints, demo=settings.demo)
    book = PolicyBook(
        policies, Policies(table), categories=sensor.labels or None, warn=telemetry.warn
    )
    return Router(
        book, DEFAULT_POLICY, sensor, upstreams, Decisions(table), telemetry, Feedbacks(table)
    )


def build_app(
    settings: Settings, endpoints: Mapping[str, Endpoint], telemetry: Telemetry
) -> FastAPI:
    """Return the app. Raises ConfigurationError or StoreError when it could not serve."""
    table = open_table(settings)
    router = build_router(settings, table, endpoints, telemetry)
    plane = _control_plane(table, lambda: router.sensor.labels or None, settings.known_upstreams)

    async def shut_down() -> None:
        await router.upstreams.close()
        await table.close()

    return create_app(
        router,
        _authenticator(settings.access, plane.keys),
        plane=plane if settings.admin else None,
        shows_playground=settings.playground,
        most_body_bytes=settings.most_body_bytes,
        on_shutdown=shut_down,
    )


def build_admin_app(settings: Settings) -> FastAPI:
    """Return the app of the control plane alone. Raises StoreError when it could not serve."""
    table = open_table(settings)
    plane = _control_plane(
        table, lambda: _categories(settings.classifier), settings.known_upstreams
    )
    access = _authenticator(settings.access, plane.keys)
    return create_admin_app(plane, access, on_shutdown=table.close)


def open_desk(settings: Settings, table: Table) -> PolicyDesk:
    """Return the desk of the command line."""
    return _control_plane(
        table, lambda: _categories(settings.classifier), settings.known_upstreams
    ).desk


def _control_plane(
    table: Table,
    categories: Callable[[], Collection[str] | None],
    upstreams: Collection[str],
) -> ControlPlane:
    desk = PolicyDesk(Policies(table), categories=categories, upstreams=upstreams)
    return ControlPlane(Keys(table), desk)


@cache
def _categories(folder: Path) -> tuple[str, ...] | None:
    """Return what the classifier knows; None, which leaves names unchecked, where it cannot be loaded."""
    try:
        return Classifier.load(folder).labels
    except ClassifierError:
        return None


def _authenticator(access: Access, keys: Keys) -> Authenticator:
    if access == "open":
        return open_access
    return iam_access if access == "iam" else KeyAuthenticator(keys)
