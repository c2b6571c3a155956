"""RecommenderService: convert, hand over, convert back."""

# ruff: noqa: N802 - method names are those of the contract

from __future__ import annotations

from encore.v1 import recommender_service_pb2 as pb
from encore.v1.recommender_service_pb2_grpc import RecommenderServiceServicer
from server import convert
from server.deadline import Deadline, HasTimeRemaining
from server.handlers.extras import ExtrasHandler
from server.handlers.feedback import FeedbackHandler
from server.handlers.genre import GenreHandler
from server.handlers.recommend import RecommendHandler
from server.handlers.score import ScoreHandler


class RecommenderServicer(RecommenderServiceServicer):
    """The public service."""

    def __init__(
        self,
        score: ScoreHandler,
        recommend: RecommendHandler,
        extras: ExtrasHandler,
        genre: GenreHandler,
        feedback: FeedbackHandler,
        max_audio_bytes: int,
    ) -> None:
        self._score = score
        self._recommend = recommend
        self._extras = extras
        self._genre = genre
        self._feedback = feedback
        self._max_audio_bytes = max_audio_bytes

    async def Score(self, request: pb.ScoreRequest, context: HasTimeRemaining) -> pb.ScoreResponse:
        """Probabilities."""
        ask = convert.score_request(request)
        scored = await self._score.score(request.domain, ask, Deadline.of(context))
        return convert.score_response(scored, include_members=request.include_members)

    async def Recommend(
        self, request: pb.RecommendRequest, context: HasTimeRemaining
    ) -> pb.RecommendResponse:
        """A page."""
        ask, deadline = convert.page_request(request), Deadline.of(context)
        page = await self._recommend.page(ask, deadline)
        return convert.page_response(page, await self._extras.extras(ask, page, deadline))

    async def GenreNeighbor(
        self, request: pb.GenreNeighborRequest, context: HasTimeRemaining
    ) -> pb.GenreNeighborResponse:
        """Genres and neighbours."""
        query = convert.genre_query(request, self._max_audio_bytes)
        heard = await self._genre.neighbours(request.domain, query, Deadline.of(context))
        return convert.genre_response(heard)

    async def Feedback(
        self, request: pb.FeedbackRequest, context: HasTimeRemaining
    ) -> pb.FeedbackResponse:
        """What became of the events."""
        call = convert.feedback_call(request)
        answer = await self._feedback.store(request.domain, call, Deadline.of(context))
        return convert.feedback_response(answer)
