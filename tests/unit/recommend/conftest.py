"""A world of a few objects whose every recommendation can be said by heart."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest

from core.content import unit_vectors
from core.log import Entities, Outcome
from core.recommend.allowed import allowed_objects
from core.recommend.contracts import Query
from core.requests import RecommendRequest, UserRef
from core.retrieval.index import fit_retrieval
from core.state.events import Event
from core.state.latent_fit import fit_latent
from core.state.state import State
from core.testing_logs import new_state

ARTISTS = {"a1": "abba", "a2": "abba", "a3": "abba", "b1": "bach", "b2": "bach", "n1": ""}
LANGUAGES = {"a1": "sv", "a2": "sv", "a3": "sv", "b1": "de", "b2": "de"}
GENRES = {"a1": "pop|rock", "a2": "pop|jazz", "a3": "pop", "b1": "rock"}
FREE = frozenset({"a2", "b1"})
CONTENT = unit_vectors(
    "sound", tuple(ARTISTS)[:5], np.array([[1, 0], [3, 1], [2, 1], [0, 1], [1, 3]], float)
)
"""Those of an artist lie near to each other; n1 has none."""
MEETINGS: Sequence[tuple[str, str]] = (
    ("ann", "a1"),
    ("ann", "a2"),
    ("bob", "a1"),
    ("bob", "a2"),
    ("bob", "b1"),
    ("cid", "b1"),
    ("cid", "b2"),
    ("dan", "b1"),
    ("dan", "b2"),
    ("eva", "a1"),
    ("eva", "a3"),
    ("fay", "a1"),
)
"""Each a second after the one before: a1 has four users, b1 three, a2 and b2 two, a3 one."""


def _entities(columns: Sequence[str], artists: Mapping[str, str], numbers: int) -> Entities:
    n = len(artists)
    texts = np.full(n, "", dtype=object)
    values: dict[str, np.ndarray] = dict.fromkeys(columns[:-numbers], texts)
    values |= dict.fromkeys(columns[-numbers:], np.full(n, np.nan))
    for column, known in (("artist", artists), ("language", LANGUAGES), ("genres", GENRES)):
        if column in values:
            values[column] = np.array([known.get(name, "") for name in artists], dtype=object)
    return Entities(tuple(artists), values)


@pytest.fixture
def state() -> State:
    """After all meetings, with latent vectors of them."""
    state = new_state(content=CONTENT)
    state.add_entities(
        _entities(("city", "age", "joined_at"), {}, 2),
        _entities(("language", "genres", "artist", "length", "released_at"), ARTISTS, 2),
        {"free": FREE},
    )
    state.add_content(CONTENT)
    for second, (user, obj) in enumerate(MEETINGS):
        state.update(Event(user, obj, Outcome.PLAY, float(second)))
    fit_latent(state, seed=0)
    return state


@pytest.fixture
def asked(state: State) -> Callable[..., Query]:
    """Makes a query of a user: `asked("ann", pool="free", now_s=20.0, exclude_ids=("a1",))`."""
    retrieval = fit_retrieval(state, seed=0)

    def ask(user: str = "", *, pool: str = "", now_s: float = 20.0, **request: object) -> Query:
        asked = RecommendRequest(UserRef(user), pool=pool, **request)  # type: ignore[arg-type]
        index = state.users.get(user)
        return Query(
            request=asked,
            state=state,
            retrieval=retrieval,
            user=index,
            now_s=now_s,
            user_now_s=now_s,
            pool=allowed_objects(state, asked, index, facets=True),
        )

    return ask
