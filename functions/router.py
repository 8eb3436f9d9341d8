"""The data plane's entry point in Lambda."""

import os

from mangum import Mangum

from turnout.deployed import deployed_endpoints, deployed_settings
from turnout.telemetry import SERVICE, Telemetry
from turnout.wiring import build_app

_telemetry = Telemetry(service=os.environ.get("POWERTOOLS_SERVICE_NAME", SERVICE))
app = build_app(
    deployed_settings(os.environ), deployed_endpoints(os.environ, _telemetry), _telemetry
)
handler = Mangum(app, lifespan="off")
