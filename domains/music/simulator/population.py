"""The users of a world: who they are, when they are there, what they like."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from domains.music.simulator.parameters import DAY_S, WorldParameters
from domains.music.simulator.randomness import (
    Bools,
    Floats,
    Ints,
    draw_rows,
    ranks,
    standardised,
    stream,
    unit,
)
from domains.music.simulator.vocabulary import Share

_AGE_BANDS = (18, 25, 35, 46)
_FIRST_YEAR = 2004
_YEAR_SHARES = (1, 1, 1, 2, 2, 2, 4, 9, 6, 9, 8, 14, 26)  # registrations 2004 to 2016
_DAYS_A_YEAR = 365


@dataclass(frozen=True)
class Population:
    """Columns over users: (n_users, ...)."""

    histories: Ints
    """Distinct tracks that each user hears during the log."""
    starts_s: Ints
    """Epoch seconds from which the user is there."""
    ends_s: Ints
    """Epoch seconds until which the user is there."""
    registered_s: Ints
    """Epoch seconds of registration."""
    ages: Ints
    """True age in years."""
    age_hidden: Bools
    """The user does not tell their age."""
    genders: npt.NDArray[np.str_]
    """"male", "female" or "" where not told."""
    cities: Ints
    """Row of `parameters.cities`."""
    channels: Ints
    """Row of `parameters.registration_channels`."""
    effects: Floats
    """User effect on the logit."""
    age_effects: Floats
    """Effect of the told or hidden age on the logit."""
    tab_effects: Floats
    """A user's own liking of each tab, the missing one last: (n_users, n_tabs + 1)."""
    tab_habits: Floats
    """Log of how much more than others a user plays from each tab: (n_users, n_tabs + 1)."""
    taste_base: Floats
    """Lasting taste: (n_users, d)."""
    taste_cosine: Floats
    """Wandering taste, cosine part: (n_users, d)."""
    taste_sine: Floats
    """Wandering taste, sine part: (n_users, d)."""
    taste_speeds: Floats
    """Radians a second of the wandering taste."""

    def __len__(self) -> int:
        return len(self.histories)


def create_population(
    parameters: WorldParameters, seed: int, events: int, start_s: int, history_cap: int
) -> Population:
    """Draws all users of a world in which `events` first plays happen."""
    histories, starts, ends, registered = _draw_presence(
        parameters, seed, events, start_s, history_cap
    )
    users = len(histories)
    weights = histories.astype(np.float64)
    rng = stream(seed, "users: profile")
    ages = np.clip(np.rint(27.3 * np.exp(0.29 * rng.standard_normal(users))), 13, 74)
    hidden = rng.random(users) < parameters.age_hidden_share
    cities = _draw_cities(parameters.cities, hidden, rng)
    channels = draw_rows(rng, parameters.registration_channels, users)
    gender_told = rng.random(users) < np.where(hidden, 0.07, 0.905)
    genders = np.where(gender_told, np.where(rng.random(users) < 0.51, "male", "female"), "")

    bands = np.where(hidden, len(_AGE_BANDS) + 1, np.digitize(ages, _AGE_BANDS))
    rng = stream(seed, "users: effects")
    effects = parameters.user_sd * standardised(
        rng.standard_normal(users), weights, bands.astype(np.int64)
    )
    knots = np.array(parameters.age_effect)
    age_effects = np.where(
        hidden, parameters.hidden_age_effect, np.interp(ages, knots[:, 0], knots[:, 1])
    )
    tabs = len({row.tab for row in parameters.contexts if row.tab})
    # A last column of zeros: nobody has a liking for the missing tab.
    known = np.append(np.ones(tabs), 0.0)
    tab_effects = parameters.user_tab_sd * rng.standard_normal((users, tabs + 1)) * known
    tab_habits = parameters.context_spread * rng.standard_normal((users, tabs + 1)) * known
    base, cosine, sine, speeds = _draw_taste(parameters, seed, users)
    return Population(
        histories=histories,
        starts_s=starts,
        ends_s=ends,
        registered_s=registered,
        ages=ages.astype(np.int64),
        age_hidden=hidden,
        genders=genders,
        cities=cities,
        channels=channels,
        effects=effects,
        age_effects=age_effects,
        tab_effects=tab_effects,
        tab_habits=tab_habits,
        taste_base=base,
        taste_cosine=cosine,
        taste_sine=sine,
        taste_speeds=speeds,
    )


