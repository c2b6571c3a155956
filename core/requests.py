"""What callers ask an engine and what it answers: plain values, no transport."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from core.fates import WhyNot
from core.log import Outcome
from core.state.columns import FeatureBatch


@dataclass(frozen=True)
class UserRef:
    """Who asks: an id, attributes, or both; unknown ids are served as new users."""

    id: str = ""
    """Empty for a user without an id: nothing of the past is known."""
    attributes: Mapping[str, str | float] = field(default_factory=dict)
    """User fields of the schema; they override what the bundle knows, for this request only."""


@dataclass(frozen=True)
class ScoreRequest:
    """Probabilities that the user comes back to each object."""

    user: UserRef
    object_ids: Sequence[str]
    context: Mapping[str, str] = field(default_factory=dict)
    """Context fields of the schema; absent ones are unknown."""
    profile: str = "full"
    """`full` or `light`."""
    top_features: int | None = None
    """Explain each probability, naming at most so many features; None explains nothing."""


@dataclass(frozen=True)
class FeatureContribution:
    """What one feature adds to a member's logit."""

    feature: str
    family: str
    contribution: float


@dataclass(frozen=True)
class FeatureContributions:
    """Why a member says what it says.

    Its logit is the base and all families; it is also the base, the features named and the rest.
    """

    base: float
    """What the member says before it sees any feature."""
    features: tuple[FeatureContribution, ...]
    """Those that add or take most, the strongest first; none that does nothing."""
    rest: float
    """What all features that are not named add together."""
    families: Mapping[str, float]
    """Family -> what its features add together; every family that the member sees."""


@dataclass(frozen=True)
class MemberContribution:
    """What one member adds to a served logit."""

    member: str
    logit: float
    weight: float
    contribution: float
    """The weight times the logit."""
    features: FeatureContributions | None
    """None for members that cannot tell features apart."""


@dataclass(frozen=True)
class Explanation:
    """Why a probability is what it is: its logit is the intercept and all contributions."""

    logit: float
    """Log-odds of the probability."""
    intercept: float
    """The constant of the stack."""
    members: tuple[MemberContribution, ...]
    """In the order of the stack."""
    branch_cosine: float | None
    """How well user and object match in JENN before it sees the context; None without JENN."""
    is_sunk: bool = False
    """A member could not score the object, so it was put last: there are no members to add up."""


@dataclass(frozen=True)
class ScoreAnswer:
    """Parallel arrays in the order asked."""

    object_ids: tuple[str, ...]
    probabilities: NDArray[np.float64]
    """(n,)"""
    member_probabilities: Mapping[str, NDArray[np.float64]]
    """member name -> (n,)"""
    missing_ids: tuple[str, ...]
    """Asked ids that the state has never heard of; they are scored as new objects all the same."""
    explanations: tuple[Explanation, ...] = ()
    """One a probability when asked for, else none."""


class Novelty(StrEnum):
    """Whether a list offers what the user has had before, what they never had, or both."""

    ANY = "any"
    NEW_ONLY = "new_only"
    """Only what the user never had: explore."""
    KNOWN_ONLY = "known_only"
    """Only what the user had: repeat."""


@dataclass(frozen=True)
class FacetFilter:
    """Passes objects of which any value of a category field is among the values given."""

    field: str
    """A category or category set among the object fields of the schema."""
    values: tuple[str, ...]
    """Values that nobody has heard of match nothing."""


@dataclass(frozen=True)
class Story:
    """What is to be accompanied: asks for one fitting object with a sound, and runners-up."""

    story_id: str
    """Same story and user, same pick; where probabilities are close, another story gets another."""
    tags: tuple[str, ...] = ()
    """Objects that carry more of them come first; however few, the list is filled with others."""
    max_seconds: int | None = None
    """Longest preview window; None for as long as it was chosen."""


@dataclass(frozen=True)
class RecommendRequest:
    """What to rank and what to leave out."""

    user: UserRef
    context: Mapping[str, str] = field(default_factory=dict)
    size: int = 100
    """How many items to rank into the queue."""
    pool: str = ""
    """Name of a pool to draw from; empty for all objects."""
    candidate_ids: tuple[str, ...] = ()
    """When given, only these are candidates and no source runs."""
    exclude_ids: tuple[str, ...] = ()
    max_per_facet: int | None = None
    """Cap per value of the main facet (artist); None takes the domain's."""
    profile: str = "full"
    novelty: Novelty = Novelty.ANY
    facet_filters: tuple[FacetFilter, ...] = ()
    """An object must pass all of them."""
    fall_back: bool = False
    """Where too few objects pass the facet filters, let others follow them; else the list is short.
    """
    diversity: float | None = None
    """0 to 1: how much unlikeness to what stands before counts against relevance; None takes the
    domain's."""
    freshness: float | None = None
    """0 to 1: how much it counts that few users have met an object; None takes the domain's."""
    exploration: float | None = None
    """0 to 1: the chance of each place of the list to be drawn instead of taken; None takes the
    domain's."""
    seed: int = 0
    """Of the draws: the same request, state and seed give the same list."""
    queued_ids: tuple[str, ...] = ()
    """The user's last queue of the same request, best first: kept for next, so still candidates."""
    story: Story | None = None
    """None for a list that accompanies nothing."""


@dataclass(frozen=True)
class RankedItem:
    """One item of a slate."""

    object_id: str
    probability: float
    sources: tuple[str, ...]
    """Which sources proposed it."""
    reasons: tuple[str, ...]
    """Short facts for people, such as `similar to t42`."""
    propensity: float = 1.0
    """Probability that this object came to stand here, given those before it."""
    choices: int = 1
    """How many candidates could have come to stand here, given those before it."""
    passed_over: float | None = None
    """Probability of the object that exploration kept from standing here; None when it did not."""

    @property
    def explored(self) -> bool:
        """It stands here because the place was drawn, not because it was the best that was left."""
        return self.passed_over is not None


