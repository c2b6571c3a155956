"""The asyncio I/O: a lazy channel, and the loop of attempts that a plan steers."""

from __future__ import annotations

import asyncio
from typing import TypeVar

import grpc
from grpc import aio

from encore_client.options import ConnectionOptions
from encore_client.plan import CallPlan

Request = TypeVar("Request")
Response = TypeVar("Response")


class AsyncTransport:
    """One channel, opened by the first call, and bound to the event loop of that call."""

    def __init__(
        self,
        target: str,
        credentials: grpc.ChannelCredentials | None,
        options: ConnectionOptions,
    ) -> None:
        self._target = target
        self._credentials = credentials
        self._options = options
        self._closed = False
        self._channel: aio.Channel | None = None

    def channel(self) -> aio.Channel:
        """Returns the channel, opened when it was not.

        Raises:
            RuntimeError: The client is closed.
        """
        self._check_open()
        if self._channel is None:
            self._channel = self._open()
        return self._channel

    async def call(
        self,
        rpc: aio.UnaryUnaryMultiCallable[Request, Response],
        request: Request,
        plan: CallPlan,
    ) -> Response:
        """Makes attempts until one succeeds or the plan ends; cancelling it cancels the attempt.

        Raises:
            EncoreClientError: The plan ended.
            RuntimeError: The client is closed, or was closed between two attempts.
        """
        while True:
            self._check_open()
            try:
                return await rpc(request, timeout=plan.next_timeout_s(), metadata=plan.metadata)
            except grpc.RpcError as error:
                wait_s = plan.wait_after(error)
            await asyncio.sleep(wait_s)

    async def close(self) -> None:
        """Closes the channel and cancels the calls in flight; closing twice is no error."""
        self._closed = True
        if self._channel is not None:
            await self._channel.close()

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError("the client is closed: make a new one")

    def _open(self) -> aio.Channel:
        arguments = self._options.arguments()
        if self._credentials is None:
            return aio.insecure_channel(self._target, arguments)
        return aio.secure_channel(self._target, self._credentials, arguments)
