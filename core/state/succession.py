"""What a user met next, the last time: so what they are in the midst of can go on.

Who plays an album or a playlist again plays it in its order. Each pair of a user and an object
remembers the object that came right after their latest meeting; from the object met latest these
lead along what would come next. Only interactions count. Events of one moment follow each other in
the order of the log.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.state.arrays import UO_AFTER, StateArrays, Users
from core.state.compiling import allocating_kernel, kernel
from core.state.hashing import PairTable, find, pair_key


@kernel()
def succeed(user: int, obj: int, users: Users, user_object: PairTable) -> None:
    """Remember that the user met the object after the one met before it.

    What is met again at once follows nothing: who repeats one track still goes on after it.
    """
    before = users.latest[user]
    users.latest[user] = obj
    if before == 0:
        return
    if before != obj:
        user_object.marks[find(user_object, pair_key(user, before)), UO_AFTER] = obj


@allocating_kernel()
def read_successors(s: StateArrays, user: int, limit: int) -> NDArray[np.int32]:
    """(at most limit,) distinct objects in the order in which they came after the one met latest.

    They end where the user has not gone on yet, or where they would begin anew.
    """
    out = np.empty(limit, np.int32)
    obj = s.users.latest[user]
    for n in range(limit):
        if obj == 0:
            return out[:n]
        obj = s.user_object.marks[find(s.user_object, pair_key(user, obj)), UO_AFTER]
        for i in range(n):
            if out[i] == obj:
                return out[:n]
        if obj == 0 or obj == s.users.latest[user]:
            return out[:n]
        out[n] = obj
    return out
