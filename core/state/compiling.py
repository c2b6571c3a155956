"""How the kernels of the state are compiled.

Numba counts references to every array and every view of one, by atomic instructions: a fifth of the
time of a replay. Kernels keep no array beyond the call that lent it, so they are compiled without.
Division by zero gives an infinity or NaN, as in numpy, and needs no check. There is no fastmath:
the order of sums is law.
"""

from __future__ import annotations

from functools import partial

from numba import njit

kernel = partial(njit, cache=True, error_model="numpy", _nrt=False)
"""`@kernel()`: compiled at the first call and kept on disk. Numba refuses one that allocates."""

allocating_kernel = partial(njit, cache=True, error_model="numpy", _nrt=True)
"""For kernels that allocate, or copy a slice to a slice, which may. They must not return arrays
to a `kernel`, which would never free them."""
