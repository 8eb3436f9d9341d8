"""What leaves a request behind in the logs: one structured record and its EMF metrics."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any, Final, TextIO

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit
from pydantic_core import to_json

from turnout.record import DecisionRecord, to_wire

SERVICE: Final = "turnout"
NAMESPACE: Final = "Turnout"


class Telemetry:
    """Writes decision records, metrics and warnings as JSON lines to one stream."""

    def __init__(
        self,
        stream: TextIO | None = None,
        *,
        service: str = SERVICE,
        watch: Callable[[DecisionRecord], None] | None = None,
    ) -> None:
        """`stream` is standard output by default, which CloudWatch reads; `watch` sees every record.

        Powertools keeps one logger a service name in a process: two streams need two names.
        """
        self._service = service
        self._stream = stream or sys.stdout
        self._watch = watch
        self._logger = Logger(
            service=service,
            level="INFO",
            logger_handler=logging.StreamHandler(self._stream),
            use_rfc3339=True,
            json_serializer=_json,
            location=None,
        )

    def record(self, record: DecisionRecord) -> None:
        """Write the record and its metrics."""
        self._logger.info("decision", decision=to_wire(record))
        self._stream.write(_json(_fill(self._metrics(), record, self._service)) + "\n")
        if self._watch:
            self._watch(record)

    def warn(self, event: str, detail: str) -> None:
        """Write a warning and count it, so that an alarm can be set on it."""
        self._logger.warning(event, detail=detail)
        metrics = self._metrics()
        metrics.add_dimensions(service=self._service, event=event)
        metrics.add_metric("Warnings", MetricUnit.Count, 1)
        self._stream.write(_json(metrics.serialize_metric_set()) + "\n")

    def _metrics(self) -> EphemeralMetrics:
        return EphemeralMetrics(namespace=NAMESPACE, service=self._service)


def _json(value: object) -> str:
    return to_json(value, fallback=str).decode()


def _fill(metrics: EphemeralMetrics, record: DecisionRecord, service: str) -> dict[str, Any]:
    """Return the EMF object: of the service, by category, and by model; the rest to search by."""
    metrics.add_dimensions(service=service, category=record.signals.category)
    metrics.add_dimensions(service=service, model=record.answered_by)
    metrics.add_metadata("decision_id", record.id)
    metrics.add_metadata("outcome", record.outcome)
    metrics.add_metric("Requests", MetricUnit.Count, 1)
    metrics.add_metric("Fallbacks", MetricUnit.Count, max(0, len(record.attempts) - 1))
    failed_calls = sum(1 for attempt in record.attempts if attempt.error is not None)
    metrics.add_metric("UpstreamErrors", MetricUnit.Count, failed_calls)
    metrics.add_metric("Errors", MetricUnit.Count, int(record.has_failed))
    metrics.add_metric("Latency", MetricUnit.Milliseconds, record.timings_ms.get("total", 0.0))
    if record.policy_age_s is not None:
        metrics.add_metric("PolicyAge", MetricUnit.Seconds, record.policy_age_s)
    if record.ttfb_ms is not None:
        metrics.add_metric("TimeToFirstByte", MetricUnit.Milliseconds, record.ttfb_ms)
    if record.usage:
        metrics.add_metric("InputTokens", MetricUnit.Count, record.usage.input_tokens)
        metrics.add_metric("OutputTokens", MetricUnit.Count, record.usage.output_tokens)
    if record.cost_usd is not None:
        metrics.add_metric("CostUSD", MetricUnit.NoUnit, record.cost_usd)
    return dict(metrics.serialize_metric_set())
