"""Names: strings become dense indices, and values of one field have codes of their own."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from core.schema import Field, Kind
from core.state.names import NEVER_SEEN, Names
from core.testing_logs import SMALL_SCHEMA

GENRE = next(f for f in SMALL_SCHEMA.object if f.kind is Kind.CATEGORY_SET)
SURFACE = SMALL_SCHEMA.context[0].name
ARTIST = SMALL_SCHEMA.main_facet


def strings(*values: str) -> NDArray[np.object_]:
    return np.array(values, dtype=object)


@pytest.fixture
def names() -> Names:
    return Names(SMALL_SCHEMA)


def test_values_get_ids_in_order_of_arrival_and_keep_them(names: Names) -> None:
    first = names.add_values(ARTIST, strings("abba", "", "blur", "abba"))
    assert first.tolist() == [NEVER_SEEN + 1, 0, NEVER_SEEN + 2, NEVER_SEEN + 1]
    again = names.add_values(ARTIST, strings("blur", "cher"))
    assert again.tolist() == [NEVER_SEEN + 2, NEVER_SEEN + 3]
    assert names.values_end == NEVER_SEEN + 4


def test_the_same_string_in_two_fields_is_two_values_with_codes_of_their_own(names: Names) -> None:
    start = names.values_end
    names.add_values(ARTIST, strings("abba", "home"))
    names.add_context({SURFACE: "home"})
    assert names.value_of(ARTIST, "home") != names.value_of(SURFACE, "home")
    assert names.codes(start).tolist() == [1, 2, 1]
    assert names.codes(start + 2).tolist() == [1]
    sizes = names.sizes()
    assert (sizes[ARTIST], sizes[f"object_{ARTIST}"], sizes[SURFACE]) == (3, 3, 2)


def test_what_nobody_had_is_never_seen_and_what_is_not_said_is_absent(names: Names) -> None:
    assert names.value_of(ARTIST, "abba") == NEVER_SEEN
    assert names.context_values({SURFACE: "radio"})[0] == NEVER_SEEN
    assert not names.context_values({}).any()
    assert not names.context_values({SURFACE: ""}).any()
    assert names.values_end == NEVER_SEEN + 1  # asking makes nothing known


def test_a_set_keeps_its_first_values_each_once(names: Names) -> None:
    many = "|".join(f"g{i}" for i in range(GENRE.max_values + 2))
    ids = names.add_sets(GENRE, strings("rock|pop|rock", "", many))
    assert ids.shape == (3, GENRE.max_values)
    told = names.values_of(GENRE.name)
    assert [told[i] for i in ids[0].tolist() if i] == ["rock", "pop"][: GENRE.max_values]
    assert not ids[1].any()
    assert [told[i] for i in ids[2].tolist()] == many.split("|")[: GENRE.max_values]


def test_values_are_read_back_as_people_wrote_them(names: Names) -> None:
    (value,) = names.add_values(ARTIST, strings("the band")).tolist()
    assert names.name_of(value) == f"{ARTIST} the band"
    assert names.values_of(ARTIST) == {value: "the band"}


def test_what_was_stored_comes_back_with_ids_and_codes(names: Names) -> None:
    names.users.add("u1")
    names.objects.add("t1")
    names.add_values(ARTIST, strings("abba", "blur"))
    names.add_context({SURFACE: "home"})
    back = Names.from_json(SMALL_SCHEMA, json.loads(json.dumps(names.to_json())))
    assert back.to_json() == names.to_json()
    assert back.sizes() == names.sizes()
    assert back.codes(NEVER_SEEN + 1).tolist() == names.codes(NEVER_SEEN + 1).tolist()
    assert back.add_values(ARTIST, strings("cher")) == names.add_values(ARTIST, strings("cher"))
    assert back.sizes() == names.sizes()


def test_a_schema_whose_fields_share_a_name_is_refused() -> None:
    artist_again = Field(ARTIST, Kind.CATEGORY, "of the event")
    with pytest.raises(ValueError, match=ARTIST):
        Names(replace(SMALL_SCHEMA, context=(*SMALL_SCHEMA.context, artist_again)))
