"""A policy's document: read, with everything that is wrong with its shape, and its JSON Schema."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator
from typing import Any

from pydantic import ValidationError

from turnout.errors import PolicyError, Problem
from turnout.policy import Limits, Model, Objective, Policy, Price, Recording, Route, Share, When


def read_document(document: object) -> Policy:
    """Return the policy that `document` (parsed YAML or JSON) describes, its names unchecked.

    Raises PolicyError with every problem and its path.
    """
    try:
        return Policy.model_validate(document)
    except ValidationError as error:
        raise PolicyError(list(_problems(error))) from None


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a policy document, for editors to complete and check by."""
    schema = Policy.model_json_schema(mode="validation")
    # The rest may be left to the catalogue.
    schema["$defs"]["Model"]["required"] = ["upstream", "id"]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Policy"} | schema


def _problems(error: ValidationError) -> Iterator[Problem]:
    details = error.errors(include_url=False)
    for detail in details:
        place = detail["loc"]
        inside = any(other["loc"][: len(place)] == place != other["loc"] for other in details)
        # A list whose only items are wrong is called too short as well.
        if not (inside and detail["type"] == "too_short"):
            yield _problem(detail)


def _problem(detail: Any) -> Problem:
    path = ".".join(str(step) for step in detail["loc"])
    if detail["type"] == "extra_forbidden":
        return Problem(path, f"unknown key{nearest(str(detail['loc'][-1]), _all_keys())}")
    message = detail["msg"].removeprefix("Value error, ")
    return Problem(path, message[0].lower() + message[1:])


def nearest(name: str, known: Collection[str]) -> str:
    """Return a hint at the known name that `name` may be meant for, or nothing."""
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _all_keys() -> set[str]:
    parts = (Price, Model, When, Share, Objective, Route, Limits, Recording, Policy)
    return {key for part in parts for key in part.model_fields}
