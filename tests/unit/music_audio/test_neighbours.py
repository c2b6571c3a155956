from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as stn
from numpy.typing import NDArray

from domains.music.audio.neighbours import TrackIndex

CORNERS = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])


def found(index: TrackIndex, features: list[float], k: int = 9) -> list[tuple[str, float]]:
    rows, cosines = index.nearest(index.embed(np.array(features)), k)
    return [
        (index.track_ids[row], round(float(c), 6)) for row, c in zip(rows, cosines, strict=True)
    ]


def test_the_highest_cosine_comes_first_and_ties_go_by_track_id() -> None:
    index = TrackIndex.build(["a", "b", "c", "d"], CORNERS)
    assert found(index, [3.0, 3.0]) == [("a", 1.0), ("b", 0.0), ("c", 0.0), ("d", -1.0)]


def test_equal_tracks_keep_the_order_of_their_ids_wherever_they_stand() -> None:
    rng = np.random.default_rng(0)
    twin = rng.normal(size=89)
    features = rng.normal(size=(101, 89))
    features[::2] = twin
    index = TrackIndex.build([f"{i:03}" for i in range(101)], features)
    rows, cosines = index.nearest(index.embed(twin), 51)
    assert rows.tolist() == list(range(0, 101, 2))
    assert len(set(cosines.tolist())) == 1


def test_units_do_not_matter() -> None:
    hertz = TrackIndex.build(["a", "b", "c", "d"], CORNERS * [1e6, 1e-6] + [1e7, 5.0])
    assert found(hertz, [1e7 + 3e6, 5.0 + 3e-6]) == found(
        TrackIndex.build(["a", "b", "c", "d"], CORNERS), [3.0, 3.0]
    )


def test_a_feature_without_spread_counts_for_nothing() -> None:
    index = TrackIndex.build(["a", "b", "c", "d"], np.column_stack([CORNERS, [0.1] * 4]))
    assert found(index, [3.0, 3.0, 1e9], k=1) == [("a", 1.0)]


def test_the_average_sound_is_at_no_angle_to_any_track() -> None:
    index = TrackIndex.build(["a", "b", "c", "d"], CORNERS)
    assert found(index, [0.0, 0.0]) == [("a", 0.0), ("b", 0.0), ("c", 0.0), ("d", 0.0)]


def test_only_allowed_tracks_are_found() -> None:
    index = TrackIndex.build(["a", "b", "c", "d"], CORNERS)
    rows, _ = index.nearest(index.vectors[0], 9, index.mask_of({"d", "b", "not indexed"}))
    assert rows.tolist() == [1, 3]
    rows, cosines = index.nearest(index.vectors[0], 9, index.mask_of(frozenset()))
    assert (len(rows), len(cosines)) == (0, 0)


@pytest.mark.parametrize("track_ids", [["b", "a"], ["a", "a"]])
def test_ids_out_of_order_or_twice_are_refused(track_ids: list[str]) -> None:
    with pytest.raises(ValueError, match="ascend strictly"):
        TrackIndex.build(track_ids, CORNERS[:2])


def test_rows_without_ids_are_refused() -> None:
    with pytest.raises(ValueError, match="2 track ids came with 4 feature rows"):
        TrackIndex.build(["a", "b"], CORNERS)


numbers = st.floats(-1e6, 1e6)


@given(
    features=stn.arrays(np.float64, st.tuples(st.integers(1, 6), st.just(3)), elements=numbers),
    query=stn.arrays(np.float64, 3, elements=numbers),
    k=st.integers(1, 8),
)
def test_cosines_are_finite_in_range_and_descending(
    features: NDArray[np.float64], query: NDArray[np.float64], k: int
) -> None:
    index = TrackIndex.build([str(i) for i in range(len(features))], features)
    rows, cosines = index.nearest(index.embed(query), k)
    assert len(rows) == len(set(rows.tolist())) == min(k, len(features))
    assert np.isfinite(cosines).all()
    assert (np.abs(cosines) <= 1).all()
    assert (np.diff(cosines) <= 0).all()
