"""One log line a call: which method, how it ended, how long it took."""

from __future__ import annotations

from time import perf_counter

from server.interceptors.call import Call, Proceed
from server.logs import Log
from server.status import clip

MAX_LOGGED_BYTES = 64
QUIET_SERVICES = ("grpc.health.", "grpc.reflection.")
"""Probes come every few seconds: their lines are written at level debug."""


class AccessLog:
    """Writes the line when the call has ended; nothing of the user is in it."""

    def __init__(self, log: Log) -> None:
        self._log = log

    async def __call__(self, call: Call, proceed: Proceed) -> object:
        """Time the call and write the line."""
        began = perf_counter()
        error: BaseException | None = None
        try:
            return await proceed()
        except BaseException as caught:
            error = caught
            raise
        finally:
            write = self._log.debug if call.service.startswith(QUIET_SERVICES) else self._log.info
            write(
                "call",
                method=f"/{call.service}/{call.method}",
                code=call.code(error).name,
                ms=round((perf_counter() - began) * 1000, 3),
                request_id=call.request_id,
                domain=clip(call.domain, MAX_LOGGED_BYTES),
            )

    def unknown(self, path: str) -> None:
        """Write the line of a call to a method that does not exist."""
        self._log.info("call", method=clip(path, MAX_LOGGED_BYTES), code="UNIMPLEMENTED")
