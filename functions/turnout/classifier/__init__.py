"""The classifier: what kind of work a prompt is and how hard, from an ONNX model in a folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from turnout.errors import ClassifierError

MOST_TOKENS: Final = 128
UNKNOWN_TOKEN: Final = 3
MOST_CHARACTERS: Final = 3_000
"""Read of a text, half from its head and half from its tail: instructions often stand at the end."""
CONTEXT_CHARACTERS: Final = 400
STANDS_ALONE_BYTES: Final = 100
"""A turn this long says itself what it wants; what came before would rather mislead about it."""
CONTEXT_SHARE: Final = 0.7
"""How much of a shorter turn's classification is made in the light of what came before it."""


@dataclass(frozen=True, slots=True)
class Classification:
    """What a text is: `categories` maps every label to its probability, summing to 1."""

    categories: Mapping[str, float]
    category: str
    confidence: float
    difficulty: float


class Classifier:
    """A loaded model. Deterministic, single-threaded, safe to call again and again."""

    def __init__(self, session: Any, tokenizer: Any, labels: tuple[str, ...], version: str) -> None:
        self._session = session
        self._tokenizer = tokenizer
        self.labels = labels
        self.version = version

    @classmethod
    def load(cls, directory: Path) -> Classifier:
        """Load `model.onnx` and `tokenizer.json`. Raises ClassifierError."""
        try:
            import onnxruntime
            from tokenizers import Tokenizer

            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = options.inter_op_num_threads = 1
            options.log_severity_level = 3
            session = onnxruntime.InferenceSession(
                str(directory / "model.onnx"), options, providers=["CPUExecutionProvider"]
            )
            tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
            metadata = session.get_modelmeta().custom_metadata_map
            return cls(
                session, tokenizer, tuple(json.loads(metadata["labels"])), metadata["version"]
            )
        except Exception as error:  # onnxruntime and tokenizers raise their own, unrelated kinds
            raise ClassifierError(f"cannot load the classifier in {directory}: {error}") from error

    def classify(self, text: str, context: str = "") -> Classification:
        """Classify the last user turn in the light of what came before. Raises ClassifierError."""
        try:
            probabilities, difficulty = self._run(text)
            if context and len(text.encode("utf-8", "replace")) < STANDS_ALONE_BYTES:
                joined, joined_difficulty = self._run(join(text, context))
                probabilities = _blend(probabilities, joined)
                difficulty = _blend(difficulty, joined_difficulty)
            categories = dict(zip(self.labels, map(float, probabilities[0]), strict=True))
            category = max(categories, key=categories.__getitem__)
            return Classification(
                categories, category, categories[category], float(difficulty[0][0])
            )
        except Exception as error:
            raise ClassifierError(f"cannot classify: {error}") from error

    def _run(self, text: str) -> tuple[Any, Any]:
        """Return (probabilities, shape (1, labels); difficulty, shape (1, 1)) of the text."""
        ids = encode(self._tokenizer, _ends(text, MOST_CHARACTERS))
        probabilities, difficulty = self._session.run(None, {"ids": [ids]})
        return probabilities, difficulty


def _blend(alone: Any, joined: Any) -> Any:
    return (1 - CONTEXT_SHARE) * alone + CONTEXT_SHARE * joined


def join(text: str, context: str) -> str:
    """Return the text that is read: a little of the context, then the text, each by head and tail."""
    text = _ends(text, MOST_CHARACTERS)
    return f"{_ends(context, CONTEXT_CHARACTERS)}\n{text}" if context else text


def _ends(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most // 2]}\n{text[-most // 2 :]}"


def encode(tokenizer: Any, text: str) -> list[int]:
    """Return the ids that the model reads, in training as in serving: 1 to MOST_TOKENS of them."""
    # A lone surrogate cannot be encoded; a question mark stands in for it.
    ids: list[int] = tokenizer.encode(
        text.encode("utf-8", "replace").decode(), add_special_tokens=False
    ).ids
    if len(ids) > MOST_TOKENS:
        ids = ids[: MOST_TOKENS // 2] + ids[-MOST_TOKENS // 2 :]
    return ids or [UNKNOWN_TOKEN]
