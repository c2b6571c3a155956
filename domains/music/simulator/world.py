"""A world that knows the true probability of every return, re-created from seed and parameters."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from core.errors import FieldViolation, InvalidDataError, InvalidRequestError
from domains.music.simulator.catalogue import (
    Catalogue,
    create_catalogue,
    niche_count,
    track_count,
)
from domains.music.simulator.contexts import Context, ContextTable
from domains.music.simulator.identifiers import (
    OBJECT_PREFIX,
    USER_PREFIX,
    Entities,
    identifiers,
    indices,
)
from domains.music.simulator.kernels import UserTaste, probabilities, taste_matches
from domains.music.simulator.parameters import PARAMETERS, WorldParameters
from domains.music.simulator.population import Population, create_population
from domains.music.simulator.randomness import Bools, Floats, Ints

DEFAULT_START_S = 1_471_132_800
"""2016-08-14 00:00 UTC, the first moment of the log as published."""
FEWEST_EVENTS = 1_000
"""Below this a world has a handful of users and no marginals to speak of."""

_FORMAT = "encore-music-world/1"

Times = Sequence[int] | Sequence[float] | npt.NDArray[np.number] | float


@dataclass(frozen=True)
class LogitParts:
    """What the true logit of each row is made of: (n,) each; `total` adds them up."""

    taste: Floats
    """Latent taste of the user at that time x track."""
    user: Floats
    """User effect."""
    object: Floats
    """Track effect."""
    context: Floats
    """Tab x type, and the user's own liking of the tab."""
    content: Floats
    """Length, genre and age."""
    total: Floats
    """Intercept and all parts."""


@dataclass(frozen=True)
class ListResponse:
    """What a user did with a list: (n_items,) each, in list order."""

    examined: Bools
    """The user looked at this position."""
    taken: Bools
    """The user played the track."""
    returned: Bools
    """The user played it again within the horizon."""


