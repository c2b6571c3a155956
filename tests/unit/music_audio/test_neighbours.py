from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from core.errors import BundleError
from domains.music.audio.coarse import CoarseVectors
from domains.music.audio.features import FEATURE_NAMES
from domains.music.audio.highest import EXCLUDED, highest
from domains.music.audio.neighbours import TrackIndex
from domains.music.audio.search import SAME_COSINE, SAME_HARMONY, Query

CORNERS = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
SILENT = np.zeros(len(FEATURE_NAMES))
CHROMA = [i for i, name in enumerate(FEATURE_NAMES) if name.startswith("chroma_")][:12]


def index_of(units: NDArray[np.float64], track_ids: str = "abcd") -> TrackIndex:
    """Tracks that differ in the tagger's units alone."""
    return TrackIndex.build(list(track_ids), np.tile(SILENT, (len(units), 1)), units)


def found(index: TrackIndex, units: list[float], k: int = 9) -> list[tuple[str, float]]:
    sound = index.sound(SILENT, np.array(units))
    another_harmony = np.full_like(sound.harmony, 9.0)  # the same recording as none
    rows, cosines = index.search(replace(sound, harmony=another_harmony)).nearest(k)
    return [
        (index.track_ids[row], round(float(c), 6)) for row, c in zip(rows, cosines, strict=True)
    ]


