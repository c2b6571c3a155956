"""The schema a domain declares: every counter, feature column and net branch is derived from it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from functools import cached_property

MAX_CONTENT_SIZE = 64
"""Each dimension is a column of every example."""


class Kind(StrEnum):
    """What the values of a field are; the kind picks parsing, statistics and encoding."""

    CATEGORY = "category"
    """One string from an open vocabulary; absent is the empty string."""
    CATEGORY_SET = "category_set"
    """Several strings, `|` separated in files; the first `max_values` are kept, in order."""
    NUMBER = "number"
    """A float; absent is NaN."""
    TIMESTAMP = "timestamp"
    """Epoch seconds (files may say ISO 8601); used as age at the moment of the event."""


class Branch(StrEnum):
    """Which part of the nets a value feeds."""

    USER = "user"
    OBJECT = "object"
    CONTEXT = "context"


@dataclass(frozen=True)
class Field:
    """One attribute of users or objects, or one field of the context."""

    name: str
    kind: Kind
    doc: str
    """One line for people: what it is, in which unit."""
    facet: bool = False
    """Objects only: groups objects, so it gets counters, affinities and outcome rates."""
    max_values: int = 1
    """Category sets only: how many values are kept."""


@dataclass(frozen=True)
class EffectVariances:
    """How far effects on the log-odds of a return are believed to lie from 0 before any label.

    Variances; see `core.state.beliefs`. Chosen on the tune blocks of a domain's logs.
    """

    user: float = 0.1
    object: float = 0.1
    value: float = 0.1
    """Of a category value of a user or an object."""
    context: float = 0.01
    """Of a context value."""
    user_facet: float = 0.05
    """Of a user in a facet value."""
    user_context: float = 0.003
    """Of a user in a context value."""


@dataclass(frozen=True)
class ContentSpace:
    """What content vectors of objects are: catalogue knowledge, there before anybody met them."""

    name: str
    """What they are made from, such as `sound`: a bundle of other content is another bundle."""
    size: int
    """Dimensions, at most MAX_CONTENT_SIZE."""

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("content space: it has no name")
        if not 1 <= self.size <= MAX_CONTENT_SIZE:
            raise ValueError(f"content space: size {self.size} is not in 1 to {MAX_CONTENT_SIZE}")


@dataclass(frozen=True)
class Schema:
    """The fields of a domain. Order is meaning: columns of the features follow it."""

    user: tuple[Field, ...]
    object: tuple[Field, ...]
    context: tuple[Field, ...]
    """Categories only: how the event came about; unknown when Encore proposes."""
    main_facet: str
    """The facet with its own latent space (artist, brand, destination)."""
    pools: tuple[str, ...] = ()
    """Named subsets of the objects that requests may draw from; membership is a feature."""
    half_lives_s: tuple[float, ...] = (3600.0, 86400.0, 7 * 86400.0, 30 * 86400.0)
    """Half-lives of the exponentially decayed counts, in seconds."""
    outcome_half_life_s: float = 60 * 86400.0
    """Half-life of matured labels in the outcome rates, in seconds."""
    taste_half_life_s: float = 20 * 86400.0
    """Half-life of what a user met, in the user's taste of late, in seconds."""
    effect_variances: EffectVariances = EffectVariances()
    """What the online beliefs begin with."""
    content: ContentSpace | None = None
    """Where a training run was given content vectors: their space. Domains declare none."""

    def __post_init__(self) -> None:
        for branch in Branch:
            names = [field.name for field in self.fields(branch)]
            if len(set(names)) != len(names):
                raise ValueError(f"schema: a {branch} field is declared twice in {names}")
        if any(field.kind is not Kind.CATEGORY for field in self.context):
            raise ValueError("schema: context fields must be categories")
        if any(f.facet and f.kind not in (Kind.CATEGORY, Kind.CATEGORY_SET) for f in self.object):
            raise ValueError("schema: facets must be categories or category sets")
        if any(f.facet for f in (*self.user, *self.context)):
            raise ValueError("schema: only object fields can be facets")
        if any(f.kind is Kind.CATEGORY_SET for f in self.user):
            raise ValueError("schema: user fields cannot be category sets")
        main = [f for f in self.object if f.name == self.main_facet and f.facet]
        if not main or main[0].kind is not Kind.CATEGORY:
            raise ValueError(f"schema: main facet {self.main_facet!r} must be a category facet")

    def fields(self, branch: Branch) -> tuple[Field, ...]:
        """The fields of one branch, in declared order."""
        return {Branch.USER: self.user, Branch.OBJECT: self.object, Branch.CONTEXT: self.context}[
            branch
        ]

    def field(self, branch: Branch, name: str) -> Field:
        """One field by name; KeyError names what is declared."""
        for field in self.fields(branch):
            if field.name == name:
                return field
        known = ", ".join(f.name for f in self.fields(branch))
        raise KeyError(f"no {branch} field {name!r}: the schema declares {known}")

    def with_content(self, space: ContentSpace | None) -> Schema:
        """The schema of a training run that was given vectors of this space, or none."""
        return replace(self, content=space)

    @cached_property
    def facets(self) -> tuple[Field, ...]:
        """The object fields that group objects, in declared order."""
        return tuple(field for field in self.object if field.facet)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over all declarations but their docs: bundles of another schema are refused."""
        declared = asdict(self)
        for branch in Branch:
            for field in declared[branch]:
                del field["doc"]
        if self.content is None:  # bundles without are those of before there was any
            del declared["content"]
        return hashlib.sha256(json.dumps(declared, sort_keys=True).encode()).hexdigest()
