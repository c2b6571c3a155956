"""The feature families, one module each. A family names its columns and reads them in that order.

Every module names its columns by three functions of the schema, in the order in which its kernels
write them; a kernel takes the next free column `k` and returns the one after its last:

- `user_columns`: of the user alone, read once a request;
- `request_columns`: of user and context, read once a request;
- `candidate_columns`: of each candidate.

A new family is one module here, one line in `FAMILIES` and its kernel calls at the same place in
`core/state/reading.py`, where numba wants them spelled out. Kernels take the few arrays that they
read, not the whole state: that halves the time of compiling and of calling them.
"""

from __future__ import annotations

from types import ModuleType

from core.state.families import (
    activity,
    affinity,
    catalogue,
    content,
    latent,
    online,
    outcome,
    sequence,
    static,
)

FAMILIES: tuple[ModuleType, ...] = (
    static,
    activity,
    affinity,
    outcome,
    latent,
    sequence,
    catalogue,
    online,
    content,
)
"""In column order."""

__all__ = ["FAMILIES"]
