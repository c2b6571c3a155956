"""Stories: one fitting object with a sound, matched by tags first and ranked by score within.

Tags are tiers of the slate, so all rerankers keep what carries more of them first.

The order among objects of equal tags is by log-odds with a little noise that story and user alone
decide: the same question gets the same pick, and stories do not all pick the same favourite.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from core.recommend.allowed import allowed_objects
from core.recommend.contracts import (
    Picked,
    Proposals,
    Query,
    Ranking,
    Reranker,
    Source,
    Stages,
)
from core.recommend.pipeline import Candidates
from core.requests import RecommendRequest, Story
from core.state.state import State

STORY_SOURCE_LIMIT = 60
"""Most candidates of one source: a story wants one object, and soon."""
SPREAD = 0.1
"""Scale of the noise in log-odds: objects that differ by less are as good for a story."""
REMEMBERED_TAGS = 256
NEAR_CERTAIN = 1e-9
"""Probabilities are kept so far from 0 and 1 before their log-odds are taken."""

TaggedIds = Callable[[str], tuple[str, ...]]
"""Ids of the objects that carry a tag by their sound; the tag is in `spelling`."""


def spelling(tag: str) -> str:
    """A tag in the one spelling that all are compared in: `Hip-Hop` and `hip_hop` are `hip hop`."""
    folded = unicodedata.normalize("NFKC", tag).casefold()
    return " ".join(re.split(r"[\W_]+", folded)).strip() or folded.strip()


@dataclass(frozen=True)
class StoryRules:
    """What a domain says of stories."""

    pool: str
    """Drawn from when a request names neither a pool nor candidates."""
    facets: tuple[str, ...]
    """Facets whose values are tags."""
    length_field: str
    """Number field of objects: how long each sounds, in seconds."""
    sources: tuple[Source, ...]
    """Asked twice: among the objects that carry the tags, and in the whole pool."""
    rerankers: tuple[Reranker, ...]
    """Beside the order of the story, after it."""


@dataclass(frozen=True)
class AmongTagged:
    """What another source proposes when only objects that carry the story's tags are allowed."""

    source: Source

    @property
    def name(self) -> str:
        """That of the source, marked."""
        return f"{self.source.name}_tagged"

    def propose(self, query: Query, limit: int) -> Proposals:
        """Nothing where no tags were given."""
        if query.preference is None:
            return Proposals(np.zeros(0, np.int32))
        tagged = query.preference > 0
        if query.pool is not None:
            tagged &= query.pool
        return self.source.propose(replace(query, pool=tagged), limit)


@dataclass(frozen=True)
class DrawnForStory:
    """Objects of the pool drawn by story and user, so that what nobody has met gets its turn."""

    name: str = "story"

    def propose(self, query: Query, limit: int) -> Proposals:
        """Those with the most tags first; the draw decides within."""
        count = query.state.objects.end
        allowed = np.ones(count, bool) if query.pool is None else query.pool.copy()
        allowed[0] = False
        objects = np.flatnonzero(allowed).astype(np.int32)
        key = draw(query, objects)
        if query.preference is not None:
            key += query.preference[objects]  # whole numbers, and draws lie below 1
        best = np.argpartition(key, -limit)[-limit:] if len(key) > limit else np.arange(len(key))
        best = best[np.argsort(-key[best], kind="stable")]
        if query.preference is None:
            return Proposals(objects[best], ("drawn for the story",) * len(best))
        carried = query.preference[objects[best]]
        asked = len(query.request.story.tags) if query.request.story else 0
        reasons = tuple(f"carries {n} of {asked} tags of the story" for n in carried.tolist())
        return Proposals(objects[best], reasons)


@dataclass(frozen=True)
class StoryOrder:
    """Within a tier, by log-odds with noise of story and user: no chance, so nothing is drawn."""

    name: str = "story_order"

    def pick(self, query: Query, ranking: Ranking) -> Picked:
        """All candidates; whatever order they come in within a tier, the new one is the same."""
        odds = logit(np.clip(ranking.utilities, NEAR_CERTAIN, 1 - NEAR_CERTAIN))
        gumbel = -np.log(-np.log(draw(query, ranking.objects)))
        noisy = odds + SPREAD * gumbel
        order = np.lexsort((ranking.objects, -noisy, ranking.tiers))
        return Picked(order, expit(noisy[order]))


def draw(query: Query, objects: NDArray[np.int32]) -> NDArray[np.float64]:
    """Uniform numbers in (0, 1) of objects (n,), decided by story, user and object alone."""
    story_id = query.request.story.story_id if query.request.story else ""
    named = f"{story_id}\0{query.request.user.id}".encode()
    seed = np.frombuffer(hashlib.blake2b(named, digest_size=8).digest(), np.uint64)[0]
    # SplitMix64 of seed and index: independent of which other objects are asked about.
    mixed = seed + objects.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    uniform: NDArray[np.float64] = ((mixed >> np.uint64(11)).astype(np.float64) + 0.5) / 2.0**53
    return uniform


