"""Between protobuf and the core's values; whatever a caller may get wrong in form is said here."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

from core.errors import InvalidRequestError
from core.log import Outcome
from core.requests import GenreStatus, RecommendRequest, ScoreRequest, UserRef
from encore.v1 import common_pb2 as common_pb
from encore.v1 import recommender_service_pb2 as pb
from server.checks import MAX_ID_BYTES, MAX_OBJECT_IDS, MAX_REQUEST_ID_BYTES, Checks
from server.explanations import explanation_message
from server.handlers.extras import NO_EXTRAS, Extras
from server.handlers.feedback import FeedbackAnswer, FeedbackCall, Rejection
from server.handlers.genre import GenreHeard, GenreQuery
from server.handlers.recommend import PageAnswer, PageRequest
from server.handlers.score import Scored
from server.list_options import (
    FALLS_BACK,
    NOVELTIES,
    check_list_options,
    facet_filters,
    share,
)
from server.pages import MAX_TOKEN_BYTES
from server.ports import NewFeedback
from server.story_messages import media_message, preview_message, story_of

DEFAULT_PAGE = 10
MAX_PAGE = 100
MAX_EXPLAINED = 50
"""As many as the trees of a large bundle explain within the deadline that clients give a Score."""
DEFAULT_TOP_FEATURES = 10
MAX_TOP_FEATURES = 100
MAX_EVENTS = 1_000
MAX_EVENT_ID_BYTES = 128
NO_CAP = 2**31 - 1
MAX_EPOCH_S = 253_402_300_799
"""The last second of the year 9999, where protobuf's Timestamp ends."""

PROFILES: Mapping[int, str] = MappingProxyType(
    {
        common_pb.PROFILE_UNSPECIFIED: "full",
        common_pb.PROFILE_FULL: "full",
        common_pb.PROFILE_LIGHT: "light",
    }
)
OUTCOMES: Mapping[int, Outcome] = MappingProxyType(
    {
        common_pb.OUTCOME_PLAY: Outcome.PLAY,
        common_pb.OUTCOME_REPLAY: Outcome.REPLAY,
        common_pb.OUTCOME_LIKE: Outcome.LIKE,
        common_pb.OUTCOME_DISLIKE: Outcome.DISLIKE,
        common_pb.OUTCOME_UNLIKE: Outcome.UNLIKE,
        common_pb.OUTCOME_SKIP: Outcome.SKIP,
        common_pb.OUTCOME_PURCHASE: Outcome.PURCHASE,
        common_pb.OUTCOME_BOOKING: Outcome.BOOKING,
    }
)
GENRE_STATUSES: Mapping[GenreStatus, pb.GenreStatus.ValueType] = MappingProxyType(
    {
        GenreStatus.OK: pb.GENRE_STATUS_OK,
        GenreStatus.TRACK_WITHOUT_AUDIO: pb.GENRE_STATUS_TRACK_WITHOUT_AUDIO,
    }
)
LIST_MODES: Mapping[int, bool] = MappingProxyType(
    {
        pb.LIST_MODE_UNSPECIFIED: False,
        pb.LIST_MODE_LIVE: False,
        pb.LIST_MODE_QUEUE: True,
    }
)
"""List mode -> whether a first page may come from the stored queue; see `_is_from_queue`."""


def score_request(request: pb.ScoreRequest) -> ScoreRequest:
    """A Score request; InvalidRequestError names every field that is malformed."""
    checks = Checks()
    _check_circumstances(checks, request)
    _check_profile(checks, request.profile)
    n_objects = len(request.object_ids)
    if request.explain and n_objects > MAX_EXPLAINED:
        checks.refuse(
            "object_ids",
            f"must hold 1 to {MAX_EXPLAINED} ids with explain, got {n_objects}: split the call",
        )
    else:
        checks.ids("object_ids", request.object_ids, at_least=1, at_most=MAX_OBJECT_IDS)
    checks.between("top_features", request.top_features, 0, MAX_TOP_FEATURES)
    checks.finish()
    return ScoreRequest(
        user_ref(request.user),
        tuple(request.object_ids),
        dict(request.context),
        PROFILES[request.profile],
        (request.top_features or DEFAULT_TOP_FEATURES) if request.explain else None,
    )


