from __future__ import annotations

import time
from collections.abc import Mapping

import numpy as np
import pytest

from domains.music.simulator import Context, FirstPlays, World, draw_first_plays
from domains.music.simulator.marginals import (
    PUBLISHED,
    Marginal,
    logit_variance_shares,
    measure_marginals,
    roc_auc,
)


@pytest.fixture(scope="session")
def measured(world: World, log: FirstPlays) -> Mapping[str, float]:
    return measure_marginals(world, log)


@pytest.mark.parametrize("marginal", PUBLISHED, ids=lambda m: m.name)
def test_a_world_looks_like_the_published_log(
    measured: Mapping[str, float], marginal: Marginal
) -> None:
    assert measured[marginal.name] == pytest.approx(marginal.published, abs=marginal.tolerance)


def test_every_published_figure_is_measured(measured: Mapping[str, float]) -> None:
    assert set(measured) == {marginal.name for marginal in PUBLISHED}


def test_the_parts_of_the_logit_share_its_whole_variance(world: World, log: FirstPlays) -> None:
    assert sum(logit_variance_shares(world, log).values()) == pytest.approx(1.0)


def test_the_repeat_rate_is_highest_for_usual_lengths(world: World, log: FirstPlays) -> None:
    minutes = world.catalogue.lengths_ms[log.objects] / 60_000
    bands = np.digitize(minutes, [2, 3, 5, 7])
    rates = [log.labels[bands == band].mean() for band in range(5)]
    assert rates[0] < rates[1] < rates[2] > rates[3] > rates[4]


def test_the_repeat_rate_depends_strongly_on_tab_and_type(world: World, log: FirstPlays) -> None:
    rows = world.parameters.contexts

    def rate(tab: str, kind: str) -> float:
        wanted = [i for i, row in enumerate(rows) if (row.tab, row.type) == (tab, kind)]
        return float(log.labels[np.isin(log.contexts, wanted)].mean())

    library, radio = rate("my library", "local-library"), rate("radio", "radio")
    discover = rate("discover", "online-playlist")
    assert library - radio > 0.28
    assert library > discover > radio


def test_tab_and_type_interact(world: World) -> None:
    def effect(tab: str, kind: str) -> float:
        # Mean over users: their own liking of tabs cancels.
        users = np.arange(len(world.population))
        parts = world.logit_parts(users, 0, Context(tab, None, kind), world.start_s)
        return float(parts.context.mean())

    of_playlist = effect("my library", "online-playlist") - effect("discover", "online-playlist")
    of_album = effect("my library", "album") - effect("discover", "album")
    assert abs(of_playlist - of_album) > 0.2


def test_context_differs_between_users_and_lasts_within_sessions(log: FirstPlays) -> None:
    order = np.lexsort((np.arange(len(log)), log.users))
    users, contexts, times = log.users[order], log.contexts[order], log.times_s[order]
    together = (np.diff(users) == 0) & (np.diff(times) < 600)
    assert (np.diff(contexts)[together] == 0).mean() > 0.8


def test_roc_auc_counts_the_pairs_in_right_order() -> None:
    labels = np.array([False, True, False, True])
    assert roc_auc(labels, np.array([0.1, 0.4, 0.35, 0.8])) == 1.0
    assert roc_auc(labels, np.array([0.1, 0.3, 0.35, 0.8])) == 0.75


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_world_of_a_million_plays_looks_like_the_published_log(seed: int) -> None:
    world = World(1_000_000, seed)
    began = time.process_time()
    log = draw_first_plays(world)
    assert time.process_time() - began < 60
    measured = measure_marginals(world, log)
    for marginal in PUBLISHED:
        assert measured[marginal.name] == pytest.approx(
            marginal.published, abs=marginal.tolerance
        ), marginal.name
