"""Which requests of the one public origin belong to the gateway. All else belongs to web.

The router, `deploy/Caddyfile` and ingress rules follow this table; a test compares them.
"""

from typing import Final

from apps.prompts.names import CALLS, RESERVED_SEGMENTS

GATEWAY_PREFIXES: Final = ("/v1/",)
# Below a gateway prefix, but served by web.
WEB_PREFIXES: Final = ("/v1/files", "/v1/batches")
# Answered by the process that is asked.
HEALTH_PATHS: Final = ("/healthz", "/readyz")
# A prompt's name may hold slashes, so an address below it is known by a word that no name may hold.
PROMPT_PREFIX: Final = "/api/v1/prompts/"
PROMPT_READS: Final = ("GET", "HEAD")


def belongs_to_gateway(method: str, path: str) -> bool:
    """Whether the gateway answers this request; the path is decoded and has no query."""
    if path in HEALTH_PATHS:
        return True
    if any(path == prefix or path.startswith(f"{prefix}/") for prefix in WEB_PREFIXES):
        return False
    return path.startswith(GATEWAY_PREFIXES) or _serves_prompt(method, path)


def _serves_prompt(method: str, path: str) -> bool:
    """GET of a prompt itself, POST of its `run` and `render`."""
    name = path.removeprefix(PROMPT_PREFIX)
    if name == path or not name:
        return False
    *folders, last = name.split("/")
    if method in PROMPT_READS:
        return not _is_reserved([*folders, last])
    return method == "POST" and last in CALLS and bool(folders) and not _is_reserved(folders)


def _is_reserved(segments: list[str]) -> bool:
    return any(segment.lower() in RESERVED_SEGMENTS for segment in segments)
