"""Which paths of the one public origin belong to the gateway. All else belongs to web.

The router, `deploy/Caddyfile` and ingress rules follow this table; a test compares them.
"""

from typing import Final

GATEWAY_PREFIXES: Final = ("/v1/",)
# Below a gateway prefix, but served by web.
WEB_PREFIXES: Final = ("/v1/files", "/v1/batches")
# Answered by the process that is asked.
HEALTH_PATHS: Final = ("/healthz", "/readyz")


def belongs_to_gateway(path: str) -> bool:
    """Whether the gateway answers this path (decoded, without the query)."""
    if path in HEALTH_PATHS:
        return True
    if any(path == prefix or path.startswith(f"{prefix}/") for prefix in WEB_PREFIXES):
        return False
    return path.startswith(GATEWAY_PREFIXES)