def catalogue(seed: int, n_tracks: int, n_copies: int = 0) -> TrackIndex:
    """Random tracks; the copies are of the first and differ from it by a hair."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n_tracks, len(FEATURE_NAMES)))
    units = rng.normal(size=(n_tracks, 200))
    copies = rng.permutation(np.arange(1, n_tracks))[:n_copies]
    features[copies] = features[0] + 0.01 * rng.normal(size=(n_copies, len(FEATURE_NAMES)))
    units[copies] = units[0] + 0.01 * rng.normal(size=(n_copies, 200))
    return TrackIndex.build([f"{i:06}" for i in range(n_tracks)], features, units)


def test_the_highest_cosine_comes_first_and_ties_go_by_track_id() -> None:
    assert found(index_of(CORNERS), [3.0, 3.0]) == [("a", 1.0), ("b", 0.0), ("c", 0.0), ("d", -1.0)]


def test_units_of_measurement_do_not_matter() -> None:
    hertz = index_of(CORNERS * [1e6, 1e-6] + [1e7, 5.0])
    assert found(hertz, [1e7 + 3e6, 5.0 + 3e-6]) == found(index_of(CORNERS), [3.0, 3.0])


def test_what_is_the_same_in_all_tracks_counts_for_nothing() -> None:
    index = index_of(np.column_stack([CORNERS, [0.1] * 4]))
    assert found(index, [3.0, 3.0, 1e9], k=1) == [("a", 1.0)]


def test_the_average_sound_is_at_no_angle_to_any_track() -> None:
    assert found(index_of(CORNERS), [0.0, 0.0]) == [(i, 0.0) for i in "abcd"]


def test_equal_tracks_have_equal_vectors_wherever_they_stand() -> None:
    rng = np.random.default_rng(0)
    features, units = rng.normal(size=(101, 89)), rng.normal(size=(101, 200))
    features[::2], units[::2] = features[0], units[0]
    index = TrackIndex.build([f"{i:03}" for i in range(101)], features, units)
    assert len(np.unique(index.vectors[::2], axis=0)) == 1
    np.testing.assert_array_equal(index.sound(features[0], units[0]).vector, index.vectors[0])


def test_the_track_itself_and_copies_of_it_are_not_its_neighbours() -> None:
    index = catalogue(seed=1, n_tracks=50, n_copies=20)
    rows, _ = index.search(index.track(0)).nearest(50)
    assert len(rows) == 29
    assert 0 not in rows
    copy = int(np.setdiff1d(np.arange(1, 50), rows)[0])
    assert index.search(index.track(copy)).nearest(50)[0].tolist() == sorted(
        rows.tolist(),
        key=lambda row: -float(index.vectors[copy].astype(float) @ index.vectors[row]),
    )


def test_of_copies_among_the_neighbours_only_the_nearest_stays() -> None:
    index = catalogue(seed=1, n_tracks=50, n_copies=20)
    copies = {0, *np.setdiff1d(np.arange(50), index.search(index.track(0)).nearest(50)[0]).tolist()}
    other = min(set(range(50)) - copies)
    rows, _ = index.search(index.track(other)).nearest(50)
    assert len(copies & set(rows.tolist())) == 1
    assert len(rows) == 29


def test_copies_of_a_recording_can_be_asked_for_the_nearest_first() -> None:
    index = catalogue(seed=1, n_tracks=50, n_copies=20)
    others, _ = index.search(index.track(0)).nearest(50)
    copies = index.search(index.track(0)).copies(50)
    assert copies[0] == 0
    assert sorted({*copies.tolist(), *others.tolist()}) == list(range(50))
    assert index.search(index.track(0)).copies(5).tolist() == copies[:5].tolist()


def test_a_close_vector_with_another_harmony_is_another_recording() -> None:
    rng = np.random.default_rng(0)
    features, units = rng.normal(size=(40, 89)), rng.normal(size=(40, 200))
    features[1], units[1] = features[0], units[0]
    features[1, CHROMA] += np.resize([1, -1], 12)
    index = TrackIndex.build([f"{i:02}" for i in range(40)], features, units)
    rows, cosines = index.search(index.track(0)).nearest(1)
    assert rows.tolist() == [1]
    assert cosines[0] > SAME_COSINE


def test_only_allowed_tracks_are_found() -> None:
    index = index_of(CORNERS)
    rows, _ = index.search(index.track(0)).nearest(9, index.mask_of({"d", "b", "not indexed"}))
    assert rows.tolist() == [1, 3]
    rows, cosines = index.search(index.track(0)).nearest(9, index.mask_of(frozenset()))
    assert (len(rows), len(cosines)) == (0, 0)


@pytest.mark.parametrize("track_ids", [["b", "a"], ["a", "a"]])
def test_ids_out_of_order_or_twice_are_refused(track_ids: list[str]) -> None:
    with pytest.raises(ValueError, match="ascend strictly"):
        TrackIndex.build(track_ids, np.zeros((2, 89)), CORNERS[:2])


def test_rows_without_ids_are_refused() -> None:
    with pytest.raises(ValueError, match="2 track ids came with 4 rows of features and 3 of units"):
        TrackIndex.build(["a", "b"], np.zeros((4, 89)), CORNERS[:3])


def brute_force(index: TrackIndex, query: Query, k: int, allowed: NDArray[np.bool_]) -> list[int]:
    """The rule, one track at a time."""
    vectors = index.vectors.astype(np.float64)

    def same(vector: NDArray[np.float32], harmony: NDArray[np.float32], row: np.intp) -> bool:
        distance = np.sqrt(np.mean((index.harmonies[row] - harmony) ** 2))
        return bool(index.vectors[row] @ vector >= SAME_COSINE and distance <= SAME_HARMONY)

    cosines = {row: float((vectors[row] * query.vector).sum()) for row in np.flatnonzero(allowed)}
    kept: list[int] = []
    for row in sorted(cosines, key=lambda row: (-cosines[row], row)):
        twins = [(index.vectors[other], index.harmonies[other]) for other in kept]
        if not any(same(*twin, row) for twin in [(query.vector, query.harmony), *twins]):
            kept.append(int(row))
    return kept[:k]


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 1_000),
    n_tracks=st.integers(1, 700),
    copied=st.floats(0, 0.9),
    share=st.sampled_from([0.02, 0.3, 1.0]),
    k=st.integers(1, 30),
)
def test_the_search_finds_what_looking_at_every_track_finds(
    seed: int, n_tracks: int, copied: float, share: float, k: int
) -> None:
    index = catalogue(seed, n_tracks, n_copies=int(copied * (n_tracks - 1)))
    rng = np.random.default_rng(seed)
    allowed = rng.random(n_tracks) < share
    query = index.track(int(rng.integers(n_tracks)))
    rows, cosines = index.search(query).nearest(k, allowed)
    assert rows.tolist() == brute_force(index, query, k, allowed)
    assert (np.abs(cosines) <= 1).all()
    assert (np.diff(cosines) <= 0).all()
    if allowed.all():
        np.testing.assert_array_equal(rows, index.search(query).nearest(k)[0])


@settings(deadline=None)
@given(
    seed=st.integers(0, 1_000),
    n=st.integers(0, 3_000),
    most=st.integers(1, 40),
    off=st.sampled_from([0.0, 1e-5, 0.02, 0.3]),
)
def test_the_highest_scores_are_among_those_found(seed: int, n: int, most: int, off: float) -> None:
    rng = np.random.default_rng(seed)
    true = rng.uniform(-1, 1, n).astype(np.float32).round(2)  # many ties
    scores = true + rng.uniform(-off, off, n).astype(np.float32)
    excluded = rng.random(n) < 0.5
    true[excluded] = scores[excluded] = EXCLUDED
    rows = highest(scores, most, off + 1e-6)
    assert (np.diff(rows) > 0).all()
    count = min(most, int((~excluded).sum()))
    assert len(rows) >= count
    assert not excluded[rows].any()
    np.testing.assert_array_equal(np.sort(true[rows])[::-1][:count], np.sort(true)[::-1][:count])


@settings(deadline=None)
@given(
    seed=st.integers(0, 1_000),
    n_tracks=st.integers(1, 300),
    n_dimensions=st.integers(1, 70),
    spread=st.integers(0, 6),
)
def test_coarse_cosines_are_as_near_as_they_say(
    seed: int, n_tracks: int, n_dimensions: int, spread: int
) -> None:
    rng = np.random.default_rng(seed)
    # Some axes tell far more than others; some tracks are average in all.
    vectors = rng.normal(size=(n_tracks, n_dimensions)) ** (2 * spread + 1)
    vectors[rng.random(n_tracks) < 0.1] = 0
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    asked = unit[rng.integers(n_tracks)].astype(np.float32)
    coarse = CoarseVectors.of(unit.astype(np.float32))
    assert coarse.off < 0.04
    assert np.abs(coarse.products(asked) - unit @ asked).max() <= coarse.off


@pytest.fixture(scope="module")
def large() -> TrackIndex:
    """Sixty styles with noise around each, searched through lists."""
    rng = np.random.default_rng(5)
    n_tracks, style = 6_000, rng.integers(0, 60, 6_000)
    features = rng.normal(size=(60, 89))[style] + 0.7 * rng.normal(size=(n_tracks, 89))
    units = rng.normal(size=(60, 200))[style] + 0.7 * rng.normal(size=(n_tracks, 200))
    return TrackIndex.build([f"{i:06}" for i in range(n_tracks)], features, units, exact_up_to=999)


def exactly(index: TrackIndex) -> TrackIndex:
    return TrackIndex(index.track_ids, index.embedding, index.vectors, index.harmonies, None)


@pytest.mark.parametrize("share", [1.0, 0.4])
def test_lists_find_nearly_all_that_the_exact_search_finds(large: TrackIndex, share: float) -> None:
    assert large.lists is not None
    allowed = np.random.default_rng(1).random(6_000) < share
    recalled = 0
    for row in range(0, 6_000, 60):
        query = large.track(row)
        rows, cosines = large.search(query).nearest(10, allowed)
        expected, exact = exactly(large).search(query).nearest(10, allowed)
        assert len(rows) == 10
        assert allowed[rows].all()
        recalled += len(set(rows.tolist()) & set(expected.tolist()))
        np.testing.assert_array_equal(
            cosines[np.isin(rows, expected)], exact[np.isin(expected, rows)]
        )
    assert recalled / 1_000 >= 0.95


def test_few_allowed_tracks_are_searched_exactly_however_large_the_index(large: TrackIndex) -> None:
    allowed = np.random.default_rng(1).random(6_000) < 0.1
    for row in range(0, 6_000, 600):
        rows, _ = large.search(large.track(row)).nearest(10, allowed)
        np.testing.assert_array_equal(
            rows, exactly(large).search(large.track(row)).nearest(10, allowed)[0]
        )


def test_what_is_loaded_finds_what_was_saved(large: TrackIndex, tmp_path: Path) -> None:
    for name, index in (("lists", large), ("exact", catalogue(3, 40))):
        (tmp_path / name).mkdir()
        index.save(tmp_path / name)
        loaded = TrackIndex.load(tmp_path / name)
        assert (loaded.lists is None) == (index.lists is None)
        for row in range(0, len(index.track_ids), 7 * len(index.track_ids) // 40):
            for mine, theirs in zip(
                index.search(index.track(row)).nearest(20),
                loaded.search(loaded.track(row)).nearest(20),
                strict=True,
            ):
                np.testing.assert_array_equal(mine, theirs)
        again = loaded.sound(np.ones(89), np.ones(200)).vector
        np.testing.assert_array_equal(again, index.sound(np.ones(89), np.ones(200)).vector)


@pytest.mark.parametrize("content", [None, b"", b"damaged"])
def test_a_missing_or_damaged_index_is_refused(content: bytes | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "index.safetensors").write_bytes(content)
    with pytest.raises(BundleError, match=r"track index .* cannot be read .* build it again"):
        TrackIndex.load(tmp_path)
