"""What callers give and get: frozen dataclasses, so that no protobuf shows outside the client."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TypedDict


class Profile(StrEnum):
    """Which members answer."""

    UNSPECIFIED = "unspecified"
    """The server's default."""
    FULL = "full"
    """Every member."""
    LIGHT = "light"
    """In Score symmetric trees alone, in lists F-ELU-Net and LightGBM: less latency."""


class Novelty(StrEnum):
    """Whether a list offers what the user has had before."""

    ANY = "any"
    """Both."""
    NEW_ONLY = "new_only"
    """Only what the user never had."""
    KNOWN_ONLY = "known_only"
    """Only what the user had before."""


class FilterMode(StrEnum):
    """What becomes of objects that do not pass the facet filters."""

    UNSPECIFIED = "unspecified"
    """As STRICT."""
    STRICT = "strict"
    """They are left out: the list may be short."""
    FALL_BACK = "fall_back"
    """They follow after all that pass, where those do not fill the list."""


class ListMode(StrEnum):
    """Where a first page of a ranked list comes from."""

    UNSPECIFIED = "unspecified"
    """The server's default: queue for a story, else live."""
    LIVE = "live"
    """Ranked now."""
    QUEUE = "queue"
    """Read from the list that the server has stored for the user, without what they took or
    disliked since; ranked now where there is none that will do."""


class Outcome(StrEnum):
    """What an event says. A domain accepts some and names them when it refuses one."""

    PLAY = "play"
    REPLAY = "replay"
    LIKE = "like"
    DISLIKE = "dislike"
    UNLIKE = "unlike"
    SKIP = "skip"
    PURCHASE = "purchase"
    BOOKING = "booking"


class GenreStatus(StrEnum):
    """What became of a question about a sound."""

    OK = "ok"
    TRACK_WITHOUT_AUDIO = "track_without_audio"
    """The server has no sound of the track: send audio instead."""
    UNKNOWN = "unknown"
    """A status that this client is too old to know."""


@dataclass(frozen=True)
class User:
    """Who asks; unknown users are served as new ones."""

    id: str = ""
    """Id in the interaction log; empty for a user without one."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """User fields of the domain's schema, for this request only."""


@dataclass(frozen=True)
class FeatureContribution:
    """What one feature adds to the log-odds of a member."""

    feature: str
    family: str
    contribution: float


@dataclass(frozen=True)
class FeatureContributions:
    """Why a member says what it says.

    Its logit is the sum of `base` and `families`, and also that of `base`, `features` and `rest`.
    """

    base: float
    """What the member says before it sees any feature."""
    features: tuple[FeatureContribution, ...]
    """Those that add or take most, the strongest first."""
    rest: float
    """What all features that are not named add together."""
    families: Mapping[str, float]
    """Name of a family of features -> what they add together."""


@dataclass(frozen=True)
class MemberContribution:
    """What one member adds to the log-odds of an answer."""

    member: str
    logit: float
    """Log-odds of what the member says by itself."""
    weight: float
    contribution: float
    """The weight times the logit."""
    features: FeatureContributions | None
    """None for members that cannot tell features apart."""


@dataclass(frozen=True)
class Explanation:
    """Why a probability is what it is: `logit` is `intercept` and all contributions of members."""

    logit: float
    """Log-odds of the probability."""
    intercept: float
    members: tuple[MemberContribution, ...]
    branch_cosine: float | None
    """Cosine of JENN's user and object branches; None when JENN does not answer."""
    sunk: bool
    """A member could not score the object, so it was put last: there is nothing to add up."""


@dataclass(frozen=True)
class ScoredObjects:
    """Probabilities that the user comes back, in the order asked."""

    object_ids: tuple[str, ...]
    probabilities: tuple[float, ...]
    """Calibrated, one an object."""
    members: Mapping[str, tuple[float, ...]]
    """Name of a member -> its probabilities, one an object; empty unless asked for."""
    missing_ids: tuple[str, ...]
    """Asked ids that the log has never shown; they were scored as new objects."""
    model_version: str
    request_id: str
    explanations: tuple[Explanation, ...] = ()
    """One an object; empty unless asked for."""


@dataclass(frozen=True)
class Story:
    """What is to be accompanied by a track."""

    story_id: str
    """The same story gets the same pick for a user; 1 to 256 bytes."""
    tags: tuple[str, ...] | list[str] = ()
    """Moods, instruments and genres, at most 20: tracks that carry more of them come first."""
    max_seconds: int | None = None
    """Longest preview window, 1 to 600; None for as long as it was chosen."""


@dataclass(frozen=True)
class PreviewWindow:
    """The part of a track to play, in milliseconds from its beginning."""

    start_ms: int
    length_ms: int
    is_default: bool
    """The track was not listened to: a guess."""


@dataclass(frozen=True)
class Media:
    """What a catalogue of media knows of an object; empty where it does not."""

    title: str
    cover_url: str
    preview_url: str
    note: str
    """What is missing, for people, such as `preview unavailable`."""


@dataclass(frozen=True)
class RecommendedItem:
    """One object of a ranked list."""

    object_id: str
    probability: float
    """Calibrated probability that the user comes back to it."""
    rank: int
    """Place in the whole list, from 1."""
    sources: tuple[str, ...]
    """Which sources proposed it."""
    reasons: tuple[str, ...]
    """Why, for people."""
    propensity: float = 1.0
    """Probability that this object came to stand here, given those before it; 1 without
    exploration."""
    explored: bool = False
    """It stands here because the place was drawn, not because it was the best that was left."""
    preview: PreviewWindow | None = None
    """Only for stories."""
    media: Media | None = None
    """Only with `include_media`."""