class World:
    """Users, tracks and the truth about them; immutable.

    The true logit of a return within the horizon, given a first play, is

        intercept + user + track + taste(user at t) · track + tab x type + user x tab
                  + length + genre + age

    The world remembers nothing: it answers for any pair as if the play were the pair's first.
    Users and tracks are named by id (`u0000012`, `t0000345`) or by dense index.
    """

    def __init__(
        self,
        events: int,
        seed: int,
        parameters: WorldParameters = PARAMETERS,
        start_s: int = DEFAULT_START_S,
    ) -> None:
        """Creates the world of a log with `events` first plays that begins at `start_s`.

        Raises:
            InvalidRequestError: too few events, or a negative seed.
        """
        if events < FEWEST_EVENTS:
            raise InvalidRequestError(
                [FieldViolation("events", f"got {events}: ask for {FEWEST_EVENTS} or more")]
            )
        if seed < 0:
            raise InvalidRequestError(
                [FieldViolation("seed", f"got {seed}: a seed is zero or positive")]
            )
        self.events = events
        self.seed = seed
        self.parameters = parameters
        self.start_s = start_s
        self.end_s = start_s + parameters.duration_s
        decades = math.log10(parameters.full_events / events)
        self.intercept = parameters.intercept + parameters.intercept_per_decade * decades
        self.contexts = ContextTable(parameters)
        mass = track_count(parameters, events) - niche_count(parameters, events)
        self.population: Population = create_population(
            parameters, seed, events, start_s, min(parameters.history_cap, mass // 2)
        )
        self.catalogue: Catalogue = create_catalogue(
            parameters, seed, events, len(self.population), start_s
        )

    @cached_property
    def taste(self) -> UserTaste:
        """Taste of all users over time."""
        people = self.population
        return UserTaste(
            people.taste_base, people.taste_cosine, people.taste_sine, people.taste_speeds
        )

    @cached_property
    def user_ids(self) -> npt.NDArray[np.str_]:
        """Ids of all users by index: (n_users,)."""
        return identifiers(USER_PREFIX, len(self.population))

    @cached_property
    def object_ids(self) -> npt.NDArray[np.str_]:
        """Ids of all tracks by index: (n_tracks,)."""
        return identifiers(OBJECT_PREFIX, len(self.catalogue))

    def user_indices(self, users: Entities) -> Ints:
        """Dense indices of users given by id or index: (n,).

        Raises:
            InvalidRequestError: a user that is not of this world.
        """
        return indices(users, "users", USER_PREFIX, len(self.population))

    def object_indices(self, objects: Entities) -> Ints:
        """Dense indices of tracks given by id or index: (n,).

        Raises:
            InvalidRequestError: a track that is not of this world.
        """
        return indices(objects, "objects", OBJECT_PREFIX, len(self.catalogue))

    def probability(
        self, users: Entities, objects: Entities, context: Context, times: Times
    ) -> Floats:
        """True probability that each user returns to each track within the horizon: (n,).

        To eight decimals, and the same for a row whatever rows are beside it.

        Args:
            users: Ids or indices: (n,) or (1,).
            objects: Ids or indices: (n,) or (1,).
            context: One for all rows or one for each.
            times: Epoch seconds of the first play, one or (n,); any time, also after the log.

        Raises:
            InvalidRequestError: unknown users or tracks, or lengths that do not fit.
        """
        return probabilities(self.logit_parts(users, objects, context, times).total)

    def logit_parts(
        self, users: Entities, objects: Entities, context: Context, times: Times
    ) -> LogitParts:
        """The parts of the true logit; arguments and errors as `probability`."""
        u, o, t = self._rows(users, objects, times)
        try:
            tabs = self.contexts.tab_codes(context.source_tab, len(u))
            types = self.contexts.type_codes(context.source_type, len(u))
        except ValueError:
            raise InvalidRequestError(
                [FieldViolation("context", f"its length is neither 1 nor {len(u)} as the rows'")]
            ) from None
        people, tracks = self.population, self.catalogue
        taste = self.parameters.taste_sd * self._matches(u, o, t)
        user = people.effects[u]
        track = tracks.effects[o]
        surroundings = self.contexts.effects[tabs, types] + people.tab_effects[u, tabs]
        content = tracks.content_effects[o] + people.age_effects[u]
        total = self.intercept + taste + user + track + surroundings + content
        return LogitParts(taste, user, track, surroundings, content, total)

    def attraction(self, user: str | int, objects: Entities, t: float) -> Floats:
        """Probability that the user takes each track when they look at it: (n,)."""
        u, o, times = self._rows(user, objects, t)
        logits = (
            self.parameters.attraction_intercept
            + self.parameters.choice_taste * self._matches(u, o, times)
            + self.parameters.attraction_popularity * self.catalogue.popularity[o]
        )
        return probabilities(logits)

    def respond(
        self,
        user: str | int,
        objects: Entities,
        context: Context,
        t: float,
        rng: np.random.Generator,
    ) -> ListResponse:
        """Shows a list to a user at time `t` (epoch seconds) and says what they do with it.

        A cascade: the user looks at the first position; takes what is there with the
        probability `attraction` (taste and popularity, the same taste that made the log); goes
        on to the next position with a fixed chance that is smaller after taking; and returns to
        each taken track with `probability` in the given context.

        Raises:
            InvalidRequestError: an unknown user or track.
        """
        o = self.object_indices(objects)
        size = len(o)
        takes = rng.random(size) < self.attraction(user, o, t)
        stays = rng.random(size) < np.where(
            takes, self.parameters.continue_after_take, self.parameters.continue_after_skip
        )
        examined = np.ones(size, dtype=np.bool_)
        examined[1:] = np.logical_and.accumulate(stays[:-1])
        taken = examined & takes
        returns = rng.random(size) < self.probability(user, o, context, t)
        return ListResponse(examined, taken, taken & returns)

    def to_json(self) -> dict[str, object]:
        """All that re-creates the world."""
        return {
            "format": _FORMAT,
            "events": self.events,
            "seed": self.seed,
            "start_s": self.start_s,
            "parameters_sha256": self.parameters.checksum(),
            "parameters": self.parameters.to_json(),
        }

    @classmethod
    def open(cls, path: Path) -> World:
        """Re-creates the world that a `world.json` describes.

        Raises:
            InvalidDataError: no such file, or not one that a simulator wrote.
        """
        try:
            plain = json.loads(path.read_text(encoding="utf-8"))
            if plain["format"] != _FORMAT:
                raise ValueError(f"its format is {plain['format']!r}, not {_FORMAT!r}")
            parameters = WorldParameters.from_json(plain["parameters"])
            if parameters.checksum() != plain["parameters_sha256"]:
                raise ValueError("its parameters do not match their checksum")
            sizes = (plain["events"], plain["seed"], plain["start_s"])
            if not all(isinstance(value, int) for value in sizes):
                raise ValueError("events, seed and start_s must be whole numbers")
            return cls(sizes[0], sizes[1], parameters, sizes[2])
        except (OSError, ValueError, KeyError, TypeError, InvalidRequestError) as error:
            raise InvalidDataError(
                str(path), f"not a world: {error}", "Simulate it again"
            ) from error

    def _matches(self, users: Ints, objects: Ints, times: Floats) -> Floats:
        return taste_matches(self.taste, self.catalogue.taste, users, objects, times - self.start_s)

    def _rows(self, users: Entities, objects: Entities, times: Times) -> tuple[Ints, Ints, Floats]:
        u, o = self.user_indices(users), self.object_indices(objects)
        t = np.atleast_1d(np.asarray(times, dtype=np.float64))
        if not np.isfinite(t).all():
            raise InvalidRequestError(
                [FieldViolation("times", "not all are finite: give epoch seconds")]
            )
        try:
            shape = np.broadcast_shapes(u.shape, o.shape, t.shape)
        except ValueError:
            raise InvalidRequestError(
                [
                    FieldViolation(
                        "objects",
                        f"{len(u)} users, {len(o)} objects and {len(t)} times: "
                        "give one or equally many of each",
                    )
                ]
            ) from None
        # Copies: the kernels are compiled for contiguous arrays, once.
        return (
            np.broadcast_to(u, shape).copy(),
            np.broadcast_to(o, shape).copy(),
            np.broadcast_to(t, shape).copy(),
        )
