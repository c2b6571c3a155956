"""Travel: will the traveller book the trip again within a year?

A stub: schema, generic log, outcome and horizon, a small simulated sample. No code of its own.
"""

from __future__ import annotations

from core.domain import Domain
from core.generic_log import GenericLog
from core.log import LabelRule, Outcome, TieRule
from core.recommend.contracts import Stages
from core.recommend.filters import InPool, NotDisliked, NotExcluded, OfFacets, OfNovelty
from core.recommend.rerankers import CapPerFacet, Exploration, Freshness, MarginalRelevance
from core.recommend.sources import STANDARD_SOURCES
from core.sampling import Sample
from domains.travel.schema import SCHEMA

OUTCOMES = (Outcome.BOOKING, Outcome.LIKE, Outcome.DISLIKE, Outcome.UNLIKE)
LABEL_RULE = LabelRule(horizon_s=365 * 86400.0)

SAMPLE = Sample(
    domain="travel",
    schema=SCHEMA,
    outcome=Outcome.BOOKING.value,
    events_per_user=40,
    objects_per_event=0.02,
    days=3650.0,
    basket_size=1,
    repeat_share=0.6,
)

DOMAIN = Domain(
    name="travel",
    schema=SCHEMA,
    outcomes=frozenset(OUTCOMES),
    label_rule=LABEL_RULE,
    tie_rule=TieRule.TIMESTAMP,
    readers={
        "generic": GenericLog(
            domain="travel",
            schema=SCHEMA,
            outcomes=OUTCOMES,
            label_rule=LABEL_RULE,
            tie_rule=TieRule.TIMESTAMP,
        ).reader()
    },
    simulators={"generic": SAMPLE.simulator},
    stages=Stages(
        sources=STANDARD_SOURCES,
        filters=(InPool(), OfFacets(), NotExcluded(), OfNovelty(), NotDisliked()),
        # The cap keeps the best of each value as freshness leaves them; only the last may draw.
        rerankers=(Freshness(), CapPerFacet(cap=2), MarginalRelevance(), Exploration()),
    ),
)

__all__ = ["DOMAIN"]
