"""A small whole domain for tests: simulated, read, trained and published in seconds."""

from __future__ import annotations

from pathlib import Path

from core.content import ContentVectors
from core.domain import Domain
from core.generic_log import GenericLog
from core.log import EventLog, LabelRule, Outcome, TieRule
from core.models import Compute
from core.publish import Evaluated, evaluate_log, publish
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
from core.recommend.sources import ContentNearest, ItemToItem, LatentNearest, OwnPast, Popular
from core.sampling import DAY_S, Sample
from core.testing_logs import SMALL_SCHEMA
from core.training import Recipe

_OUTCOMES = (Outcome.PLAY, Outcome.LIKE, Outcome.DISLIKE, Outcome.UNLIKE)
_LABEL_RULE = LabelRule(horizon_s=10 * DAY_S)

SMALL_SAMPLE = Sample(
    domain="small",
    schema=SMALL_SCHEMA,
    outcome=Outcome.PLAY.value,
    events_per_user=80,
    objects_per_event=0.03,
    days=60.0,
    basket_size=3,
    repeat_share=0.6,
)
"""Two months of plays in small baskets; half of them go back to something known."""

SMALL_DOMAIN = Domain(
    name="small",
    schema=SMALL_SCHEMA,
    outcomes=frozenset(_OUTCOMES),
    label_rule=_LABEL_RULE,
    tie_rule=TieRule.TIMESTAMP,
    readers={
        "generic": GenericLog(
            domain="small",
            schema=SMALL_SCHEMA,
            outcomes=_OUTCOMES,
            label_rule=_LABEL_RULE,
            tie_rule=TieRule.TIMESTAMP,
        ).reader()
    },
    simulators={"generic": SMALL_SAMPLE.simulator},
    stages=Stages(
        sources=(
            OwnPast(),
            ItemToItem(),
            LatentNearest(),
            ContentNearest(),
            Popular(half_life=1, half_lives=2),
        ),
        filters=(
            InPool(),
            OfFacets(),
            NotExcluded(),
            OfNovelty(),
            Rested(rest_s=3600.0),
            NotDisliked(),
        ),
        rerankers=(Freshness(), CapPerFacet(cap=2), MarginalRelevance(), Exploration()),
    ),
    recipe=Recipe(trainers="tiny", min_rows=20),
)
"""Everything a domain has but a genre capability, over `SMALL_SCHEMA`."""

ONE_THREAD = Compute(threads=1)


def small_log(directory: Path, *, events: int = 4000, seed: int = 1) -> EventLog:
    """Simulate a log of `SMALL_DOMAIN` into a new directory and read it."""
    SMALL_SAMPLE.simulator(directory, events=events, seed=seed)
    return SMALL_DOMAIN.readers["generic"].read(directory)


def publish_small(
    root: Path,
    log: EventLog,
    *,
    version: str = "v1",
    published_at_s: float | None = None,
    seed: int = 0,
    content: ContentVectors | None = None,
    domain: Domain = SMALL_DOMAIN,
) -> tuple[Path, Evaluated]:
    """Evaluate the recipe of a domain, `SMALL_DOMAIN` or one like it, and publish it below `root`.

    By default that happens at the log's end.
    """
    evaluated = evaluate_log(
        domain, log, domain.recipe, ONE_THREAD, seed=seed, content=content, with_lists=True
    )
    directory = publish(
        domain,
        log,
        evaluated,
        domain.recipe,
        ONE_THREAD,
        root=root,
        version=version,
        published_at_s=float(log.time_s[-1]) if published_at_s is None else published_at_s,
        commit="",
        seed=seed,
    )
    return directory, evaluated


__all__ = ["ONE_THREAD", "SMALL_DOMAIN", "SMALL_SAMPLE", "publish_small", "small_log"]