def score_response(scored: Scored, *, include_members: bool) -> pb.ScoreResponse:
    """The answer, packed."""
    members = scored.answer.member_probabilities if include_members else {}
    return pb.ScoreResponse(
        object_ids=scored.answer.object_ids,
        probabilities=scored.answer.probabilities.tolist(),
        members=[
            pb.MemberScores(member=name, probabilities=members[name].tolist())
            for name in sorted(members)
        ],
        missing_ids=scored.answer.missing_ids,
        model_version=scored.model_version,
        explanations=map(explanation_message, scored.answer.explanations),
    )


def page_request(request: pb.RecommendRequest) -> PageRequest:
    """A Recommend request; InvalidRequestError names every field that is malformed."""
    checks = Checks()
    _check_circumstances(checks, request)
    _check_profile(checks, request.profile)
    checks.between("page_size", request.page_size, 0, MAX_PAGE)
    checks.text("page_token", request.page_token, MAX_TOKEN_BYTES)
    checks.text("pool", request.pool, MAX_ID_BYTES)
    checks.ids("candidate_ids", request.candidate_ids, at_least=0, at_most=MAX_OBJECT_IDS)
    checks.ids("exclude_ids", request.exclude_ids, at_least=0, at_most=MAX_OBJECT_IDS)
    cap = request.max_per_facet if request.HasField("max_per_facet") else None
    if cap is not None:
        checks.between("max_per_facet", cap, 0, NO_CAP)
    if request.list_mode not in LIST_MODES:
        checks.refuse(
            "list_mode", f"unknown list mode {request.list_mode}: send one of the enum ListMode"
        )
    check_list_options(checks, request)
    story = story_of(checks, request.story) if request.HasField("story") else None
    checks.finish()
    return PageRequest(
        request.domain,
        RecommendRequest(
            user_ref(request.user),
            dict(request.context),
            pool=request.pool,
            candidate_ids=tuple(dict.fromkeys(request.candidate_ids)),
            exclude_ids=tuple(dict.fromkeys(request.exclude_ids)),
            max_per_facet=NO_CAP if cap == 0 else cap,
            profile=PROFILES[request.profile],
            novelty=NOVELTIES[request.novelty],
            facet_filters=facet_filters(request),
            fall_back=FALLS_BACK[request.filter_mode],
            diversity=share(request, "diversity"),
            freshness=share(request, "freshness"),
            exploration=share(request, "exploration"),
            story=story,
        ),
        size=request.page_size or DEFAULT_PAGE,
        token=request.page_token,
        from_queue=_is_from_queue(request),
        validate_only=request.validate_only,
        include_media=request.include_media,
    )


def _is_from_queue(request: pb.RecommendRequest) -> bool:
    """A story keeps its pick for a while, unless the caller wants a list that is ranked now."""
    if request.list_mode == pb.LIST_MODE_UNSPECIFIED:
        return request.HasField("story")
    return LIST_MODES[request.list_mode]


def page_response(page: PageAnswer, extras: Extras = NO_EXTRAS) -> pb.RecommendResponse:
    """The page."""
    return pb.RecommendResponse(
        recommendation_id=page.recommendation_id,
        items=[
            pb.RecommendedItem(
                object_id=item.object_id,
                probability=item.probability,
                rank=rank,
                sources=item.sources,
                reasons=item.reasons,
                propensity=item.propensity,
                explored=item.explored,
                preview=preview_message(extras.previews.get(item.object_id)),
                media=media_message(extras.media.get(item.object_id)),
            )
            for rank, item in page.items
        ],
        next_page_token=page.next_token,
        model_version=page.model_version,
        fallbacks=page.fallbacks,
    )


def genre_query(request: pb.GenreNeighborRequest, max_audio_bytes: int) -> GenreQuery:
    """A GenreNeighbor request; InvalidRequestError names every field that is malformed."""
    checks = Checks()
    _check_request_id(checks, request.request_id)
    checks.between("k", request.k, 0, MAX_PAGE)
    checks.text("pool", request.pool, MAX_ID_BYTES)
    asked = request.WhichOneof("query")
    if asked == "track_id":
        checks.id("track_id", request.track_id)
    elif asked is None:
        checks.refuse("query", "is missing: send track_id or audio")
    elif not 0 < len(request.audio) <= max_audio_bytes:
        checks.refuse("audio", f"must have 1 to {max_audio_bytes} bytes, got {len(request.audio)}")
    checks.finish()
    return GenreQuery(
        request.k or DEFAULT_PAGE,
        request.same_genre,
        request.pool,
        request.track_id,
        request.audio,
    )


