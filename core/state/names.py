"""Names: which strings the indices of a state stand for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.schema import Field, Kind, Schema
from core.state.layout import OBJECT_ID, USER_ID, category_fields, user_field
from core.state.vocabulary import Vocabulary

NEVER_SEEN = 1
"""The value id of a context or category value that no event has had; 0 is absent."""


class Names:
    """Users, objects, and the values of categories and contexts, in order of arrival.

    Values of all categories of objects, contexts and users share one dense space, so that one
    kernel serves them all; a value is found by `field NUL string`. Within its field a value has a
    code, from 1 on.
    """

    def __init__(self, schema: Schema) -> None:
        """Nothing is known yet.

        Raises:
            ValueError: objects, contexts and users of the schema share a field's name.
        """
        self._schema = schema
        self._user_fields = [user_field(f) for f in category_fields(schema.user)]
        self._object_fields = [f.name for f in category_fields(schema.object)]
        fields = self._object_fields + [f.name for f in schema.context] + self._user_fields
        if len(set(fields)) != len(fields):
            raise ValueError(f"schema: objects, contexts and users share a name among {fields}")
        self.users = Vocabulary()
        self.objects = Vocabulary()
        self._values = Vocabulary(first=NEVER_SEEN + 1)
        self._codes: list[int] = []
        self._codes_of_field = Counter(dict.fromkeys(fields, 0))

    @property
    def values_end(self) -> int:
        """The id that the next new value will get."""
        return self._values.end

    def add_values(self, field: str, strings: NDArray[np.generic]) -> NDArray[np.int32]:
        """(n,) value ids, new ones in order of first appearance; '' is absent."""
        ids = self._values.add_all(strings, prefix=_key(field, ""))
        self._number_codes()
        return ids

    def add_sets(self, field: Field, column: NDArray[np.generic]) -> NDArray[np.int32]:
        """(n, max_values) value ids of a category field of objects."""
        if field.kind is Kind.CATEGORY:
            return self.add_values(field.name, column)[:, None]
        # A value that stands twice is one value: else the object would count twice for it.
        parts = [list(dict.fromkeys(str(text).split("|"))) if text else [] for text in column]
        most = field.max_values
        padded = [[*part[:most], *[""] * (most - len(part))] for part in parts]
        flat = np.array(padded, dtype=object).reshape(-1)
        return self.add_values(field.name, flat).reshape(len(column), most)

    def codes(self, start: int) -> NDArray[np.int64]:
        """The codes within their fields of all values from the id `start` on."""
        return np.array(self._codes[start - NEVER_SEEN - 1 :], np.int64)

    def sizes(self) -> dict[str, int]:
        """Vocabulary -> cardinality as of now; `core.state.layout.code_columns` asks for them."""
        sizes = {USER_ID: self.users.end, OBJECT_ID: self.objects.end}
        sizes |= {field: codes + 1 for field, codes in self._codes_of_field.items()}
        return sizes | {f"object_{field}": sizes[field] for field in self._object_fields}

    def value_of(self, field: str, string: str) -> int:
        """The value id of a string of a category field; one that no object has if never seen."""
        return int(self._values.get(_key(field, string), NEVER_SEEN))

    def values_of(self, field: str) -> dict[int, str]:
        """Value id -> name, of every value that a category field has had."""
        prefix = _key(field, "")
        return {
            value: key.removeprefix(prefix)
            for value, key in enumerate(self._values.strings, NEVER_SEEN + 1)
            if key.startswith(prefix)
        }

    def name_of(self, value: int) -> str:
        """A category value as people read it: `artist abba`."""
        return " ".join(_parts(self._values.string(value)))

    def add_context(self, context: Mapping[str, str]) -> None:
        """Make the values of an event's context known."""
        for f in self._schema.context:
            if context.get(f.name):
                self._values.add(_key(f.name, context[f.name]))
        self._number_codes()

    def context_values(self, context: Mapping[str, str]) -> NDArray[np.int32]:
        """(context fields,) value ids of a request's context."""
        strings = [(f.name, context.get(f.name, "")) for f in self._schema.context]
        return np.array([self.value_of(*pair) if pair[1] else 0 for pair in strings], np.int32)

    def declared_values(self, attributes: Mapping[str, str | float]) -> dict[int, int]:
        """Place among the user's categories -> value id, of what a request says of its user.

        A value that no user has is 0.
        """
        return {
            i: self._values.get(_key(user_field(f), str(attributes[f.name])))
            for i, f in enumerate(category_fields(self._schema.user))
            if f.name in attributes
        }

    def _number_codes(self) -> None:
        """Give the values that are new their codes within their fields."""
        for key in self._values.strings[len(self._codes) :]:
            field, _ = _parts(key)
            self._codes_of_field[field] += 1
            self._codes.append(self._codes_of_field[field])

    def to_json(self) -> dict[str, list[str]]:
        """All strings, as plain values."""
        return {
            "users": list(self.users.strings),
            "objects": list(self.objects.strings),
            "values": list(self._values.strings),
        }

    @classmethod
    def from_json(cls, schema: Schema, content: Mapping[str, Any]) -> Names:
        """Read what `to_json` gave.

        Raises:
            KeyError, TypeError: it is damaged.
        """
        names = cls(schema)
        names.users = Vocabulary(content["users"])
        names.objects = Vocabulary(content["objects"])
        names._values = Vocabulary(content["values"], first=NEVER_SEEN + 1)
        names._number_codes()
        return names


def _key(field: str, string: str) -> str:
    return f"{field}\0{string}"


def _parts(key: str) -> tuple[str, str]:
    field, _, string = key.partition("\0")
    return field, string