@dataclass(frozen=True)
class Slate:
    """A ranked list with what became of every candidate."""

    items: tuple[RankedItem, ...]
    fallbacks: tuple[str, ...]
    """What failed or fell back, such as `source item_to_item failed`, `cold user: popular only`."""
    removed: Mapping[str, str]
    """object id -> the filter that removed it."""


class GenreStatus(StrEnum):
    """What became of a question about the sound of a track."""

    OK = "ok"
    TRACK_WITHOUT_AUDIO = "track_without_audio"
    """There is no sound of the track; known or unknown, it was not an error to ask."""


@dataclass(frozen=True)
class GenreAnswer:
    """Genre and neighbours of a sound; both are empty unless the status is OK."""

    status: GenreStatus
    genres: tuple[tuple[str, float], ...] = ()
    """(genre, probability), most likely first."""
    moods: tuple[tuple[str, float], ...] = ()
    """(mood, probability), most likely first."""
    instruments: tuple[tuple[str, float], ...] = ()
    """(instrument or voice, probability), most likely first."""
    neighbours: tuple[tuple[str, float, str], ...] = ()
    """(track id, cosine, genre), nearest first."""
    same_recording: tuple[str, ...] = ()
    """Ids of tracks that are the sound asked about once more; they are not among the neighbours."""
    note: str = ""
    """What to know before trusting the answer."""


@dataclass(frozen=True)
class FeedbackEvent:
    """One stored feedback row, in log order."""

    sequence: int
    """Position in the feedback log; strictly increasing."""
    user_id: str
    object_id: str
    outcome: Outcome
    log_time_s: float
    """Moment on the log's clock; never decreasing along the sequence."""
    context: Mapping[str, str] = field(default_factory=dict)


class Engine(Protocol):
    """One domain's bundle with its live state: what the server calls. Safe across threads.

    Methods that read take `now_s`, the moment on the log's clock; labels mature up to it.
    """

    @property
    def domain(self) -> str:
        """Name of the domain."""
        ...

    @property
    def model_version(self) -> str:
        """Version of the bundle that answers."""
        ...

    @property
    def watermark(self) -> int:
        """Sequence of the last feedback row in the state; 0 before any."""
        ...

    @property
    def clock_s(self) -> float:
        """The latest moment the state has seen: later events may not lie before it."""
        ...

    @property
    def best_known_user(self) -> str:
        """Id of the user who has met most objects, empty before anybody has met any.

        A warm-up asks as them: what is read of strangers alone compiles less.
        """
        ...

    def holding_clock(self) -> AbstractContextManager[None]:
        """Inside, reads let no further label mature.

        Whoever appends to the feedback log holds the clock from before a row gets its log time
        until the row is applied: else a read in between could settle a label that the row, once
        replayed in log order, would still have changed.
        """
        ...

    def check_feedback(self, event: FeedbackEvent) -> str | None:
        """Why this event can never be applied (unknown outcome or context field), or None."""
        ...

    def apply(self, event: FeedbackEvent) -> None:
        """Put one feedback row into the live state; rows at or below the watermark are ignored."""
        ...

    def score(self, request: ScoreRequest, now_s: float) -> ScoreAnswer:
        """Score; InvalidRequestError names a field the schema does not have."""
        ...

    def recommend(self, request: RecommendRequest, now_s: float) -> Slate:
        """Sources, filters, scores, rerankers; InvalidRequestError names the field."""
        ...

    def features(self, request: ScoreRequest, now_s: float) -> FeatureBatch:
        """The features a Score of the same request would use: for the parity check."""
        ...

    def still_allowed(
        self, user_id: str, object_ids: Sequence[str], since_s: float
    ) -> NDArray[np.bool_]:
        """Which of a queue's items (n,) the user has not met since it was ranked, nor dislikes.

        `since_s` is the moment of the ranking, on the server's clock; infinite where meetings do
        not matter. States keep meetings to the second: one within the second before counts as
        since.
        """
        ...

    def why_not(self, request: RecommendRequest, object_ids: Sequence[str], now_s: float) -> WhyNot:
        """Where each of these objects leaves the list that `recommend` would answer now, and why.

        InvalidRequestError names the field. Nothing is changed.
        """
        ...

    def lengths_s(self, object_ids: Sequence[str]) -> NDArray[np.float64]:
        """How long each object sounds (n,), in seconds; NaN where the catalogue does not say."""
        ...


class GenreCapability(Protocol):
    """An optional capability of a domain whose objects have a sound. Safe across threads."""

    def tagged(self, tag: str) -> tuple[str, ...]:
        """Ids of the tracks that carry a genre, mood or instrument, in no order; none if unknown.

        `tag` is in the spelling of `core.recommend.stories.spelling`.
        """
        ...

    def warm_up(self) -> None:
        """Do what the first call would wait for, seconds at worst."""
        ...

    def by_track(
        self, track_id: str, k: int, same_genre: bool, pool_ids: frozenset[str] | None
    ) -> GenreAnswer:
        """Genres and the k nearest tracks of a track's sound; `pool_ids` None allows all."""
        ...

    def by_audio(
        self, audio: bytes, k: int, same_genre: bool, pool_ids: frozenset[str] | None
    ) -> GenreAnswer:
        """The same for a sound file; InvalidRequestError names `audio` when it is not one."""
        ...
