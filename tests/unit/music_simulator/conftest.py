"""Two small worlds, drawn once for all tests of the simulator."""

from __future__ import annotations

import pytest

from domains.music.simulator import FirstPlays, World, draw_first_plays


@pytest.fixture(scope="session")
def small_world() -> World:
    return World(events=5_000, seed=11)


@pytest.fixture(scope="session")
def small_log(small_world: World) -> FirstPlays:
    return draw_first_plays(small_world)


@pytest.fixture(scope="session")
def world() -> World:
    return World(events=200_000, seed=1)


@pytest.fixture(scope="session")
def log(world: World) -> FirstPlays:
    return draw_first_plays(world)
