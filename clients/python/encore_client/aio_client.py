"""The asyncio client of RecommenderService."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, Unpack

import grpc
from google.protobuf.wrappers_pb2 import Int32Value, StringValue
from grpc import aio

from encore.v1.recommender_service_pb2_grpc import RecommenderServiceStub
from encore_client import batches, convert, health
from encore_client.aio_transport import AsyncTransport
from encore_client.errors import EncoreClientError
from encore_client.options import ClientOptions
from encore_client.settings import CallSettings
from encore_client.types import (
    EventDetails,
    FeedbackEvent,
    FeedbackReceipt,
    GenreNeighbors,
    Outcome,
    Profile,
    Recommendation,
    RecommendOptions,
    ScoredObjects,
    User,
)

if TYPE_CHECKING:
    # A name of the stub files alone: at run time there is one stub class for both channels.
    from encore.v1.recommender_service_pb2_grpc import RecommenderServiceAsyncStub


class AsyncEncoreClient:
    """Calls Encore for one domain; one client serves all tasks of one event loop.

    The connection opens with the first call, in the loop of that call. Every call has a deadline,
    `timeout_s` or the method's own, that covers all its attempts; it raises an
    `EncoreClientError` when it fails, and a `RuntimeError` once the client is closed. Cancelling
    the task cancels the call, on the server too.
    """

    def __init__(
        self,
        target: str,
        *,
        domain: str,
        credentials: grpc.ChannelCredentials | None = None,
        metadata: Sequence[tuple[str, str]] = (),
        options: ClientOptions | None = None,
    ) -> None:
        """Connects to nothing yet.

        Args:
            target: Where the server is, such as `localhost:50051`.
            domain: Name of the domain, such as `music`.
            credentials: For TLS; None talks in the clear.
            metadata: Sent with every call, such as `("authorization", "Bearer ...")`.
            options: Deadlines, retries, connection.
        """
        self._domain = domain
        self._settings = CallSettings(tuple(metadata), options or ClientOptions())
        self._transport = AsyncTransport(target, credentials, self._settings.options.connection)

    async def score(
        self,
        user: User | str,
        object_ids: Iterable[str],
        *,
        context: Mapping[str, str] | None = None,
        profile: Profile = Profile.UNSPECIFIED,
        include_members: bool = False,
        explain: bool = False,
        top_features: int = 10,
        timeout_s: float | None = None,
        request_id: str = "",
    ) -> ScoredObjects:
        """Returns the probabilities that the user comes back to each object.

        Args:
            user: Who, or their id.
            object_ids: 1 to 10,000 ids.
            context: Context fields of the domain's schema; absent ones are unknown.
            profile: Which members answer.
            include_members: Also return what each member says.
            explain: Also return why, for at most 50 ids: each costs milliseconds to tens of them.
            top_features: How many features each explanation names, 1 to 100.
            timeout_s: Deadline of the call, in seconds.
            request_id: For logs; made up when empty.
        """
        deadline_s = self._settings.options.deadlines.score_s
        plan = self._settings.plan("Score", deadline_s, timeout_s, request_id)
        request = convert.score_request(
            self._domain,
            user,
            object_ids,
            context=context,
            profile=profile,
            include_members=include_members,
            explain=explain,
            top_features=top_features,
            request_id=plan.request_id,
        )
        return convert.scored_objects(await self._transport.call(self._stub.Score, request, plan))

    async def recommend(
        self,
        user: User | str,
        *,
        page_token: str = "",
        timeout_s: float | None = None,
        request_id: str = "",
        **options: Unpack[RecommendOptions],
    ) -> Recommendation:
        """Returns one page of a ranked list.

        Args:
            user: For whom, or their id.
            page_token: `next_page_token` of the page before, all else but page_size unchanged;
                empty for a first page.
            timeout_s: Deadline of the call, in seconds.
            request_id: For logs; made up when empty.
            options: See `RecommendOptions`.
        """
        deadline_s = self._settings.options.deadlines.recommend_s
        plan = self._settings.plan("Recommend", deadline_s, timeout_s, request_id)
        request = convert.recommend_request(
            self._domain, user, page_token=page_token, request_id=plan.request_id, **options
        )
        return convert.recommendation(
            await self._transport.call(self._stub.Recommend, request, plan)
        )

    async def recommend_pages(
        self,
        user: User | str,
        *,
        timeout_s: float | None = None,
        **options: Unpack[RecommendOptions],
    ) -> AsyncIterator[Recommendation]:
        """Yields the pages of a ranked list to its end, each fetched when it is reached.

        Args:
            user: For whom, or their id.
            timeout_s: Deadline of each page, in seconds.
            options: See `RecommendOptions`.
        """
        page = await self.recommend(user, timeout_s=timeout_s, **options)
        yield page
        while page.next_page_token:
            token = page.next_page_token
            page = await self.recommend(user, page_token=token, timeout_s=timeout_s, **options)
            yield page

    async def genre_neighbor(
        self,
        *,
        track_id: str | None = None,
        audio: bytes | Path | None = None,
        k: int = 10,
        same_genre: bool = False,
        pool: str = "",
        timeout_s: float | None = None,
        request_id: str = "",
    ) -> GenreNeighbors:
        """Returns the genre of a sound and the nearest tracks.

        Args:
            track_id: Start from this track, or:
            audio: from this sound: a wav, flac, ogg or mp3 file's bytes, or its path.
            k: How many neighbours, 1 to 100.
            same_genre: Only tracks of the same genre.
            pool: Only tracks of this pool; empty for all.
            timeout_s: Deadline of the call, in seconds.
            request_id: For logs; made up when empty.

        Raises:
            ValueError: Not exactly one of `track_id` and `audio` is given.
            OSError: The file cannot be read.
        """
        # A slow disk must not hold up the event loop.
        sound = await asyncio.to_thread(audio.read_bytes) if isinstance(audio, Path) else audio
        deadline_s = self._settings.options.deadlines.genre_neighbor_s
        plan = self._settings.plan("GenreNeighbor", deadline_s, timeout_s, request_id)
        request = convert.genre_neighbor_request(
            self._domain,
            track_id=track_id,
            audio=sound,
            k=k,
            same_genre=same_genre,
            pool=pool,
            request_id=plan.request_id,
        )
        answer = await self._transport.call(self._stub.GenreNeighbor, request, plan)
        return convert.genre_neighbors(answer)

    async def feedback(
        self,
        events: Iterable[FeedbackEvent],
        *,
        timeout_s: float | None = None,
        request_id: str = "",
    ) -> FeedbackReceipt:
        """Stores what users did, in batches of 1,000; no events make no call.

        When it fails, `failure.stored` of the error says what the batches before have stored.
        Sending the same event objects again is always safe: none counts twice.

        Args:
            events: Any number of events.
            timeout_s: Deadline of each batch, in seconds.
            request_id: For logs, the same for all batches; made up when empty.

        Returns:
            One receipt for all batches; its rejected indices count from the first event given.
        """
        receipt = FeedbackReceipt(request_id=request_id)
        deadline_s = self._settings.options.deadlines.feedback_s
        for batch in batches.cut(events):
            plan = self._settings.plan("Feedback", deadline_s, timeout_s, receipt.request_id)
            request = convert.feedback_request(
                self._domain, batch.events, request_id=plan.request_id
            )
            try:
                answer = await self._transport.call(self._stub.Feedback, request, plan)
            except EncoreClientError as error:
                raise batch.relate(error, stored=receipt) from error
            receipt = batch.join(receipt, convert.feedback_receipt(answer), plan.request_id)
        return receipt

    async def like(
        self, user_id: str, object_id: str, **details: Unpack[EventDetails]
    ) -> FeedbackReceipt:
        """Stores that the user likes the object; a refusal is in the receipt's `rejected`."""
        return await self.feedback([FeedbackEvent(user_id, object_id, Outcome.LIKE, **details)])

    async def dislike(
        self, user_id: str, object_id: str, **details: Unpack[EventDetails]
    ) -> FeedbackReceipt:
        """Stores that the user dislikes the object: it is not recommended to them again."""
        return await self.feedback([FeedbackEvent(user_id, object_id, Outcome.DISLIKE, **details)])

    async def play(
        self, user_id: str, object_id: str, **details: Unpack[EventDetails]
    ) -> FeedbackReceipt:
        """Stores that the user played the object; `value` is the seconds played, if known."""
        return await self.feedback([FeedbackEvent(user_id, object_id, Outcome.PLAY, **details)])

    async def is_serving(self, service: str = "", *, timeout_s: float | None = None) -> bool:
        """Whether the server says, now, that it serves; a server out of reach does not.

        Args:
            service: Full name of a service; empty for the whole server.
            timeout_s: Deadline of the check, in seconds.

        Raises:
            EncoreClientError: The server answered, but not to this: a wrong token, no health
                service.
        """
        plan = self._settings.health_plan(timeout_s)
        try:
            answer = await self._transport.call(self._health, health.check_request(service), plan)
        except EncoreClientError as error:
            if health.means_down(error):
                return False
            raise
        return health.serves(answer)

    async def close(self) -> None:
        """Closes the connection and cancels the calls in flight."""
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    @cached_property
    def _stub(self) -> RecommenderServiceAsyncStub:
        return RecommenderServiceStub(self._transport.channel())

    @cached_property
    def _health(self) -> aio.UnaryUnaryMultiCallable[StringValue, Int32Value]:
        return self._transport.channel().unary_unary(
            health.PATH, request_serializer=health.encode, response_deserializer=health.decode
        )
