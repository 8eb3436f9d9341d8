"""Reading a request body: what is carried over of it, and the first field at fault."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from turnout.errors import InvalidRequest


class Wire(BaseModel):
    """What is carried over; what else a body holds is left behind."""

    model_config = ConfigDict(strict=True, extra="ignore")


M = TypeVar("M", bound=BaseModel)


def read(model: type[M], fields: Any, param: str = "") -> M:
    """Return what is read of `fields`, which stand at `param`. Raises InvalidRequest."""
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        detail = error.errors(include_url=False)[0]
        path = ".".join([param, *map(str, detail["loc"])]).strip(".")
        raise invalid(path, detail["msg"][0].lower() + detail["msg"][1:]) from None


def uncarried(param: str, kind: object, *, to: str) -> InvalidRequest:
    """Return the error for what has no counterpart in the format that the request is to take."""
    return invalid(param, f"{kind or 'what has no type'} is not carried over to {to}")


def invalid(param: str, why: str) -> InvalidRequest:
    """Return the error that names the field at fault and says why."""
    return InvalidRequest(f"{param}: {why}" if param else why, param=param or None)
