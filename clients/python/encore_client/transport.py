"""The blocking I/O: a lazy channel, and the loop of attempts that a plan steers."""

from __future__ import annotations

import threading
from typing import TypeVar

import grpc

from encore_client.options import ConnectionOptions
from encore_client.plan import CallPlan

Request = TypeVar("Request")
Response = TypeVar("Response")


class Transport:
    """One channel, opened by the first call and shared by all threads."""

    def __init__(
        self,
        target: str,
        credentials: grpc.ChannelCredentials | None,
        options: ConnectionOptions,
    ) -> None:
        self._target = target
        self._credentials = credentials
        self._options = options
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._channel: grpc.Channel | None = None

    def channel(self) -> grpc.Channel:
        """Returns the channel, opened when it was not.

        Raises:
            RuntimeError: The client is closed.
        """
        with self._lock:
            self._check_open()
            if self._channel is None:
                self._channel = self._open()
            return self._channel

    def call(
        self,
        rpc: grpc.UnaryUnaryMultiCallable[Request, Response],
        request: Request,
        plan: CallPlan,
    ) -> Response:
        """Makes attempts until one succeeds or the plan ends.

        Raises:
            EncoreClientError: The plan ended.
            RuntimeError: The client is closed, or was closed between two attempts.
        """
        while True:
            self._check_open()
            try:
                return rpc(request, timeout=plan.next_timeout_s(), metadata=plan.metadata)
            except grpc.RpcError as error:
                wait_s = plan.wait_after(error)
            # Waits on the event instead of sleeping: close() must not have to wait for us.
            self._closed.wait(wait_s)

    def close(self) -> None:
        """Closes the channel and cancels the calls in flight; closing twice is no error."""
        with self._lock:
            self._closed.set()
            if self._channel is not None:
                self._channel.close()

    def _check_open(self) -> None:
        if self._closed.is_set():
            raise RuntimeError("the client is closed: make a new one")

    def _open(self) -> grpc.Channel:
        arguments = self._options.arguments()
        if self._credentials is None:
            return grpc.insecure_channel(self._target, arguments)
        return grpc.secure_channel(self._target, self._credentials, arguments)