@dataclass(frozen=True)
class Recommendation:
    """One page of a ranked list, best first."""

    recommendation_id: str
    """Put it into the feedback that this page leads to."""
    items: tuple[RecommendedItem, ...]
    next_page_token: str
    """Empty when the list ends."""
    model_version: str
    fallbacks: tuple[str, ...]
    """What fell back or failed on the way, for people."""
    request_id: str


class RecommendOptions(TypedDict, total=False):
    """The keywords that `recommend` and `recommend_pages` share; all may be left out."""

    context: Mapping[str, str]
    """Context fields of the domain's schema."""
    page_size: int
    """Items in a page, 1 to 100; the server's default is 10."""
    pool: str
    """Draw only from this pool, such as `royalty_free`."""
    candidate_ids: tuple[str, ...] | list[str]
    """Rank exactly these objects instead of what the sources propose."""
    exclude_ids: tuple[str, ...] | list[str]
    """Never return these objects."""
    max_per_facet: int | None
    """At most so many items of one artist; None is the domain's cap, 0 is no cap."""
    profile: Profile
    """Which members answer."""
    novelty: Novelty
    """What the user had before, what they never had, or both."""
    facet_filters: Mapping[str, tuple[str, ...] | list[str]]
    """Category field of objects, such as `genres` -> values of which any will do. An object must
    pass all fields."""
    filter_mode: FilterMode
    """What to do where few objects pass."""
    diversity: float | None
    """How much unlikeness to what stands before counts, 0 to 1; None is the domain's."""
    freshness: float | None
    """How much it counts that few users have met an object, 0 to 1; None is the domain's."""
    exploration: float | None
    """Chance of each place to be drawn instead of taken by the best, 0 to 1; None is the
    domain's."""
    list_mode: ListMode
    """Whether a first page is ranked now or read from the user's stored list."""
    story: Story | None
    """Pick a soundtrack for it: the first item is the pick, the rest are runners-up."""
    include_media: bool
    """Also return titles, covers and preview links, as far as they are at hand."""


@dataclass(frozen=True)
class GenreProbability:
    """One genre of a distribution."""

    genre: str
    probability: float


@dataclass(frozen=True)
class TrackNeighbor:
    """One track that sounds alike."""

    track_id: str
    cosine: float
    """Of the embeddings of the two sounds, -1 to 1."""
    genre: str
    """Known or predicted."""


@dataclass(frozen=True)
class SoundTag:
    """Something that can be heard: a mood, an instrument, a voice."""

    tag: str
    probability: float
    """Those of different tags do not sum to 1."""


@dataclass(frozen=True)
class GenreNeighbors:
    """What a sound is, and what sounds like it."""

    status: GenreStatus
    genres: tuple[GenreProbability, ...]
    """Most likely first."""
    neighbors: tuple[TrackNeighbor, ...]
    """Nearest first."""
    moods: tuple[SoundTag, ...]
    """Most likely first."""
    instruments: tuple[SoundTag, ...]
    """Instruments and voices, most likely first."""
    same_recording_ids: tuple[str, ...]
    """Tracks that are the same recording; they are not among the neighbors."""
    note: str
    """What to know before trusting the answer."""
    model_version: str
    request_id: str


class EventDetails(TypedDict, total=False):
    """The keywords that `like`, `dislike` and `play` hand to their event; all may be left out."""

    event_id: str
    occurred_at: datetime | None
    recommendation_id: str
    organic: bool
    value: float
    context: Mapping[str, str]


@dataclass(frozen=True)
class FeedbackEvent:
    """One thing that a user did.

    Raises:
        ValueError: `occurred_at` has no time zone.
    """

    user_id: str
    object_id: str
    outcome: Outcome
    event_id: str = ""
    """Unique for ever, a repeat counts once. Made up when left out, and then part of the event:
    sending the same event again, by a retry or by the caller, never counts it twice."""
    occurred_at: datetime | None = None
    """With a time zone; None means when the server stores it."""
    recommendation_id: str = ""
    """The answer of Recommend that led to it."""
    organic: bool = False
    """The user found the object without a recommendation."""
    value: float = 0.0
    """Strength in the domain's unit, such as seconds played or money spent."""
    context: Mapping[str, str] = field(default_factory=dict)
    """Context fields of the domain's schema."""

    def __post_init__(self) -> None:
        if not self.event_id:
            object.__setattr__(self, "event_id", str(uuid.uuid4()))
        if self.occurred_at is not None and self.occurred_at.utcoffset() is None:
            raise ValueError(
                f"occurred_at has no time zone: got {self.occurred_at.isoformat()}, "
                "pass an aware datetime such as datetime.now(UTC)"
            )


@dataclass(frozen=True)
class RejectedEvent:
    """One event that can never be stored."""

    index: int
    """Its place in the caller's events, from 0."""
    reason: str


@dataclass(frozen=True)
class FeedbackReceipt:
    """What became of the events of one `feedback` call, over all its batches."""

    accepted: int = 0
    """Events stored by this call."""
    duplicates: int = 0
    """Events whose event_id was stored before: by an earlier call, or by a try whose answer was
    lost on the way."""
    rejected: tuple[RejectedEvent, ...] = ()
    model_version: str = ""
    """Of the last batch; empty when there were no events."""
    request_id: str = ""
