"""The operators' client: AdminService, on its own port."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import TracebackType
from typing import Self, TypeVar, Unpack

import grpc

from encore.v1 import admin_service_pb2
from encore.v1.admin_service_pb2_grpc import AdminServiceStub
from encore_client import convert, fates
from encore_client.fates import WhyNot
from encore_client.options import ClientOptions
from encore_client.settings import CallSettings
from encore_client.transport import Transport
from encore_client.types import RecommendOptions, User

Number = TypeVar("Number", int, float)


@dataclass(frozen=True)
class DebugFeatures:
    """The features that a Score would use now, one row an object, in the order asked."""

    object_ids: tuple[str, ...]
    number_columns: tuple[str, ...]
    numbers: tuple[tuple[float, ...], ...]
    """(n_objects, n_number_columns); NaN is unknown. Exactly the server's 32-bit floats."""
    code_columns: tuple[str, ...]
    codes: tuple[tuple[int, ...], ...]
    """(n_objects, n_code_columns); 0 is unknown."""
    model_version: str


@dataclass(frozen=True)
class ServingModel:
    """One model in service."""

    domain: str
    model_version: str
    watermark: int
    """Sequence of the last feedback row in its state."""


class AdminClient:
    """Looks inside a running server; for all threads of a process, like `EncoreClient`."""

    def __init__(
        self,
        target: str,
        *,
        credentials: grpc.ChannelCredentials | None = None,
        metadata: Sequence[tuple[str, str]] = (),
        options: ClientOptions | None = None,
    ) -> None:
        """Connects to nothing yet.

        Args:
            target: Where the operators' port is, such as `localhost:50052`.
            credentials: For TLS; None talks in the clear.
            metadata: Sent with every call, such as `("authorization", "Bearer ...")`.
            options: Deadlines, retries, connection.
        """
        self._settings = CallSettings(tuple(metadata), options or ClientOptions())
        self._transport = Transport(target, credentials, self._settings.options.connection)

    def debug_features(
        self,
        domain: str,
        user: User | str,
        object_ids: Iterable[str],
        *,
        context: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
    ) -> DebugFeatures:
        """Returns the features that a Score of the same request would use now.

        Args:
            domain: Name of the domain.
            user: Who, or their id.
            object_ids: 1 to 1,000 ids.
            context: Context fields of the domain's schema; absent ones are unknown.
            timeout_s: Deadline of the call, in seconds.

        Raises:
            EncoreClientError: The call failed.
        """
        deadline_s = self._settings.options.deadlines.admin_s
        plan = self._settings.plan("DebugFeatures", deadline_s, timeout_s, "")
        request = convert.debug_features_request(domain, user, object_ids, context=context)
        answer = self._transport.call(self._stub.DebugFeatures, request, plan)
        asked = tuple(request.object_ids)
        return DebugFeatures(
            object_ids=asked,
            number_columns=tuple(answer.number_columns),
            numbers=_rows(answer.numbers, len(asked), len(answer.number_columns)),
            code_columns=tuple(answer.code_columns),
            codes=_rows(answer.codes, len(asked), len(answer.code_columns)),
            model_version=answer.model_version,
        )

    def list_serving(self, *, timeout_s: float | None = None) -> tuple[ServingModel, ...]:
        """Returns the model in service of each domain.

        Args:
            timeout_s: Deadline of the call, in seconds.

        Raises:
            EncoreClientError: The call failed.
        """
        deadline_s = self._settings.options.deadlines.admin_s
        plan = self._settings.plan("ListServing", deadline_s, timeout_s, "")
        request = admin_service_pb2.ListServingRequest()
        answer = self._transport.call(self._stub.ListServing, request, plan)
        return tuple(
            ServingModel(model.domain, model.model_version, model.watermark)
            for model in answer.models
        )

    def why_not(
        self,
        domain: str,
        user: User | str,
        object_ids: Iterable[str],
        *,
        timeout_s: float | None = None,
        **options: Unpack[RecommendOptions],
    ) -> WhyNot:
        """Returns where each object leaves the list that a Recommend would rank now, and why.

        Args:
            domain: Name of the domain.
            user: For whom, or their id.
            object_ids: 1 to 100 ids.
            timeout_s: Deadline of the call, in seconds.
            options: Those of the Recommend in question; page_size and list_mode count for nothing.

        Raises:
            EncoreClientError: The call failed.
        """
        deadline_s = self._settings.options.deadlines.admin_s
        plan = self._settings.plan("WhyNot", deadline_s, timeout_s, "")
        request = convert.why_not_request(
            domain, user, object_ids, request_id=plan.request_id, **options
        )
        return fates.why_not(self._transport.call(self._stub.WhyNot, request, plan))

    def close(self) -> None:
        """Closes the connection and cancels the calls in flight."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @cached_property
    def _stub(self) -> AdminServiceStub:
        return AdminServiceStub(self._transport.channel())


def _rows(values: Sequence[Number], rows: int, columns: int) -> tuple[tuple[Number, ...], ...]:
    if len(values) != rows * columns:
        raise ValueError(
            f"the server sent {len(values)} values for {rows} rows of {columns} columns: "
            "client and server do not speak the same encore.v1"
        )
    return tuple(tuple(values[row * columns : (row + 1) * columns]) for row in range(rows))
