"""Turns errors into statuses by the table; what is not in the table goes to the log instead."""

from __future__ import annotations

from grpc import aio
from grpc_status import rpc_status

from server.interceptors.call import Call, Proceed
from server.logs import Log
from server.status import UNLISTED, status_of


class Errors:
    """The innermost interceptor: what leaves it is a reply, an abort or a cancellation."""

    def __init__(self, log: Log) -> None:
        self._log = log

    async def __call__(self, call: Call, proceed: Proceed) -> object:
        """Abort the call with the status of its error; every reply carries the request id."""
        try:
            reply = await proceed()
        except aio.AbortError:
            raise  # somebody further in has sent a status already
        except Exception as error:
            status = status_of(error, call.request_id)
            if status.code is UNLISTED.code:
                self._log.error(
                    "unexpected error",
                    method=f"/{call.service}/{call.method}",
                    request_id=call.request_id,
                    exc_info=error,
                )
            details = rpc_status.to_status(status.proto).trailing_metadata
            await call.context.abort(status.code, status.message, (call.trailer, *details))
        call.context.set_trailing_metadata((call.trailer,))
        return reply
