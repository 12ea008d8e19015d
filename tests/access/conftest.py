"""The gateway's matrix is tried on the real server."""

from tests.gateway.conftest import gateway_url

__all__ = ["gateway_url"]
