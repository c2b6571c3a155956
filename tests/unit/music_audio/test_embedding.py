from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.errors import InvalidDataError
from domains.music.audio.content import content_vectors, write_content
from domains.music.audio.embedding import SoundEmbedding
from domains.music.audio.library import SoundLibrary


def library(features: np.ndarray, units: np.ndarray) -> SoundLibrary:
    n = len(features)
    return SoundLibrary(
        track_ids=tuple(f"{i:04}" for i in range(n)),
        files=tuple(f"{i:04}.ogg" for i in range(n)),
        seconds=np.ones(n),
        features=features.astype(np.float32),
        tags=np.zeros((n, 50), np.float32),
        units=units.astype(np.float32),
        previews=np.zeros((n, 2), np.int32),
        errors=(),
    )


def test_a_vector_does_not_depend_on_the_tracks_beside_it() -> None:
    rng = np.random.default_rng(0)
    features, units = rng.normal(size=(5_000, 89)), rng.normal(size=(5_000, 200))
    embedding = SoundEmbedding.fit(features, units)
    together = embedding.embed(features, units)
    assert together.shape == (5_000, 64)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1.0, atol=1e-6)
    for row in (0, 1, 4_095, 4_096, 4_999):
        alone = embedding.embed(features[row : row + 1], units[row : row + 1])
        np.testing.assert_array_equal(alone[0], together[row])


def test_vectors_keep_the_cosines_of_what_was_heard_where_few_axes_say_all() -> None:
    rng = np.random.default_rng(1)
    truth = rng.normal(size=(300, 6))
    features, units = truth @ rng.normal(size=(6, 89)), truth @ rng.normal(size=(6, 200))
    embedding = SoundEmbedding.fit(features, units)
    assert embedding.axes.shape == (289, 6)
    standard = (np.hstack([features, units]) - embedding.mean) * embedding.scale
    standard /= np.linalg.norm(standard, axis=1, keepdims=True)
    vectors = embedding.embed(features, units)
    np.testing.assert_allclose(vectors @ vectors.T, standard @ standard.T, atol=1e-5)


def test_a_catalogue_of_one_track_has_no_direction() -> None:
    features, units = np.ones((1, 89)), np.ones((1, 200))
    assert not SoundEmbedding.fit(features, units).embed(features, units).any()
    with pytest.raises(ValueError, match="at least one track"):
        SoundEmbedding.fit(features[:0], units[:0])


def test_content_vectors_have_unit_length_and_leave_out_what_has_no_direction() -> None:
    rng = np.random.default_rng(2)
    features, units = np.zeros((61, 89)), np.zeros((61, 200))
    features[:30], units[:30] = rng.integers(-9, 9, (30, 89)), rng.integers(-9, 9, (30, 200))
    features[31:], units[31:] = -features[:30], -units[:30]  # track 30 is the average of all
    track_ids, vectors = content_vectors(library(features, units))
    assert len(track_ids) == 60
    assert "0030" not in track_ids
    assert vectors.shape == (60, 24)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-6)


@pytest.mark.parametrize("n_tracks", [0, 1, 3])
def test_tracks_that_do_not_differ_give_no_content_vectors(n_tracks: int, tmp_path: Path) -> None:
    alike = library(np.ones((n_tracks, 89)), np.ones((n_tracks, 200)))
    with pytest.raises(InvalidDataError, match="no two of its tracks differ"):
        write_content(tmp_path / "content.parquet", alike)
    assert list(tmp_path.iterdir()) == []
