"""The data plane's entry point in Lambda."""

import os

from mangum import Mangum

from turnout.telemetry import Telemetry
from turnout.upstream import configured_endpoints
from turnout.wiring import build_app, settings_from

app = build_app(settings_from(os.environ), configured_endpoints(os.environ), Telemetry())
handler = Mangum(app, lifespan="off")
