"""Content vectors: points of one space, scaled, and which of them training does not show."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from core.content import HIDDEN_SHARE, ContentVectors, hidden_objects, unit_vectors
from core.schema import ContentSpace
from core.testing_logs import SMALL_SCHEMA


def test_vectors_are_scaled_to_unit_length_however_long_they_were() -> None:
    content = unit_vectors(
        "sound", ["a", "b", "c"], np.array([[3.0, 4.0], [1e300, 0.0], [0.0, -1e-300]])
    )
    assert content.space == ContentSpace("sound", 2)
    assert content.object_ids == ("a", "b", "c")
    assert content.vectors.dtype == np.float32
    np.testing.assert_allclose(content.vectors, [[0.6, 0.8], [1.0, 0.0], [0.0, -1.0]], rtol=1e-6)


@pytest.mark.parametrize("vector", [[0.0, 0.0], [np.nan, 1.0], [np.inf, 1.0]])
def test_what_has_no_direction_is_no_vector(vector: list[float]) -> None:
    with pytest.raises(ValueError, match="finite and not zero"):
        unit_vectors("sound", ["a"], np.array([vector]))


def test_vectors_of_another_shape_or_length_or_of_an_object_twice_are_refused() -> None:
    space, one = ContentSpace("sound", 2), np.array([[1.0, 0.0]], np.float32)
    with pytest.raises(ValueError, match="shape"):
        ContentVectors(space, ("a", "b"), one)
    with pytest.raises(ValueError, match="unit length"):
        ContentVectors(space, ("a",), 2 * one)
    with pytest.raises(ValueError, match="twice"):
        ContentVectors(space, ("a", "a"), np.vstack([one, one]))


def test_a_tenth_is_hidden_and_id_and_seed_alone_say_which() -> None:
    ids = [f"o{i}" for i in range(5000)]
    content = unit_vectors("sound", ids, np.ones((5000, 1)))
    hidden = hidden_objects(content, seed=1)
    assert hidden.mean() == pytest.approx(HIDDEN_SHARE, abs=0.02)
    assert (hidden_objects(content, seed=1) == hidden).all()
    assert (hidden_objects(content, seed=2) != hidden).any()
    backwards = replace(
        content, object_ids=content.object_ids[:1000:-1], vectors=content.vectors[1001:]
    )
    assert hidden_objects(backwards, seed=1).tolist() == hidden[:1000:-1].tolist()


@pytest.mark.parametrize(("name", "size"), [("", 3), ("sound", 0), ("sound", 65)])
def test_a_space_has_a_name_and_1_to_64_dimensions(name: str, size: int) -> None:
    with pytest.raises(ValueError, match="content space"):
        ContentSpace(name, size)


def test_each_space_makes_another_schema_and_none_the_declared_one() -> None:
    spaces = [None, ContentSpace("sound", 3), ContentSpace("sound", 4), ContentSpace("text", 3)]
    prints = [SMALL_SCHEMA.with_content(space).fingerprint for space in spaces]
    assert prints[0] == SMALL_SCHEMA.fingerprint
    # As before there was content at all: bundles of then are still served.
    assert prints[0].startswith("489f6dad44aa26c1")
    assert len(set(prints)) == 4
