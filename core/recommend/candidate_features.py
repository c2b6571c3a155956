"""What the rank task sees of candidates: the state's features, and what sources say of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from core.recommend.contracts import Query, Scoring, Source
from core.schema import Branch
from core.state.columns import Columns, Family, FeatureBatch, NumberColumn

Report = Callable[[str, Exception], None]
"""Called with the name of a source that failed, and how."""


def scoring(sources: Sequence[Source]) -> list[Scoring]:
    """The sources that can say something of any object, in order."""
    # By name: isinstance of a protocol takes longer than some sources do.
    return [cast(Scoring, source) for source in sources if hasattr(source, "scores")]


def rank_columns(state_columns: Columns, sources: Sequence[Source]) -> Columns:
    """The layout of candidate batches: the state's numbers, then the sources', then the codes."""
    said = tuple(
        NumberColumn(name, Family.SOURCE, Branch.CONTEXT)
        for source in scoring(sources)
        for name in source.columns
    )
    return Columns(state_columns.numbers + said, state_columns.codes)


def candidate_batch(
    query: Query,
    sources: Sequence[Source],
    state_columns: Columns,
    objects: NDArray[np.int32],
    report: Report,
    attributes: Mapping[str, str | float] | None = None,
) -> FeatureBatch:
    """Features (n rows) of candidates (n,), each row independent of the others.

    The request's context is unknown here, always: a list shows itself, and what the log says of how
    events came about speaks of other ways. A source that fails says nothing, and is reported.

    Args:
        query: the labels of its state have matured up to its moment.
        sources: all of the domain's; those that cannot score are passed over.
        state_columns: layout of the state's own features.
        objects: (n,) indices.
        report: told of sources that fail.
        attributes: user fields that override what is known, for this request only.
    """
    read = query.state.features(
        query.user, objects, {}, query.now_s, state_columns, attributes, query.user_now_s
    )
    columns = rank_columns(state_columns, sources)
    numbers = np.full((len(objects), len(columns.numbers)), np.nan, np.float32)
    start = len(state_columns.numbers)
    numbers[:, :start] = read.numbers
    for source in scoring(sources):
        stop = start + len(source.columns)
        try:
            numbers[:, start:stop] = source.scores(query, objects)
        except Exception as error:
            numbers[:, start:stop] = np.nan
            report(getattr(source, "name", "source"), error)
        start = stop
    return FeatureBatch(columns, numbers, read.codes, read.object_keys, one_user=True)
