"""The HTTP floor: wire formats in and out, authentication, errors."""

from turnout.api.app import create_admin_app, create_app

__all__ = ["create_admin_app", "create_app"]