class Stories:
    """Answers for the stories of one engine: stages, tags, and what fell back.

    Its methods read the state: whoever calls them holds the engine's lock.
    """

    def __init__(
        self, rules: StoryRules, stages: Stages, state: State, tagged_ids: TaggedIds | None
    ) -> None:
        """`tagged_ids` is None where nothing is known of sounds."""
        self.stages = Stages(
            sources=(DrawnForStory(), *map(AmongTagged, rules.sources), *rules.sources),
            filters=stages.filters,
            rerankers=(StoryOrder(), *rules.rerankers),
            source_limit=STORY_SOURCE_LIMIT,
        )
        self._rules = rules
        self._state = state
        self._values = _tags_of_values(state, rules.facets)
        self._tagged_ids = tagged_ids
        self._by_sound = lru_cache(REMEMBERED_TAGS)(self._objects_by_sound)

    def with_pool(self, request: RecommendRequest) -> RecommendRequest:
        """The request with the pool of stories, unless it says itself what to draw from."""
        if request.pool or request.candidate_ids:
            return request
        return replace(request, pool=self._rules.pool)

    def preference(self, request: RecommendRequest, user: int) -> NDArray[np.int8] | None:
        """How many of the story's tags each object carries that may be picked for a user.

        Returns:
            (n_objects,), 0 for what the request does not allow, not even to fall back, and beside
            explicit candidates; None for a story without tags.
        """
        tags = _distinct(request.story) if request.story else ()
        if not tags:
            return None
        allowed = np.zeros(len(self._state.arrays.objects.counts), bool)
        if request.candidate_ids:
            allowed[[self._state.objects.get(i) for i in request.candidate_ids]] = True
        else:
            allowed[1 : self._state.objects.end] = True
        widest = allowed_objects(self._state, request, user, facets=not request.fall_back)
        if widest is not None:
            allowed &= widest
        allowed[0] = False
        # A pool is a small part of a catalogue: only its rows are looked at.
        rows = np.flatnonzero(allowed).astype(np.int32)
        values = {facet: self._state.object_values(facet, rows) for facet in self._rules.facets}
        by_sound = np.zeros(len(allowed), bool)
        carried = np.zeros(len(rows), np.int8)
        for tag in tags:
            sounding = self._by_sound(tag, self._state.objects.end)
            by_sound[sounding] = True
            carries = by_sound[rows]
            by_sound[sounding] = False
            for facet, wanted in self._values.get(tag, {}).items():
                carries |= np.isin(values[facet], wanted).any(axis=1)
            carried += carries
        preference = np.zeros(len(allowed), np.int8)
        preference[rows] = carried
        return preference

    def fallbacks(self, query: Query, candidates: Candidates) -> list[str]:
        """What of the story's wishes could not be met, once the filters have run."""
        story = query.request.story
        told = []
        if query.request.pool and self._is_empty(query.request.pool):
            told.append(f"the pool {query.request.pool} is empty")
        if story is not None and query.preference is not None and len(candidates.objects):
            if not query.preference[candidates.objects].any():
                told.append("nothing carries the story's tags: ranked without them")
            else:
                unknown = [tag for tag in _distinct(story) if not self._is_known(tag)]
                told += [f"unknown tag of the story: {tag}" for tag in unknown]
        return told

    def lengths_s(self, objects: NDArray[np.int32]) -> NDArray[np.float64]:
        """How long objects (n,) sound, in seconds; NaN where the catalogue does not say."""
        lengths = self._state.object_numbers(self._rules.length_field)[objects]
        return np.where((objects > 0) & (lengths > 0), lengths, np.nan)

    def _is_empty(self, pool: str) -> bool:
        place = self._state.schema.pools.index(pool)
        return not self._state.arrays.objects.pools[1 : self._state.objects.end, place].any()

    def _is_known(self, tag: str) -> bool:
        return tag in self._values or len(self._by_sound(tag, self._state.objects.end)) > 0

    def _objects_by_sound(self, tag: str, end: int) -> NDArray[np.intp]:
        """Indices of the known objects that carry a tag by their sound.

        Remembered until another object becomes known, which moves `end`.
        """
        del end
        ids = self._tagged_ids(tag) if self._tagged_ids is not None else ()
        indices = [self._state.objects.get(i) for i in ids]
        return np.array([i for i in indices if i], np.intp)


def _distinct(story: Story) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, map(spelling, story.tags))))


def _tags_of_values(
    state: State, facets: tuple[str, ...]
) -> Mapping[str, Mapping[str, NDArray[np.int32]]]:
    """Tag -> facet -> value ids (m,). Values come with the catalogue, so once is enough."""
    found: defaultdict[str, dict[str, list[int]]] = defaultdict(dict)
    for facet in facets:
        for value, name in state.names.values_of(facet).items():
            found[spelling(name)].setdefault(facet, []).append(value)
    return {
        tag: {facet: np.array(values, np.int32) for facet, values in by_facet.items()}
        for tag, by_facet in found.items()
    }
