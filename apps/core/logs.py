"""Logs as one JSON object a line, with the request id where there is one."""

import logging

import structlog


class JSONFormatter(structlog.stdlib.ProcessorFormatter):
    """Formats records of the standard library and of structlog alike."""

    def __init__(self) -> None:
        shared: list[structlog.typing.Processor] = [
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.add_log_level,
            structlog.stdlib.ExtraAdder(),
            structlog.processors.TimeStamper(fmt="iso", utc=True),
        ]
        super().__init__(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(),
            ],
        )


def get_logger(name: str) -> logging.Logger:
    """A logger of the standard library; extra fields go through ``extra=``."""
    return logging.getLogger(name)
