"""Logs are JSON, one object a line, whoever writes them."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from server.logs import json_log, route_library_logs


@pytest.fixture
def root_logger() -> Iterator[logging.Logger]:
    """The logger of all libraries, put back afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield root
    root.handlers, root.level = handlers, level


def test_a_line_is_an_object_with_event_level_and_time() -> None:
    stream = io.StringIO()
    json_log(stream).info("call", code="OK")
    line = json.loads(stream.getvalue())
    assert (line["event"], line["level"], line["code"]) == ("call", "info", "OK")
    assert line["timestamp"].endswith("Z")


def test_an_exception_is_part_of_its_line() -> None:
    stream = io.StringIO()
    json_log(stream).error("failed", exc_info=ValueError("broken\nline"))
    (text,) = stream.getvalue().splitlines()
    assert "ValueError: broken\nline" in json.loads(text)["exception"]


def test_lines_below_the_level_are_not_written() -> None:
    stream = io.StringIO()
    json_log(stream, "WARNING").info("call")
    assert stream.getvalue() == ""


def test_what_libraries_log_comes_out_alike(root_logger: logging.Logger) -> None:
    stream = io.StringIO()
    route_library_logs(stream)
    logging.getLogger("grpc").warning("odd %s", "frame")
    line = json.loads(stream.getvalue())
    assert (line["event"], line["logger"], line["level"]) == ("odd frame", "grpc", "warning")
