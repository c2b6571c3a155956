"""The engine's clocks: when labels mature, and how a log without real times goes on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from core.engine import DomainEngine, load_bundle
from core.log import ClockKind, Outcome
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


def test_the_best_known_user_has_met_most_objects(bundle: Path) -> None:
    engine = DomainEngine(SMALL_DOMAIN, load_bundle(bundle, SMALL_DOMAIN))
    state = engine._state
    met = {user: len(state.own_objects(state.users.get(user))) for user in state.users.strings}
    assert met[engine.best_known_user] == max(met.values()) > 1


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


LONG_AFTER_S = 300 * 86_400.0
"""From the log's end to the publication of its bundle."""


def features_of(engine: DomainEngine, now_s: float) -> tuple[bytes, bytes]:
    """What a Score of somebody known would use."""
    state = engine._state
    user = UserRef(state.users.string(1))
    batch = engine.features(ScoreRequest(user, [state.objects.string(i) for i in (1, 2)]), now_s)
    return batch.numbers.tobytes(), batch.codes.tobytes()


@pytest.fixture(scope="module")
def same_log_of_each_clock(tmp_path_factory: pytest.TempPathFactory) -> dict[ClockKind, Path]:
    """The bundles of one log, published long after it ended, told what its times are."""
    place = tmp_path_factory.mktemp("kinds")
    log = small_log(place / "data")
    published_at_s = float(log.time_s[-1]) + LONG_AFTER_S
    return {
        kind: publish_small(
            place / kind,
            replace(
                log, clock=kind, time_s=log.time_s + 0.25, matures_at_s=log.matures_at_s + 0.25
            ),
            published_at_s=published_at_s,
        )[0]
        for kind in ClockKind
    }


@pytest.mark.parametrize("kind", [ClockKind.MAPPED, ClockKind.SESSIONS])
def test_a_log_without_real_times_goes_on_at_publication_where_it_ended(
    same_log_of_each_clock: dict[ClockKind, Path], kind: ClockKind
) -> None:
    real, mapped = (
        DomainEngine(SMALL_DOMAIN, load_bundle(same_log_of_each_clock[k], SMALL_DOMAIN))
        for k in (ClockKind.REAL, kind)
    )
    assert mapped.clock_s == real.clock_s + LONG_AFTER_S
    for passed_s in (0.0, 3600.0, 5 * 86_400.0):
        now_s = real.clock_s + passed_s
        assert features_of(mapped, now_s + LONG_AFTER_S) == features_of(real, now_s)
    for engine in (real, mapped):
        engine.apply(purchase(1, engine.clock_s + 60.0))
        engine.apply(purchase(2, engine.clock_s + 90.0))
    assert mapped.clock_s == real.clock_s + LONG_AFTER_S
    assert features_of(mapped, mapped.clock_s + 7.0) == features_of(real, real.clock_s + 7.0)
    assert labels_of(mapped) == labels_of(real)


def test_a_callers_timestamps_are_on_the_servers_clock_too(
    same_log_of_each_clock: dict[ClockKind, Path],
) -> None:
    real, mapped = (
        DomainEngine(SMALL_DOMAIN, load_bundle(same_log_of_each_clock[kind], SMALL_DOMAIN))
        for kind in (ClockKind.REAL, ClockKind.MAPPED)
    )
    shown = []
    for engine in (real, mapped):
        joined_at_s = engine.clock_s - 86_400.0
        user = UserRef("", {"joined_at": str(joined_at_s)})
        batch = engine.features(ScoreRequest(user, ["something new"]), engine.clock_s)
        shown.append(batch.numbers.tobytes())
    assert shown[0] == shown[1]
