"""Logs as one JSON object a line, with the ids of the request and of the organization where there is one."""

import logging
import re
from typing import Final

import structlog

from apps.core import ids
from apps.core.log_fields import noted
from apps.core.scope import open_organization_id

# Postgres quotes the values of the row that it refuses: "DETAIL:  Failing row contains (…)".
_DETAIL: Final = re.compile(
    r"DETAIL: .*?(?=\n(?:HINT|CONTEXT|QUERY|STATEMENT|LINE \d|The above exception|During handling"
    r"|Traceback|  File )|\Z)",
    re.DOTALL,
)


class JSONFormatter(structlog.stdlib.ProcessorFormatter):
    """Formats records of the standard library and of structlog alike."""

    def __init__(self) -> None:
        shared: list[structlog.typing.Processor] = [
            _add_ids,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.add_log_level,
            structlog.stdlib.ExtraAdder(),
            _drop_address,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
        ]
        super().__init__(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                _drop_row_values,
                structlog.processors.JSONRenderer(),
            ],
        )


def get_logger(name: str) -> logging.Logger:
    """A logger of the standard library; extra fields go through ``extra=``."""
    return logging.getLogger(name)


def _drop_address(
    logger: object, method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Django tells of a failed request with its address, which may hold search words or a link's secret."""
    if event.get("logger") == "django.request":
        event.pop("request", None)
        event["event"] = "request.failed"
    return event


def _drop_row_values(
    logger: object, method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """What a database error says of a row's values is content."""
    for name in ("exception", "error"):
        if isinstance(event.get(name), str):
            event[name] = _DETAIL.sub("DETAIL: left out", event[name])
    return event


def _add_ids(logger: object, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    for name, value in noted().items():
        event.setdefault(name, value)
    organization_id = open_organization_id()
    if organization_id is not None:
        event.setdefault("organization_id", ids.encode("org", organization_id))
    return event
