"""Sense: turn a request and its caller into signals, whatever state the classifier is in."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from turnout.chat import Caller, ChatRequest
from turnout.classifier import Classification, Classifier
from turnout.embeddings import EmbeddingsRequest
from turnout.errors import ClassifierError
from turnout.language import detect_language
from turnout.record import ClassifierRef
from turnout.signals import (
    EMBEDDINGS_CATEGORY,
    UNKNOWN_CATEGORY,
    Signals,
    estimate_input_tokens,
)

UNAVAILABLE: Final = ClassifierRef("unavailable")
NOT_ASKED: Final = ClassifierRef("not asked")
_EMBEDDED: Final = Classification(
    categories={}, category=EMBEDDINGS_CATEGORY, confidence=0.0, difficulty=0.0
)
_UNCLASSIFIED: Final = Classification(
    categories={}, category=UNKNOWN_CATEGORY, confidence=0.0, difficulty=0.5
)


class Sensor:
    """Reads signals off requests. A classifier that fails is reported and never fails a request."""

    def __init__(self, classifier: Classifier | None, warn: Callable[[str, str], None]) -> None:
        """`warn` is told (event, detail) when the classifier cannot be used."""
        self._classifier = classifier
        self._warn = warn

    @property
    def labels(self) -> tuple[str, ...]:
        """The categories that the classifier knows; none when there is no classifier."""
        return self._classifier.labels if self._classifier else ()

    @property
    def version(self) -> str:
        """The classifier's version, or `unavailable`."""
        return self._classifier.version if self._classifier else UNAVAILABLE.version

    def sense(
        self,
        request: ChatRequest | EmbeddingsRequest,
        caller: Caller,
        upstreams: tuple[str, ...],
        *,
        only_for: str = "",
        unable: tuple[str, ...] = (),
    ) -> tuple[Signals, ClassifierRef]:
        """Return the signals, and which classifier gave them."""
        if isinstance(request, EmbeddingsRequest):
            told, classifier, read = _EMBEDDED, NOT_ASKED, _of_embeddings(request)
        else:
            (told, classifier), read = self._classify(request), _of_chat(request)
        signals = Signals(
            category=told.category,
            confidence=round(told.confidence, 4),
            categories={name: round(p, 4) for name, p in told.categories.items()},
            difficulty=round(told.difficulty, 4),
            needs=tuple(sorted(request.needs)),
            model=request.model,
            tenant=caller.tenant,
            group=caller.group,
            key=caller.key,
            approved_models=caller.models,
            metadata=request.metadata,
            upstreams=upstreams,
            at=round(time.time(), 3),
            only_for=only_for,
            unable=unable,
            **read,
        )
        return signals, classifier

    def _classify(self, request: ChatRequest) -> tuple[Classification, ClassifierRef]:
        if self._classifier is None:
            return _UNCLASSIFIED, UNAVAILABLE
        try:
            told = self._classifier.classify(request.prompt, request.context)
        except ClassifierError as error:
            self._warn("classifier_failed", str(error))
            return _UNCLASSIFIED, UNAVAILABLE
        return told, ClassifierRef(self._classifier.version)


def _of_chat(request: ChatRequest) -> dict[str, Any]:
    return {
        "input_tokens": estimate_input_tokens(request),
        "language": detect_language(request.prompt),
        "max_output_tokens": request.max_output_tokens,
    }


def _of_embeddings(request: EmbeddingsRequest) -> dict[str, Any]:
    return {
        "input_tokens": request.input_tokens,
        "language": detect_language(request.text),
        "largest_input_tokens": request.largest_input_tokens,
    }
