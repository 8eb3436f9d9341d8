"""The catalogue of well-known models: context, prices and capabilities that a policy need not write out.

It is made at build time (infra/catalogue). What a policy says itself always stands; what is filled in
becomes part of the version that is pushed, so that later prices change no version.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from turnout.errors import PolicyError, Problem

FILE: Final = Path(__file__).parent / "models.json"
_KNOWN_FACTS: Final = ("context", "usd_per_mtok", "can")


@dataclass(frozen=True, slots=True)
class KnownModels:
    """The models by `upstream/id`; `as_of` is the day of their prices."""

    as_of: str
    source: str
    models: Mapping[str, Mapping[str, Any]]

    def fill_in(self, document: object) -> object:
        """Return the policy document with what it leaves out of well-known models.

        A model may be only its name, `upstream/id`. Raises PolicyError for a name that is not known.
        """
        models = document.get("models") if isinstance(document, dict) else None
        if not isinstance(document, dict) or not isinstance(models, dict):
            return document
        return {
            **document,
            "models": {name: self._whole(name, told) for name, told in models.items()},
        }

    def _whole(self, name: object, told: object) -> object:
        if isinstance(told, str):
            if told not in self.models:
                raise PolicyError([Problem(f"models.{name}", self._unknown(told))])
            upstream, _, model_id = told.partition("/")
            return {"upstream": upstream, "id": model_id, **self.models[told]}
        if not isinstance(told, dict) or all(fact in told for fact in _KNOWN_FACTS):
            return told
        known = self.models.get(f"{told.get('upstream')}/{told.get('id')}", {})
        return {**told, **{fact: known[fact] for fact in known if fact not in told}}

    def _unknown(self, name: str) -> str:
        close = difflib.get_close_matches(name, self.models, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        return (
            f"no {name!r} in the catalogue of {self.as_of} ({self.source}){hint}"
            " Or write out its upstream, id, context and usd_per_mtok"
        )


@cache
def known_models(path: Path = FILE) -> KnownModels:
    """Return the catalogue; an empty one where it was not built."""
    try:
        made = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return KnownModels("never", "no catalogue was built", {})
    return KnownModels(made["as_of"], made["source"], made["models"])
