"""Content: the object's content vector, and how what the user took so far lies to it.

Only where the schema has a content space. An object without a vector, or whose vector training
does not show, has NaN in every column but `content_known`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.schema import Branch, Schema
from core.state.arithmetic import cosine, decay, dot
from core.state.columns import Family, NumberColumn
from core.state.compiling import kernel
from core.state.content import Content


def user_columns(schema: Schema) -> list[NumberColumn]:
    """log1p of the meetings that made the user's taste."""
    if schema.content is None:
        return []
    return [NumberColumn("user_content_count", Family.CONTENT, Branch.USER)]


def request_columns(schema: Schema) -> list[NumberColumn]:
    """None."""
    del schema
    return []


def candidate_columns(schema: Schema) -> list[NumberColumn]:
    """Whether it has a vector, the vector, its cosines to the taste and to the previous object."""
    if schema.content is None:
        return []
    return [
        NumberColumn("content_known", Family.CONTENT, Branch.OBJECT),
        # Not marked as axes: they come from no log, so they say of a new object what they said of
        # the old ones.
        *(
            NumberColumn(f"object_content_{i}", Family.CONTENT, Branch.OBJECT)
            for i in range(schema.content.size)
        ),
        NumberColumn("user_content_match", Family.CONTENT, Branch.CONTEXT),
        NumberColumn("last_content_match", Family.CONTENT, Branch.CONTEXT),
    ]


@kernel()
def meet_content(user: int, obj: int, now: int, half_life: float, content: Content) -> None:
    """Fade the user's taste and add the object's vector, if it has one.

    Every meeting counts, so that what is taken again and again says more than what was tried. The
    moments are whole seconds on the user's clock.
    """
    if content.vector.shape[1] == 0:
        return
    vector = content.vector[obj]
    if dot(vector, vector) == 0.0:
        return
    taste = content.taste[user]
    faded = decay(now - content.taste_at[user], half_life)
    for i in range(len(vector)):
        taste[i] = taste[i] * faded + vector[i]
    content.taste_at[user] = max(now, content.taste_at[user])
    content.met[user] += 1


@kernel()
def read_user(user: int, content: Content, out: NDArray[np.float32], k: int) -> int:
    """See `user_columns`."""
    if content.vector.shape[1] == 0:
        return k
    out[k] = np.log1p(content.met[user])
    return k + 1


@kernel()
def read_candidates(
    user: int,
    objs: NDArray[np.int32],
    before: int,
    content: Content,
    out: NDArray[np.float32],
    first: int,
) -> int:
    """See `candidate_columns`: all candidates (n,); `before` is the user's previous object.

    How long ago a taste was fed changes no cosine, so it is read as it stands.
    """
    size = content.vector.shape[1]
    if size == 0:
        return first
    taste, last = content.taste[user], content.vector[before]
    for row in range(len(objs)):
        k, obj = first + 1, objs[row]
        is_shown, vector = content.shown[obj], content.vector[obj]
        out[row, first] = 1.0 if is_shown else 0.0
        for i in range(size):
            out[row, k + i] = vector[i] if is_shown else np.nan
        k += size
        out[row, k] = cosine(taste, vector) if is_shown else np.nan
        out[row, k + 1] = cosine(last, vector) if is_shown else np.nan
    return int(first + size + 3)
