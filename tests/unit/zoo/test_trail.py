"""The listening sequence: the user's own past, the latest first, and nothing of the same moment."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from core.log import INTERACTIONS, EventLog, TieRule
from core.testing_logs import LogTables, random_tables
from core.zoo.trail import CANDIDATE, trail_codes

NOTHING = pd.DataFrame({"user_id": [], "object_id": []}, dtype=object)


def log_of(*events: tuple[str, str, float, str]) -> EventLog:
    """Events of user, object, second and outcome; what shares a second shares a moment."""
    frame = pd.DataFrame(events, columns=["user_id", "object_id", "time_s", "outcome"])
    empty = LogTables(frame, NOTHING[["user_id"]], NOTHING[["object_id"]], {}, TieRule.TIMESTAMP)
    return empty.log()


def test_the_trail_holds_the_latest_objects_first_and_zero_where_there_are_none() -> None:
    log = log_of(
        ("ann", "a", 1.0, "play"),
        ("bob", "x", 2.0, "play"),
        ("ann", "b", 3.0, "like"),
        ("ann", "c", 4.0, "play"),
        ("ann", "d", 5.0, "play"),
        ("ann", "e", 5.0, "play"),
        ("ann", "a", 6.0, "play"),
    )
    a, x, _, c, d, e = (int(log.object_index[row]) + 1 for row in range(6))
    codes, columns = trail_codes(log, np.arange(len(log)), 3)
    assert [column.name for column in columns.codes] == [CANDIDATE, "trail_1", "trail_2", "trail_3"]
    assert codes[0].tolist() == [a, 0, 0, 0]
    assert codes[1].tolist() == [x, 0, 0, 0]
    assert codes[3].tolist() == [c, a, 0, 0]  # a like takes no object
    assert codes[4].tolist() == [d, c, a, 0]
    assert codes[5].tolist() == [e, c, a, 0]  # of the same second as d
    assert codes[6].tolist() == [a, e, d, c]


@given(st.integers(0, 2**32 - 1), st.sampled_from(list(TieRule)))
@settings(max_examples=25, deadline=None)
def test_the_trail_is_what_a_walk_through_the_log_remembers(seed: int, rule: TieRule) -> None:
    log = random_tables(seed, n_events=60, tie_rule=rule).log()
    codes, _ = trail_codes(log, np.arange(len(log)), 4)
    taken = [str(outcome) for outcome in INTERACTIONS]
    for row in range(len(log)):
        past = [
            int(log.object_index[other]) + 1
            for other in range(row)
            if log.user_index[other] == log.user_index[row]
            and log.tie_group[other] < log.tie_group[row]
            and str(log.outcome[other]) in taken
        ]
        assert codes[row, 1:].tolist() == (past[::-1] + [0] * 4)[:4]
