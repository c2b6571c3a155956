from __future__ import annotations

import json
from dataclasses import replace

import pytest

from domains.music.simulator import PARAMETERS, WorldParameters

FROZEN = "abda46f7255795f6e3bd2908b64d8ebce82c49688e9053c0e5cf1373bead2504"


def test_the_parameters_are_frozen_so_that_no_world_gets_easier() -> None:
    assert PARAMETERS.checksum() == FROZEN


def test_every_parameter_counts_in_the_checksum() -> None:
    assert replace(PARAMETERS, taste_sd=PARAMETERS.taste_sd + 1e-9).checksum() != FROZEN
    assert replace(PARAMETERS, genres=PARAMETERS.genres[:-1]).checksum() != FROZEN


def test_parameters_survive_a_trip_through_json() -> None:
    assert WorldParameters.from_json(json.loads(json.dumps(PARAMETERS.to_json()))) == PARAMETERS


def test_a_missing_or_unknown_parameter_is_refused_by_name() -> None:
    plain = PARAMETERS.to_json()
    del plain["taste_sd"]
    with pytest.raises(TypeError, match="taste_sd"):
        WorldParameters.from_json(plain)
    with pytest.raises(TypeError, match="gravity"):
        WorldParameters.from_json({**PARAMETERS.to_json(), "gravity": 9.81})
