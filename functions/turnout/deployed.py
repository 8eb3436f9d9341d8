"""Turnout in Lambda: its settings from the stack's variables, its upstreams' keys from the stack's secret."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping
from pathlib import Path
from typing import Final, cast

from turnout.api.app import MOST_BODY_BYTES
from turnout.errors import ConfigurationError
from turnout.secret import Secret, read_secret
from turnout.telemetry import Telemetry
from turnout.upstream import Endpoint, known_upstreams, read_endpoints
from turnout.wiring import Access, Settings

LAYERS: Final = Path("/opt")
"""Where Lambda unpacks layers."""
PACKAGE: Final = Path(__file__).parent
SAM_LOCAL_STORE: Final = Path("/tmp/turnout.db")  # noqa: S108 (the one place a function can write)


def deployed_settings(environ: Mapping[str, str]) -> Settings:
    """Return the settings that TURNOUT_* variables make. Raises ConfigurationError.

    Under `sam local` alone there may be no table (then a file is the store), everyone may be let in,
    and the demo upstream may answer.
    """
    local = environ.get("AWS_SAM_LOCAL") == "true"
    most = environ.get("TURNOUT_MAX_BODY_BYTES", str(MOST_BODY_BYTES))
    if not most.isdecimal() or int(most) == 0:
        raise ConfigurationError(f"TURNOUT_MAX_BODY_BYTES: {most!r} is not a number of bytes")
    table = environ.get("TURNOUT_TABLE") or None
    if table is None and not (local or "TURNOUT_STORE" in environ):
        raise ConfigurationError("TURNOUT_TABLE: name the DynamoDB table")
    return Settings(
        classifier=Path(environ.get("TURNOUT_CLASSIFIER", LAYERS)),
        policies=Path(environ.get("TURNOUT_POLICIES", PACKAGE / "policies")),
        store=Path(environ.get("TURNOUT_STORE", SAM_LOCAL_STORE)),
        table=table,
        table_endpoint=environ.get("TURNOUT_TABLE_ENDPOINT") or None,
        access=_access(environ, local=local),
        most_body_bytes=int(most),
        demo=local,
        playground=environ.get("TURNOUT_PLAYGROUND") == "on",
        known_upstreams=known_upstreams(environ),
    )


def deployed_endpoints(environ: Mapping[str, str], telemetry: Telemetry) -> dict[str, Endpoint]:
    """Return the upstreams that the secret holds a key of, and those that need none.

    Raises ConfigurationError when the secret cannot be read.
    """
    name = environ.get("TURNOUT_SECRET")
    if not name:
        return read_endpoints(environ)
    secret = Secret(lambda: read_secret(name), telemetry.warn)
    # ChainMap only reads, though its type says that it could write.
    return read_endpoints(ChainMap(cast("dict[str, str]", secret), dict(environ)))


def _access(environ: Mapping[str, str], *, local: bool) -> Access:
    access = environ.get("TURNOUT_ACCESS", "keys")
    if access not in ("keys", "iam", "open") or (access == "open" and not local):
        raise ConfigurationError(f"TURNOUT_ACCESS: {access!r} is neither `keys` nor `iam`")
    return cast("Access", access)
