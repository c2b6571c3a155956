"""Members and their stacks, fitted, served and saved together."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from core.errors import BundleError
from core.models.base import Examples, Model, Progress, Trainers
from core.models.member_files import read_json
from core.stack import Stack, fit_list_stack, fit_stack
from core.state.columns import Columns, FeatureBatch

SUNK_LOGIT = -50.0
"""Logit of a row that a member could not score: last in every order, and still a number."""
_STACKS = "stack.json"


class Profile(StrEnum):
    """Which members answer."""

    FULL = "full"
    LIGHT = "light"


PROFILES: Mapping[Profile, tuple[str, ...]] = {
    Profile.FULL: ("jenn", "felu", "lightgbm", "symmetric"),
    Profile.LIGHT: ("symmetric",),
}
"""The members of each profile that judge events, in the order of its stack."""
LIST_PROFILES: Mapping[Profile, tuple[str, ...]] = {
    Profile.FULL: ("jenn", "felu", "lightgbm"),
    Profile.LIGHT: ("felu", "lightgbm"),
}
"""The members of each profile that rank lists: LightGBM alone learns the order of candidates."""


@dataclass(frozen=True)
class EnsemblePrediction:
    """What an ensemble says of n rows, in their order."""

    probabilities: NDArray[np.float64]
    """(n,): of coming back, all finite."""
    logits: NDArray[np.float64]
    """(n,): their log-odds; SUNK_LOGIT where a member could not score."""
    is_sunk: NDArray[np.bool_]
    """(n,): a member could not score the row."""
    member_logits: Mapping[str, NDArray[np.float64]]
    """(n,) for each member of the profile; SUNK_LOGIT where it was not finite."""
    non_finite: Mapping[str, int]
    """Rows that each member could not score; they have sunk to the end. Empty when all is well."""


@dataclass(frozen=True)
class Ensemble:
    """Members and a stack per profile; immutable and safe to call from several threads."""

    members: Mapping[str, Model]
    """Fitted members by name."""
    stacks: Mapping[Profile, Stack]
    """The stacks of the profiles that can be served."""

    def __post_init__(self) -> None:
        for profile, stack in self.stacks.items():
            missing = [name for name in stack.member_names if name not in self.members]
            if missing:
                raise ValueError(f"the {profile} stack needs members {missing}: fit them first")

    def predict(self, batch: FeatureBatch, profile: Profile = Profile.FULL) -> EnsemblePrediction:
        """Probabilities (n,) and member logits; rows do not depend on each other.

        Raises:
            KeyError: the profile has no stack.
        """
        if profile not in self.stacks:
            raise KeyError(f"no stack for profile {profile}: there are {sorted(self.stacks)}")
        stack = self.stacks[profile]
        logits = _member_logits(self.members, stack.member_names, batch)
        is_finite = np.isfinite(logits)
        lost = np.count_nonzero(~is_finite, axis=0)
        sunk = np.where(is_finite, logits, SUNK_LOGIT)
        is_sunk = np.asarray(~is_finite.all(axis=1))
        ensemble_logits = np.where(is_sunk, SUNK_LOGIT, stack.predict(sunk))
        return EnsemblePrediction(
            expit(ensemble_logits),
            ensemble_logits,
            is_sunk,
            {name: sunk[:, index] for index, name in enumerate(stack.member_names)},
            {name: int(n) for name, n in zip(stack.member_names, lost, strict=True) if n},
        )

    def save(self, directory: Path) -> None:
        """Write a folder per member and the stacks into an existing, empty directory."""
        for name, member in self.members.items():
            (directory / name).mkdir()
            member.save(directory / name)
        content = {
            "members": sorted(self.members),
            "stacks": {profile.value: stack.to_json() for profile, stack in self.stacks.items()},
        }
        text = json.dumps(content, indent=1, sort_keys=True) + "\n"
        (directory / _STACKS).write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, directory: Path, columns: Columns, trainers: Trainers) -> Ensemble:
        """Read what `save` wrote; BundleError when it is damaged or made for other columns."""
        content = read_json(directory / _STACKS)
        try:
            names = [str(name) for name in content["members"]]
            stacks = {
                Profile(profile): Stack.from_json(stack)
                for profile, stack in content["stacks"].items()
            }
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BundleError(f"{_STACKS} is damaged ({error}): publish the bundle anew") from error
        unknown = [name for name in names if name not in trainers]
        if unknown:
            raise BundleError(f"no trainer for members {unknown}: there are {sorted(trainers)}")
        try:
            members = {name: trainers[name].load(directory / name, columns) for name in names}
            return cls(members, stacks)
        except ValueError as error:
            raise BundleError(f"{_STACKS} does not fit its members ({error})") from error


def fit_members(
    train: Examples,
    tune: Examples | None,
    *,
    iterations: Mapping[str, int] | None = None,
    seed: int,
    trainers: Trainers,
    progress: Progress | None = None,
) -> dict[str, Model]:
    """Fit every trainer on the same rows.

    With `tune` the members choose their iterations on it; without, `iterations` by member name
    are run (a refit repeats what an earlier fit chose).
    """
    return {
        name: trainer.fit(
            train,
            tune,
            seed=seed,
            iterations=None if iterations is None else iterations[name],
            progress=progress,
        )
        for name, trainer in trainers.items()
    }


def fit_stacks(members: Mapping[str, Model], examples: Examples) -> dict[Profile, Stack]:
    """Fit the stack of every profile whose members are there, on rows that none of them saw.

    Rows that are candidates of lists get stacks that order lists.
    """
    known = PROFILES if examples.lists is None else LIST_PROFILES
    profiles = {p: names for p, names in known.items() if set(names) <= set(members)}
    needed = [name for name in members if any(name in names for names in profiles.values())]
    logits = _member_logits(members, needed, examples.features)
    stacks = {}
    for profile, names in profiles.items():
        of_profile = logits[:, [needed.index(name) for name in names]]
        if examples.lists is None:
            stacks[profile] = fit_stack(names, of_profile, examples.labels)
        else:
            stacks[profile] = fit_list_stack(names, of_profile, examples.labels, examples.lists)
    return stacks


def _member_logits(
    members: Mapping[str, Model], names: tuple[str, ...] | list[str], batch: FeatureBatch
) -> NDArray[np.float64]:
    """Logits (n, members); the contract's length is checked here, for all callers."""
    logits = np.empty((len(batch), len(names)))
    for index, name in enumerate(names):
        scores = members[name].predict(batch)
        if scores.shape != (len(batch),):
            raise ValueError(
                f"member {name} must answer {len(batch)} logits, got shape {scores.shape}"
            )
        logits[:, index] = scores
    return logits
