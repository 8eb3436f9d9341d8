"""The control plane's entry point in Lambda: its role alone may write keys."""

import os

from mangum import Mangum

from turnout.deployed import deployed_settings
from turnout.wiring import build_admin_app

app = build_admin_app(deployed_settings(os.environ))
handler = Mangum(app, lifespan="off")
