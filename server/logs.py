"""Structured logs: one JSON object a line."""

from __future__ import annotations

import logging
import sys
from typing import TextIO, cast

import structlog
from structlog.typing import FilteringBoundLogger

Log = FilteringBoundLogger
"""What everything in the server logs to."""

_SHARED: tuple[structlog.typing.Processor, ...] = (
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)


def json_log(stream: TextIO | None = None, level: str = "INFO") -> Log:
    """A logger that writes JSON lines to a stream (standard output by default); no global state."""
    return cast(
        Log,
        structlog.wrap_logger(
            structlog.PrintLogger(stream or sys.stdout),
            processors=[
                *_SHARED,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(),
            ],
            wrapper_class=structlog.make_filtering_bound_logger(level),
            context_class=dict,
        ),
    )


def route_library_logs(stream: TextIO | None = None, level: str = "INFO") -> None:
    """Send what libraries log through `logging` out as JSON lines too; call once a process."""
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*_SHARED, structlog.stdlib.add_logger_name],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    # It tells of every request that goes well.
    logging.getLogger("httpx").setLevel(logging.WARNING)
