"""The HTTP floor: wire formats in and out, authentication, errors."""

from turnout.api.app import ControlPlane, create_admin_app, create_app

__all__ = ["ControlPlane", "create_admin_app", "create_app"]