def genre_response(heard: GenreHeard) -> pb.GenreNeighborResponse:
    """Genres and neighbours."""
    answer = heard.answer
    return pb.GenreNeighborResponse(
        status=GENRE_STATUSES[answer.status],
        genres=[pb.GenreProbability(genre=g, probability=p) for g, p in answer.genres],
        neighbors=[
            pb.TrackNeighbor(track_id=track_id, cosine=cosine, genre=genre)
            for track_id, cosine, genre in answer.neighbours
        ],
        note=answer.note,
        model_version=heard.model_version,
        moods=[pb.SoundTag(tag=tag, probability=p) for tag, p in answer.moods],
        instruments=[pb.SoundTag(tag=tag, probability=p) for tag, p in answer.instruments],
        same_recording_ids=answer.same_recording,
    )


def feedback_call(request: pb.FeedbackRequest) -> FeedbackCall:
    """The events one by one: a malformed event is rejected alone, the call only as a whole."""
    checks = Checks()
    _check_request_id(checks, request.request_id)
    if not 1 <= len(request.events) <= MAX_EVENTS:
        checks.refuse("events", f"must hold 1 to {MAX_EVENTS}, got {len(request.events)}")
    checks.finish()
    readable: dict[int, NewFeedback] = {}
    unreadable: list[Rejection] = []
    for index, event in enumerate(request.events):
        try:
            readable[index] = _new_feedback(event)
        except InvalidRequestError as error:
            unreadable.append(Rejection(index, str(error)))
    return FeedbackCall(readable, unreadable)


def feedback_response(answer: FeedbackAnswer) -> pb.FeedbackResponse:
    """What became of the events."""
    return pb.FeedbackResponse(
        accepted=answer.accepted,
        duplicates=answer.duplicates,
        rejected=[pb.RejectedEvent(index=r.index, reason=r.reason) for r in answer.rejected],
        model_version=answer.model_version,
    )


def _new_feedback(event: pb.FeedbackEvent) -> NewFeedback:
    checks = Checks()
    checks.id("event_id", event.event_id, MAX_EVENT_ID_BYTES)
    checks.id("user_id", event.user_id)
    checks.id("object_id", event.object_id)
    checks.text("recommendation_id", event.recommendation_id, MAX_EVENT_ID_BYTES)
    checks.mapping("context", event.context)
    if event.outcome not in OUTCOMES:
        checks.refuse("outcome", f"unknown outcome {event.outcome}: send one of the enum Outcome")
    if not math.isfinite(event.value):
        checks.refuse("value", f"must be finite, got {event.value}")
    occurred_at_s = _occurred_at_s(checks, event)
    checks.finish()
    return NewFeedback(
        event.event_id,
        event.user_id,
        event.object_id,
        OUTCOMES[event.outcome],
        occurred_at_s,
        event.recommendation_id,
        event.organic,
        event.value,
        dict(event.context),
    )


def _occurred_at_s(checks: Checks, event: pb.FeedbackEvent) -> float | None:
    if not event.HasField("occurred_at"):
        return None
    seconds, nanos = event.occurred_at.seconds, event.occurred_at.nanos
    if not (0 <= seconds <= MAX_EPOCH_S and 0 <= nanos < 1_000_000_000):
        checks.refuse("occurred_at", f"must lie in 1970 to 9999, got {seconds} s and {nanos} ns")
    return seconds + nanos * 1e-9


def _check_circumstances(checks: Checks, request: pb.ScoreRequest | pb.RecommendRequest) -> None:
    _check_request_id(checks, request.request_id)
    check_user(checks, request.user)
    checks.mapping("context", request.context)


def check_user(checks: Checks, user: common_pb.User) -> None:
    """Note what is malformed in a user."""
    checks.text("user.id", user.id, MAX_ID_BYTES)
    checks.mapping("user.attributes", user.attributes)


def _check_request_id(checks: Checks, request_id: str) -> None:
    checks.text("request_id", request_id, MAX_REQUEST_ID_BYTES)


def _check_profile(checks: Checks, profile: int) -> None:
    if profile not in PROFILES:
        checks.refuse("profile", f"unknown profile {profile}: send one of the enum Profile")


def user_ref(user: common_pb.User) -> UserRef:
    """The user as the core says it."""
    return UserRef(user.id, dict(user.attributes))
