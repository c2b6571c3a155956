"""What a request may name: pools, facets, profiles, attributes and context fields of a domain."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from core.ensemble import Profile
from core.errors import FieldViolation, InvalidRequestError
from core.requests import RecommendRequest, UserRef
from core.schema import Field, Kind, Schema
from core.state.layout import category_fields


@dataclass(frozen=True)
class RequestChecks:
    """Holds the fields of requests against what a bundle of a domain knows."""

    domain: str
    schema: Schema
    profiles: frozenset[Profile]
    """Those that the bundle serves."""
    on_log_clock: Callable[[float], float]
    """From seconds since the epoch to the log's."""

    def profile(self, name: str) -> Profile:
        """The profile of a name; InvalidRequestError when the bundle does not serve it."""
        if name not in {p.value for p in self.profiles}:
            served = ", ".join(sorted(p.value for p in self.profiles))
            raise InvalidRequestError(
                [FieldViolation("profile", f"{name!r} is not served: use {served}")]
            )
        return Profile(name)

    def attributes(
        self,
        user: UserRef,
        context: Mapping[str, str],
        found_before: Sequence[FieldViolation] = (),
    ) -> dict[str, str | float]:
        """The user's attributes as values of their kinds; raises with every violation at once.

        Raises:
            InvalidRequestError: an attribute or context field is unknown or does not fit its kind,
                or something was found before.
        """
        violations = [*found_before, *self.of_context(context)]
        attributes: dict[str, str | float] = {}
        for name, text in user.attributes.items():
            where = f'user.attributes["{name}"]'
            declared = next((f for f in self.schema.user if f.name == name), None)
            if declared is None:
                known = ", ".join(f.name for f in self.schema.user)
                problem = f"unknown field: {self.domain} has {known}"
                violations.append(FieldViolation(where, problem))
                continue
            value = _parsed(declared, text)
            if value is None:
                problem = f"{text!r} is not a {declared.kind.value}: {declared.doc}"
                violations.append(FieldViolation(where, problem))
            elif declared.kind is Kind.TIMESTAMP:
                attributes[name] = self.on_log_clock(float(value))
            else:
                attributes[name] = value
        if violations:
            raise InvalidRequestError(violations)
        return attributes

    def of_pool(self, pool: str) -> list[FieldViolation]:
        """What is wrong with the name of a pool; none is right."""
        if not pool or pool in self.schema.pools:
            return []
        known = ", ".join(self.schema.pools) or "none"
        return [FieldViolation("pool", f"unknown pool {pool!r}: {self.domain} has {known}")]

    def of_facets(self, request: RecommendRequest) -> list[FieldViolation]:
        """What is wrong with the fields of the facet filters."""
        known = [f.name for f in category_fields(self.schema.object)]
        return [
            FieldViolation(
                f"facet_filters[{i}].field",
                f"unknown category field {wanted.field!r}: {self.domain} has {', '.join(known)}",
            )
            for i, wanted in enumerate(request.facet_filters)
            if wanted.field not in known
        ]

    def of_context(self, context: Mapping[str, str]) -> list[FieldViolation]:
        """What is wrong with the names of context fields."""
        known = [f.name for f in self.schema.context]
        return [
            FieldViolation(
                f'context["{name}"]', f"unknown field: {self.domain} has {', '.join(known)}"
            )
            for name in context
            if name not in known
        ]


def _parsed(field: Field, text: str | float) -> str | float | None:
    """The value of an attribute, or None when the text does not fit its kind."""
    if field.kind is Kind.CATEGORY:
        return str(text)
    try:
        value = float(text)
    except ValueError:
        if field.kind is not Kind.TIMESTAMP:
            return None
        try:
            moment = datetime.fromisoformat(str(text))
        except ValueError:
            return None
        if moment.tzinfo is None:
            return None
        value = moment.timestamp()
    return value if math.isfinite(value) else None
