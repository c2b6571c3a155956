"""Shopping: will the household buy the product again within 30 days?

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
from domains.shopping.schema import SCHEMA

OUTCOMES = (Outcome.PURCHASE, Outcome.LIKE, Outcome.DISLIKE, Outcome.UNLIKE)
LABEL_RULE = LabelRule(horizon_s=30 * 86400.0)

SAMPLE = Sample(
    domain="shopping",
    schema=SCHEMA,
    outcome=Outcome.PURCHASE.value,
    events_per_user=80,
    objects_per_event=0.05,
    days=180.0,
    basket_size=5,
    repeat_share=0.4,
)

DOMAIN = Domain(
    name="shopping",
    schema=SCHEMA,
    outcomes=frozenset(OUTCOMES),
    label_rule=LABEL_RULE,
    tie_rule=TieRule.TIMESTAMP,
    readers={
        "generic": GenericLog(
            domain="shopping",
            schema=SCHEMA,
            outcomes=OUTCOMES,
            label_rule=LABEL_RULE,
            tie_rule=TieRule.TIMESTAMP,
            basket_column="basket_id",
        ).reader()
    },
    simulators={"generic": SAMPLE.simulator},
    stages=Stages(
        sources=STANDARD_SOURCES,
        filters=(InPool(), OfFacets(), NotExcluded(), OfNovelty(), NotDisliked()),
        # The cap keeps the best of each value as freshness leaves them; only the last may draw.
        rerankers=(Freshness(), CapPerFacet(cap=3), MarginalRelevance(), Exploration()),
    ),
)

__all__ = ["DOMAIN"]
