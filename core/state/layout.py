"""From a schema to the shape of the state and the columns of its features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple

import numpy as np
from numpy.typing import NDArray

from core.schema import Branch, Field, Kind, Schema
from core.state.arrays import PAST_HALF_LIVES, Shape
from core.state.columns import CodeColumn, Columns, Family, NumberColumn
from core.state.families import FAMILIES

USER_ID = "user"
OBJECT_ID = "object"
"""Vocabularies of the identity columns."""


def number_fields(fields: tuple[Field, ...]) -> tuple[Field, ...]:
    """The fields kept as numbers: numbers and timestamps."""
    return tuple(f for f in fields if f.kind in (Kind.NUMBER, Kind.TIMESTAMP))


def category_fields(fields: tuple[Field, ...]) -> tuple[Field, ...]:
    """The fields kept as codes, facets first: the order of `Objects.values`."""
    kept = [f for f in fields if f.kind in (Kind.CATEGORY, Kind.CATEGORY_SET)]
    return tuple(sorted(kept, key=lambda f: not f.facet))


def user_field(field: Field) -> str:
    """The name of a user's category beside those of objects and contexts: column and vocabulary."""
    return f"user_{field.name}"


def _longest(half_lives: NDArray[np.float64]) -> NDArray[np.float64]:
    """(PAST_HALF_LIVES,) the longest, ascending; where there are fewer, some stand twice."""
    enough = np.resize(half_lives, max(len(half_lives), PAST_HALF_LIVES))
    return np.asarray(np.sort(enough)[-PAST_HALF_LIVES:])


def shape_of(schema: Schema) -> Shape:
    """What the kernels must know of the schema."""
    fields = category_fields(schema.object)
    starts = np.concatenate([[0], np.cumsum([f.max_values for f in fields])]).astype(np.int64)
    half_lives = np.array(schema.half_lives_s)
    main = next(i for i, f in enumerate(fields) if f.name == schema.main_facet)
    return Shape(
        facet_start=starts[: len(schema.facets) + 1].copy(),
        slot_start=starts,
        main_slot=starts[main : main + 1].copy(),
        main_facet=np.array([main]),
        half_lives=half_lives,
        past_half_lives=_longest(half_lives),
        outcome_half_life=np.array([schema.outcome_half_life_s]),
        taste_half_life=np.array([schema.taste_half_life_s]),
        effect_variances=np.array(astuple(schema.effect_variances)),
        user_is_time=np.array([f.kind is Kind.TIMESTAMP for f in number_fields(schema.user)], bool),
        object_is_time=np.array(
            [f.kind is Kind.TIMESTAMP for f in number_fields(schema.object)], bool
        ),
    )


def number_columns(schema: Schema) -> tuple[NumberColumn, ...]:
    """The number columns in the order in which `core.state.reading` writes them."""
    columns: list[NumberColumn] = []
    for part in ("user_columns", "request_columns", "candidate_columns"):
        for family in FAMILIES:
            columns += getattr(family, part)(schema)
    return tuple(columns)


def code_columns(schema: Schema, sizes: Mapping[str, int]) -> tuple[CodeColumn, ...]:
    """The code columns in the order in which `core.state.reading` writes them.

    Args:
        schema: the domain's schema.
        sizes: vocabulary name -> cardinality.
    """

    def column(
        name: str,
        branch: Branch,
        vocabulary: str,
        *,
        family: Family = Family.STATIC,
        needs_context: bool = False,
        is_identity: bool = False,
    ) -> CodeColumn:
        return CodeColumn(
            name, family, branch, sizes[vocabulary], vocabulary, needs_context, is_identity
        )

    before = Family.SEQUENCE
    columns = [column("user", Branch.USER, USER_ID, is_identity=True)]
    columns += [
        column(user_field(f), Branch.USER, user_field(f)) for f in category_fields(schema.user)
    ]
    columns.append(
        column("previous_object", Branch.USER, OBJECT_ID, family=before, is_identity=True)
    )
    columns += [
        column(f"previous_{f.name}", Branch.USER, f.name, family=before) for f in schema.context
    ]
    columns += [
        column(f.name, Branch.CONTEXT, f.name, family=Family.CONTEXT, needs_context=True)
        for f in schema.context
    ]
    columns.append(column("object", Branch.OBJECT, OBJECT_ID, is_identity=True))
    for f in category_fields(schema.object):
        for i in range(f.max_values):
            name = f"object_{f.name}" + (f"_{i + 1}" if f.max_values > 1 else "")
            columns.append(column(name, Branch.OBJECT, f"object_{f.name}"))
    return tuple(columns)


def columns_of(schema: Schema, sizes: Mapping[str, int]) -> Columns:
    """The layout of feature batches."""
    return Columns(number_columns(schema), code_columns(schema, sizes))
