"""Music: will the listener play the track again within 30 days?"""

from __future__ import annotations

from core.domain import Domain
from core.log import TieRule
from core.recommend.contracts import Stages
from core.recommend.filters import (
    InPool,
    NotDisliked,
    NotExcluded,
    OfFacets,
    OfNovelty,
    Rested,
)
from core.recommend.rerankers import CapPerFacet, Exploration, Freshness, MarginalRelevance
from core.recommend.sources import (
    STANDARD_SOURCES,
    ContentNearest,
    ItemToItem,
    LatentNearest,
    Popular,
)
from core.recommend.stories import StoryRules
from core.training import Recipe
from domains.music.genre import MusicGenre
from domains.music.readers import READERS
from domains.music.readers.generic import LABEL_RULE, OUTCOMES
from domains.music.schema import SCHEMA
from domains.music.simulation import SIMULATORS

DOMAIN = Domain(
    name="music",
    schema=SCHEMA,
    content_name="sound",
    outcomes=frozenset(OUTCOMES),
    label_rule=LABEL_RULE,
    tie_rule=TieRule.TIMESTAMP,
    readers=READERS,
    simulators=SIMULATORS,
    stages=Stages(
        sources=STANDARD_SOURCES,
        # The cheapest first: what one removes the next does not look at.
        filters=(
            InPool(),
            OfFacets(),
            NotExcluded(),
            OfNovelty(),
            Rested(rest_s=3600.0),
            NotDisliked(),
        ),
        # The cap keeps the best of each value as freshness leaves them; only the last may draw.
        rerankers=(Freshness(), CapPerFacet(cap=3), MarginalRelevance(), Exploration()),
    ),
    recipe=Recipe(),
    genre=MusicGenre(),
    stories=StoryRules(
        pool="royalty_free",
        facets=("genres",),
        length_field="length_s",
        sources=(ItemToItem(), LatentNearest(), ContentNearest(), Popular()),
        # As for all lists, but one of each artist: runners-up are for whoever skips the pick.
        rerankers=(Freshness(), CapPerFacet(cap=1), MarginalRelevance(), Exploration()),
    ),
)

__all__ = ["DOMAIN"]
