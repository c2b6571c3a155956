"""Reads let labels mature, but never between the log time of a row and its application."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.engine import DomainEngine, load_bundle
from core.log import Outcome
from core.requests import FeedbackEvent, ScoreRequest, UserRef
from core.state.arrays import ALL_LABELS, ALL_POSITIVES
from core.testing_domain import SMALL_DOMAIN, publish_small, small_log


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("clock")
    directory, _ = publish_small(place / "bundles", small_log(place / "data"))
    return directory


def purchase(sequence: int, time_s: float) -> FeedbackEvent:
    outcome = sorted(SMALL_DOMAIN.outcomes & {Outcome.PLAY, Outcome.PURCHASE, Outcome.BOOKING})[0]
    return FeedbackEvent(sequence, "somebody new", "something new", outcome, time_s)


def labels_of(engine: DomainEngine) -> tuple[float, float]:
    totals = engine._state.arrays.totals.numbers
    return float(totals[ALL_LABELS]), float(totals[ALL_POSITIVES])


def ask(engine: DomainEngine, now_s: float) -> None:
    engine.score(ScoreRequest(UserRef("somebody new"), ["something new"]), now_s)


def test_a_read_while_a_row_is_on_its_way_settles_no_label_that_the_row_changes(
    bundle: Path,
) -> None:
    horizon_s = SMALL_DOMAIN.label_rule.horizon_s
    live = DomainEngine(SMALL_DOMAIN, load_bundle(bundle, SMALL_DOMAIN))
    begin_s = live.clock_s + 1.0
    live.apply(purchase(1, begin_s))
    ask(live, begin_s + horizon_s - 1.0)
    with live.holding_clock():
        # The return gets its log time, then a read comes before it is applied.
        log_time_s = live.clock_s
        ask(live, begin_s + horizon_s + 10.0)
        live.apply(purchase(2, log_time_s))
    ask(live, begin_s + horizon_s + 20.0)

    replayed = DomainEngine(SMALL_DOMAIN, load_bundle(bundle, SMALL_DOMAIN))
    replayed.apply(purchase(1, begin_s))
    replayed.apply(purchase(2, log_time_s))
    ask(replayed, begin_s + horizon_s + 20.0)
    assert labels_of(live) == labels_of(replayed)


def test_once_nobody_holds_the_clock_labels_mature_again(bundle: Path) -> None:
    engine = DomainEngine(SMALL_DOMAIN, load_bundle(bundle, SMALL_DOMAIN))
    before, _ = labels_of(engine)
    later_s = engine.clock_s + 2 * SMALL_DOMAIN.label_rule.horizon_s
    with engine.holding_clock(), engine.holding_clock():
        ask(engine, later_s)
        assert labels_of(engine)[0] == before
    ask(engine, later_s)
    assert labels_of(engine)[0] > before