def _history_quantiles(parameters: WorldParameters, shares: Floats, cap: int) -> Floats:
    """Distinct tracks heard at each quantile of users: the capped Weibull."""
    heard = parameters.history_scale * (-np.log1p(-shares)) ** (1.0 / parameters.history_shape)
    quantiles: Floats = np.clip(heard, 1.0, cap)
    return quantiles


def _draw_presence(
    parameters: WorldParameters, seed: int, events: int, start_s: int, history_cap: int
) -> tuple[Ints, Ints, Ints, Ints]:
    """Histories, starts, ends and registrations of as many users as `events` needs."""
    grid = (np.arange(20_000) + 0.5) / 20_000
    mean = float(_history_quantiles(parameters, grid, history_cap).mean())
    users = max(2, round(events / mean))
    rng = stream(seed, "users: presence")
    earliness = rng.standard_normal(users)
    rho = parameters.activity_history_correlation
    appetite = rho * earliness + np.sqrt(1.0 - rho * rho) * rng.standard_normal(users)
    histories = _histories(parameters, ranks(appetite), events, history_cap)

    lateness = 1.0 - (ranks(earliness) + rng.random(users)) / users
    is_new = lateness > 1.0 - parameters.new_user_share
    new_at = 0.96 * (lateness - 1.0 + parameters.new_user_share) / parameters.new_user_share
    days = float(parameters.days)
    first_day = np.where(is_new, new_at * days, np.minimum(rng.exponential(3.0, users), 0.5 * days))
    churned = rng.random(users) < parameters.churn_share
    stay = np.where(churned, rng.uniform(0.1, 1.0, users), 1.0)
    last_day = np.minimum(first_day + np.maximum(stay * (days - first_day), 1.0), days)
    starts = start_s + (first_day * DAY_S).astype(np.int64)
    ends = start_s + (last_day * DAY_S).astype(np.int64)

    years = [Share(str(_FIRST_YEAR + i), float(s)) for i, s in enumerate(_YEAR_SHARES)]
    years_ago = len(years) - draw_rows(rng, years, users) - rng.random(users)
    long_ago = start_s - (np.maximum(years_ago, 0.003) * _DAYS_A_YEAR * DAY_S).astype(np.int64)
    registered = np.where(is_new, starts - rng.integers(0, 3600, users), long_ago)
    return histories, starts, ends, registered


def _histories(parameters: WorldParameters, places: Ints, events: int, cap: int) -> Ints:
    """Whole numbers that follow the quantiles and add up to `events`: (n_users,)."""
    users = len(places)
    heard = np.rint(_history_quantiles(parameters, (places + 0.5) / users, cap)).astype(np.int64)
    by_size = np.argsort(-heard, kind="stable")
    missing = events - int(heard.sum())
    while missing:
        # A play more or less at a time, heaviest users first: no quantile moves visibly.
        step = 1 if missing > 0 else -1
        movable = by_size[(heard[by_size] < cap) if step > 0 else (heard[by_size] > 1)]
        chosen = movable[: abs(missing)]
        if not len(chosen):
            raise AssertionError("no user can take or give a play")
        heard[chosen] += step
        missing -= step * len(chosen)
    return heard


def _draw_cities(cities: tuple[Share, ...], hidden: Bools, rng: np.random.Generator) -> Ints:
    """City rows; users who hide their age mostly leave the default city, the first: (n_users,)."""
    default = rng.random(len(hidden)) < np.where(hidden, 0.86, 0.16)
    others = 1 + draw_rows(rng, cities[1:], len(hidden))
    return np.where(default, 0, others)


def _draw_taste(
    parameters: WorldParameters, seed: int, users: int
) -> tuple[Floats, Floats, Floats, Floats]:
    """Lasting taste, the two parts of the wandering taste and its speed."""
    rng = stream(seed, "users: taste")
    shape = (users, parameters.taste_dimensions)
    centres = unit(rng.standard_normal((parameters.communities, parameters.taste_dimensions)))
    community = centres[rng.integers(0, parameters.communities, users)]
    own = unit(rng.standard_normal(shape))
    share = parameters.community_share
    base = unit(np.sqrt(share) * community + np.sqrt(1.0 - share) * own)
    drift = parameters.drift_share
    shortest, longest = parameters.drift_period_days
    periods = rng.uniform(shortest, longest, users) * DAY_S
    speeds = np.where(rng.random(users) < 0.5, 1.0, -1.0) * 2.0 * np.pi / periods
    return (
        np.sqrt(1.0 - drift) * base,
        np.sqrt(drift) * unit(rng.standard_normal(shape)),
        np.sqrt(drift) * unit(rng.standard_normal(shape)),
        speeds,
    )
