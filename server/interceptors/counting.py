"""Counts calls: every started call is counted as handled exactly once, whatever ended it."""

from __future__ import annotations

from time import perf_counter

import grpc

from server.interceptors.call import Call, Proceed
from server.metrics import Metrics

CODE_NAMES = {
    code: "".join(word.capitalize() for word in code.name.split("_")) for code in grpc.StatusCode
} | {grpc.StatusCode.OK: "OK", grpc.StatusCode.CANCELLED: "Canceled"}
"""As Go spells them: `InvalidArgument`, and `Canceled` with one l."""
UNKNOWN_METHOD = ("unary", "unknown", "unknown")
"""Labels of calls to methods that do not exist: callers must not be able to grow the series."""


class Counting:
    """The outermost interceptor.

    An abort is an Exception but not an RpcError, and a cancelled call raises neither: both are
    counted because everything that leaves the chain is.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    async def __call__(self, call: Call, proceed: Proceed) -> object:
        """Count start, end and duration."""
        labels = (call.kind, call.service, call.method)
        self._metrics.started.labels(*labels).inc()
        began = perf_counter()
        error: BaseException | None = None
        try:
            return await proceed()
        except BaseException as caught:
            error = caught
            raise
        finally:
            self._metrics.handled.labels(*labels, CODE_NAMES[call.code(error)]).inc()
            self._metrics.handling.labels(*labels).observe(perf_counter() - began)

    def unknown(self) -> None:
        """Count a call to a method that does not exist."""
        self._metrics.started.labels(*UNKNOWN_METHOD).inc()
        code = CODE_NAMES[grpc.StatusCode.UNIMPLEMENTED]
        self._metrics.handled.labels(*UNKNOWN_METHOD, code).inc()
