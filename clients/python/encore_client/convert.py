"""Between the client's dataclasses and encore.v1: the only place that knows both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Unpack

from encore.v1 import admin_service_pb2, common_pb2, recommender_service_pb2
from encore_client.types import (
    Explanation,
    FeatureContribution,
    FeatureContributions,
    FeedbackEvent,
    FeedbackReceipt,
    FilterMode,
    GenreNeighbors,
    GenreProbability,
    GenreStatus,
    ListMode,
    Media,
    MemberContribution,
    Novelty,
    Outcome,
    PreviewWindow,
    Profile,
    Recommendation,
    RecommendedItem,
    RecommendOptions,
    RejectedEvent,
    ScoredObjects,
    SoundTag,
    Story,
    TrackNeighbor,
    User,
)

_PROFILES = {
    Profile.UNSPECIFIED: common_pb2.PROFILE_UNSPECIFIED,
    Profile.FULL: common_pb2.PROFILE_FULL,
    Profile.LIGHT: common_pb2.PROFILE_LIGHT,
}

_LIST_MODES = {
    ListMode.UNSPECIFIED: recommender_service_pb2.LIST_MODE_UNSPECIFIED,
    ListMode.LIVE: recommender_service_pb2.LIST_MODE_LIVE,
    ListMode.QUEUE: recommender_service_pb2.LIST_MODE_QUEUE,
}

_NOVELTIES = {
    Novelty.ANY: recommender_service_pb2.NOVELTY_UNSPECIFIED,
    Novelty.NEW_ONLY: recommender_service_pb2.NOVELTY_NEW_ONLY,
    Novelty.KNOWN_ONLY: recommender_service_pb2.NOVELTY_KNOWN_ONLY,
}

_FILTER_MODES = {
    FilterMode.UNSPECIFIED: recommender_service_pb2.FILTER_MODE_UNSPECIFIED,
    FilterMode.STRICT: recommender_service_pb2.FILTER_MODE_STRICT,
    FilterMode.FALL_BACK: recommender_service_pb2.FILTER_MODE_FALL_BACK,
}

_OUTCOMES = {
    Outcome.PLAY: common_pb2.OUTCOME_PLAY,
    Outcome.REPLAY: common_pb2.OUTCOME_REPLAY,
    Outcome.LIKE: common_pb2.OUTCOME_LIKE,
    Outcome.DISLIKE: common_pb2.OUTCOME_DISLIKE,
    Outcome.UNLIKE: common_pb2.OUTCOME_UNLIKE,
    Outcome.SKIP: common_pb2.OUTCOME_SKIP,
    Outcome.PURCHASE: common_pb2.OUTCOME_PURCHASE,
    Outcome.BOOKING: common_pb2.OUTCOME_BOOKING,
}

_GENRE_STATUSES = {
    recommender_service_pb2.GENRE_STATUS_OK: GenreStatus.OK,
    recommender_service_pb2.GENRE_STATUS_TRACK_WITHOUT_AUDIO: GenreStatus.TRACK_WITHOUT_AUDIO,
}


def user_message(user: User | str) -> common_pb2.User:
    """Returns the message of a user, or of the user with this id."""
    if isinstance(user, str):
        return common_pb2.User(id=user)
    return common_pb2.User(id=user.id, attributes=user.attributes)


def score_request(
    domain: str,
    user: User | str,
    object_ids: Iterable[str],
    *,
    context: Mapping[str, str] | None,
    profile: Profile,
    include_members: bool,
    explain: bool,
    top_features: int,
    request_id: str,
) -> recommender_service_pb2.ScoreRequest:
    """Builds the request of Score."""
    return recommender_service_pb2.ScoreRequest(
        domain=domain,
        user=user_message(user),
        object_ids=_ids("object_ids", object_ids),
        context=context,
        profile=_PROFILES[profile],
        include_members=include_members,
        explain=explain,
        top_features=top_features,
        request_id=request_id,
    )


def scored_objects(answer: recommender_service_pb2.ScoreResponse) -> ScoredObjects:
    """Reads the answer of Score."""
    return ScoredObjects(
        object_ids=tuple(answer.object_ids),
        probabilities=tuple(answer.probabilities),
        members={member.member: tuple(member.probabilities) for member in answer.members},
        missing_ids=tuple(answer.missing_ids),
        model_version=answer.model_version,
        request_id=answer.request_id,
        explanations=tuple(map(_explanation, answer.explanations)),
    )


def recommend_request(
    domain: str,
    user: User | str,
    *,
    page_token: str,
    request_id: str,
    context: Mapping[str, str] | None = None,
    page_size: int = 0,
    pool: str = "",
    candidate_ids: Iterable[str] = (),
    exclude_ids: Iterable[str] = (),
    max_per_facet: int | None = None,
    profile: Profile = Profile.UNSPECIFIED,
    novelty: Novelty = Novelty.ANY,
    facet_filters: Mapping[str, Iterable[str]] | None = None,
    filter_mode: FilterMode = FilterMode.UNSPECIFIED,
    diversity: float | None = None,
    freshness: float | None = None,
    exploration: float | None = None,
    list_mode: ListMode = ListMode.UNSPECIFIED,
    story: Story | None = None,
    include_media: bool = False,
) -> recommender_service_pb2.RecommendRequest:
    """Builds the request of Recommend; the keywords with defaults are `RecommendOptions`."""
    return recommender_service_pb2.RecommendRequest(
        domain=domain,
        user=user_message(user),
        context=context,
        page_size=page_size,
        page_token=page_token,
        pool=pool,
        candidate_ids=_ids("candidate_ids", candidate_ids),
        exclude_ids=_ids("exclude_ids", exclude_ids),
        max_per_facet=max_per_facet,
        profile=_PROFILES[profile],
        novelty=_NOVELTIES[novelty],
        facet_filters=[
            recommender_service_pb2.FacetFilter(
                field=field, values=_ids(f'facet_filters["{field}"]', values)
            )
            for field, values in (facet_filters or {}).items()
        ],
        filter_mode=_FILTER_MODES[filter_mode],
        diversity=diversity,
        freshness=freshness,
        exploration=exploration,
        list_mode=_LIST_MODES[list_mode],
        request_id=request_id,
        story=None if story is None else _story_message(story),
        include_media=include_media,
    )


def recommendation(answer: recommender_service_pb2.RecommendResponse) -> Recommendation:
    """Reads the answer of Recommend."""
    return Recommendation(
        recommendation_id=answer.recommendation_id,
        items=tuple(
            RecommendedItem(
                object_id=item.object_id,
                probability=item.probability,
                rank=item.rank,
                sources=tuple(item.sources),
                reasons=tuple(item.reasons),
                propensity=item.propensity,
                explored=item.explored,
                preview=_preview(item.preview) if item.HasField("preview") else None,
                media=_media(item.media) if item.HasField("media") else None,
            )
            for item in answer.items
        ),
        next_page_token=answer.next_page_token,
        model_version=answer.model_version,
        fallbacks=tuple(answer.fallbacks),
        request_id=answer.request_id,
    )


def genre_neighbor_request(
    domain: str,
    *,
    track_id: str | None,
    audio: bytes | None,
    k: int,
    same_genre: bool,
    pool: str,
    request_id: str,
) -> recommender_service_pb2.GenreNeighborRequest:
    """Builds the request of GenreNeighbor.

    Raises:
        ValueError: Not exactly one of `track_id` and `audio` is given.
    """
    if (track_id is None) == (audio is None):
        raise ValueError(
            "genre_neighbor starts from one sound: pass either track_id or audio, got "
            + ("neither" if track_id is None else "both")
        )
    request = recommender_service_pb2.GenreNeighborRequest(
        domain=domain, k=k, same_genre=same_genre, pool=pool, request_id=request_id
    )
    if track_id is not None:
        request.track_id = track_id
    if audio is not None:
        request.audio = audio
    return request


def genre_neighbors(answer: recommender_service_pb2.GenreNeighborResponse) -> GenreNeighbors:
    """Reads the answer of GenreNeighbor."""
    return GenreNeighbors(
        status=_GENRE_STATUSES.get(answer.status, GenreStatus.UNKNOWN),
        genres=tuple(GenreProbability(each.genre, each.probability) for each in answer.genres),
        neighbors=tuple(
            TrackNeighbor(each.track_id, each.cosine, each.genre) for each in answer.neighbors
        ),
        moods=tuple(SoundTag(each.tag, each.probability) for each in answer.moods),
        instruments=tuple(SoundTag(each.tag, each.probability) for each in answer.instruments),
        same_recording_ids=tuple(answer.same_recording_ids),
        note=answer.note,
        model_version=answer.model_version,
        request_id=answer.request_id,
    )


def feedback_request(
    domain: str, events: Iterable[FeedbackEvent], *, request_id: str
) -> recommender_service_pb2.FeedbackRequest:
    """Builds the request of Feedback for one batch."""
    return recommender_service_pb2.FeedbackRequest(
        domain=domain, events=map(_event_message, events), request_id=request_id
    )


def feedback_receipt(answer: recommender_service_pb2.FeedbackResponse) -> FeedbackReceipt:
    """Reads the answer of Feedback for one batch."""
    return FeedbackReceipt(
        accepted=answer.accepted,
        duplicates=answer.duplicates,
        rejected=tuple(RejectedEvent(each.index, each.reason) for each in answer.rejected),
        model_version=answer.model_version,
        request_id=answer.request_id,
    )


def debug_features_request(
    domain: str, user: User | str, object_ids: Iterable[str], *, context: Mapping[str, str] | None
) -> admin_service_pb2.DebugFeaturesRequest:
    """Builds the request of DebugFeatures."""
    return admin_service_pb2.DebugFeaturesRequest(
        domain=domain,
        user=user_message(user),
        object_ids=_ids("object_ids", object_ids),
        context=context,
    )


def why_not_request(
    domain: str,
    user: User | str,
    object_ids: Iterable[str],
    *,
    request_id: str,
    **options: Unpack[RecommendOptions],
) -> admin_service_pb2.WhyNotRequest:
    """Builds the request of WhyNot."""
    return admin_service_pb2.WhyNotRequest(
        request=recommend_request(domain, user, page_token="", request_id=request_id, **options),
        object_ids=_ids("object_ids", object_ids),
    )


def _story_message(story: Story) -> recommender_service_pb2.Story:
    return recommender_service_pb2.Story(
        story_id=story.story_id, tags=_ids("tags", story.tags), max_seconds=story.max_seconds
    )


def _preview(message: recommender_service_pb2.PreviewWindow) -> PreviewWindow:
    return PreviewWindow(message.start_ms, message.length_ms, message.is_default)


def _media(message: recommender_service_pb2.Media) -> Media:
    return Media(message.title, message.cover_url, message.preview_url, message.note)


def _explanation(message: recommender_service_pb2.Explanation) -> Explanation:
    return Explanation(
        logit=message.logit,
        intercept=message.intercept,
        members=tuple(map(_member_contribution, message.members)),
        branch_cosine=message.branch_cosine if message.HasField("branch_cosine") else None,
        sunk=message.sunk,
    )


def _member_contribution(
    message: recommender_service_pb2.MemberContribution,
) -> MemberContribution:
    return MemberContribution(
        member=message.member,
        logit=message.logit,
        weight=message.weight,
        contribution=message.contribution,
        features=_feature_contributions(message.features) if message.HasField("features") else None,
    )


def _feature_contributions(
    message: recommender_service_pb2.FeatureContributions,
) -> FeatureContributions:
    return FeatureContributions(
        base=message.base,
        features=tuple(
            FeatureContribution(each.feature, each.family, each.contribution)
            for each in message.features
        ),
        rest=message.rest,
        families={each.family: each.contribution for each in message.families},
    )


def _event_message(event: FeedbackEvent) -> recommender_service_pb2.FeedbackEvent:
    message = recommender_service_pb2.FeedbackEvent(
        event_id=event.event_id,
        user_id=event.user_id,
        object_id=event.object_id,
        outcome=_OUTCOMES[event.outcome],
        recommendation_id=event.recommendation_id,
        organic=event.organic,
        value=event.value,
        context=event.context,
    )
    if event.occurred_at is not None:
        message.occurred_at.FromDatetime(event.occurred_at)
    return message


def _ids(name: str, ids: Iterable[str]) -> Iterable[str]:
    # A str is an iterable of its letters, each a plausible id: the mistake would go unseen.
    if isinstance(ids, str):
        raise TypeError(f"{name} takes several ids: got the str {ids!r}, pass [{ids!r}]")
    return ids
