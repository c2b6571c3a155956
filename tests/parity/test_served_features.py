"""What the server used for a Score equals what training would have seen: bit for bit, always."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from numpy.typing import NDArray

from core.log import EventLog, TieRule, build_log
from core.state.events import KINDS
from core.state.replay import Replay
from core.state.state import NOBODY
from core.state.writing import INTERACTION
from core.testing_logs import context_of
from encore.v1 import admin_service_pb2 as admin_pb
from encore.v1 import common_pb2 as common_pb
from encore.v1 import recommender_service_pb2 as pb
from server.store.testing import postgres_server
from server.testing import ManualClock, RunningServer
from server.testing.bundles import TinyBundle, serving_bundles, train_tiny_bundle, wire_outcome

DAY_S = 86_400
SPAN_S = 70 * DAY_S
"""More than two horizons of 30 days: labels of these events mature while they go on."""


def random_log(bundle: TinyBundle, n: int, seed: int) -> EventLog:
    """Events after the end of a bundle's log: ties, every outcome, much that is new to it.

    An event is an example if its pair meets for the first time, the bundle's log included.
    """
    rng = np.random.default_rng(seed)
    state = bundle.state()
    moments = int(bundle.end_s) + 1 + rng.integers(0, SPAN_S, 2 * n // 3)
    users = [*bundle.users[:12], *(f"new user {i}" for i in range(6))]
    objects = [*bundle.objects[:40], *bundle.objects[-20:], *(f"new track {i}" for i in range(25))]
    outcomes = sorted(bundle.domain.outcomes)
    taken = [KINDS[outcome] == INTERACTION for outcome in outcomes]
    weights = np.where(taken, 0.7 / sum(taken), 0.3 / (len(taken) - sum(taken)))
    events = pd.DataFrame(
        {
            "user_id": rng.choice(users, n),
            "object_id": rng.choice(objects, n),
            "time_s": np.sort(rng.choice(moments, n)).astype(np.float64),
            "outcome": rng.choice([outcome.value for outcome in outcomes], n, p=weights),
        }
    )
    for f in bundle.domain.schema.context:
        known = np.unique(bundle.log.context[f.name])[:4].tolist()
        events[f.name] = rng.choice([*known, f"new {f.name}", ""], n)
    interactions = events[events["outcome"].isin(["play", "replay", "purchase", "booking"])]
    first = interactions.drop_duplicates(["user_id", "object_id"])
    new_pairs = [
        row
        for row, user, obj in zip(first.index, first["user_id"], first["object_id"], strict=True)
        if not state.met(
            state.users.get(user), np.array([state.objects.get(obj, NOBODY)], np.int32)
        )[0]
    ]
    events["is_example"] = events.index.isin(new_pairs)
    return build_log(
        bundle.domain.name,
        bundle.domain.schema,
        events,
        users=pd.DataFrame({"user_id": []}),
        objects=pd.DataFrame({"object_id": []}),
        label_rule=bundle.domain.label_rule,
        tie_rule=TieRule.TIMESTAMP,
        where="events",
    )


@dataclass(frozen=True)
class Features:
    """Rows of numbers and codes."""

    numbers: NDArray[np.float32]
    codes: NDArray[np.int32]


def replayed(bundle: TinyBundle, log: EventLog) -> Features:
    """The features of every row as a training run would get them, from the bundle's state on."""
    state = bundle.state()
    replay = Replay(state, state.log_arrays(log))
    _, numbers, codes = replay.run(len(log), np.ones(len(log), bool))
    # What came after training has a code in a replay; the members in service do not know it.
    known = codes < bundle.columns().cardinalities
    return Features(numbers, np.where(known, codes, 0))


@dataclass
class Served:
    """Tells a server a log and asks it for features on the way."""

    encore: RunningServer
    clock: ManualClock
    log: EventLog

    def features(self, row: int) -> Features:
        """What a Score of the row's user, object and context uses, at the row's moment."""
        self.clock.now_s = float(self.log.time_s[row])
        reply = self.encore.admin.DebugFeatures(
            admin_pb.DebugFeaturesRequest(
                domain=self.log.domain,
                user=common_pb.User(id=self.user(row)),
                object_ids=[self.object(row)],
                context=context_of(self.log, row),
            )
        )
        return Features(np.array(reply.numbers, np.float32), np.array(reply.codes, np.int32))

    def score(self, row: int, now_s: float | None = None) -> list[float]:
        """Probabilities of all objects of the log at the row's moment: ensemble, then members."""
        self.clock.now_s = float(self.log.time_s[row]) if now_s is None else now_s
        reply = self.encore.api.Score(
            pb.ScoreRequest(
                domain=self.log.domain,
                user=common_pb.User(id=self.user(row)),
                object_ids=self.log.objects.ids,
                context=context_of(self.log, row),
                include_members=True,
            )
        )
        return [*reply.probabilities, *(p for m in reply.members for p in m.probabilities)]

    def tell(self, start: int, stop: int) -> None:
        """One Feedback call with these rows."""
        self.clock.now_s = float(self.log.time_s[stop - 1])
        reply = self.encore.api.Feedback(
            pb.FeedbackRequest(
                domain=self.log.domain,
                events=[
                    pb.FeedbackEvent(
                        event_id=f"e{row}",
                        user_id=self.user(row),
                        object_id=self.object(row),
                        outcome=wire_outcome(str(self.log.outcome[row])),
                        occurred_at=Timestamp(seconds=int(self.log.time_s[row])),
                        context={k: v for k, v in context_of(self.log, row).items() if v},
                    )
                    for row in range(start, stop)
                ],
            )
        )
        assert (reply.accepted, reply.duplicates, len(reply.rejected)) == (stop - start, 0, 0)

    def user(self, row: int) -> str:
        return str(self.log.users.ids[self.log.user_index[row]])

    def object(self, row: int) -> str:
        return str(self.log.objects.ids[self.log.object_index[row]])


@dataclass
class Story:
    """A server over one bundle and one database that can be stopped and started again."""

    bundle: TinyBundle
    log: EventLog
    database_url: str
    stack: ExitStack

    def start(self) -> Served:
        clock = ManualClock(self.bundle.end_s)
        running = self.stack.enter_context(
            serving_bundles(
                self.bundle.root, self.database_url, clock, domains=(self.bundle.domain.name,)
            )
        )
        return Served(running, clock, self.log)

    def restart(self) -> Served:
        self.stack.close()
        return self.start()


@contextmanager
def story(bundle: TinyBundle, log: EventLog, database_url: str) -> Iterator[Story]:
    with ExitStack() as stack:
        yield Story(bundle, log, database_url, stack)


def assert_same_bits(shown: Features, expected: Features, row: int, bundle: TinyBundle) -> None:
    columns = bundle.columns()
    numbers, codes = expected.numbers[row], expected.codes[row]
    differing = np.flatnonzero(shown.numbers.view(np.uint32) != numbers.view(np.uint32))
    assert not len(differing), (row, [columns.numbers[k].name for k in differing])
    differing = np.flatnonzero(shown.codes != codes)
    assert not len(differing), (row, [columns.codes[k].name for k in differing])


def group_ends(log: EventLog) -> list[int]:
    """Where tie groups end: rows up to there are told together."""
    return [*np.flatnonzero(np.diff(log.tie_group)) + 1, len(log)]


def check_all(bundle: TinyBundle, log: EventLog, database_url: str, restarts: int) -> int:
    """Ask before every tie group, then tell it; how many rows were compared."""
    expected = replayed(bundle, log)
    ends = group_ends(log)
    restart_after = {ends[len(ends) * (i + 1) // (restarts + 1)] for i in range(restarts)}
    rng = np.random.default_rng(5)
    compared = start = 0
    with story(bundle, log, database_url) as tale:
        served = tale.start()
        for end in ends:
            if 0 < start < len(log) - 1 and rng.random() < 0.05:
                # Whoever asks between two events lets labels mature, and changes nothing else.
                gap_s = log.time_s[start] - log.time_s[start - 1]
                served.score(start, log.time_s[start] - rng.random() * gap_s)
            for row in range(start, end):
                assert_same_bits(served.features(row), expected, row, bundle)
                compared += 1
            if end - start > 2:  # members of one tie group may come in several calls
                cut = int(rng.integers(start + 1, end))
                served.tell(start, cut)
                served.tell(cut, end)
            else:
                served.tell(start, end)
            start = end
            if end in restart_after:
                before = served.score(end)
                served = tale.restart()
                # Nets keep what they made of an object: another batch, another last bit.
                np.testing.assert_allclose(served.score(end), before, rtol=1e-6)
    return compared


@pytest.fixture(scope="module")
def many_events(tiny_music: TinyBundle) -> EventLog:
    return random_log(tiny_music, 2000, seed=3)


def test_the_random_events_hold_what_is_hard(tiny_music: TinyBundle, many_events: EventLog) -> None:
    """Ties, every outcome, new users and objects, unknown context, matured labels."""
    sizes = np.bincount(many_events.tie_group)
    assert (sizes > 1).sum() > 100
    assert set(many_events.outcome) == set(tiny_music.domain.outcomes)
    assert set(many_events.users.ids) - set(tiny_music.log.users.ids)
    assert set(many_events.objects.ids) - set(tiny_music.log.objects.ids)
    matured = many_events.is_example & (many_events.matures_at_s < many_events.time_s[-1])
    assert matured.sum() > 200
    state = tiny_music.state()
    replay = Replay(state, state.log_arrays(many_events))
    replay.run(len(many_events))
    assert {0, 1} <= set(replay.labels[matured].tolist())


def test_2000_events_served_equal_the_replay_through_two_restarts(
    tiny_music: TinyBundle, many_events: EventLog, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/encore.sqlite3"
    assert check_all(tiny_music, many_events, url, restarts=2) == len(many_events) == 2000


def test_the_same_on_postgresql(tiny_music: TinyBundle, tmp_path: Path) -> None:
    log = random_log(tiny_music, 200, seed=4)
    with postgres_server(tmp_path / "postgres") as server:
        assert check_all(tiny_music, log, server.empty_database(), restarts=1) == len(log)


def test_the_same_in_a_stub_domain(tiny_shopping: TinyBundle, tmp_path: Path) -> None:
    log = random_log(tiny_shopping, 200, seed=5)
    url = f"sqlite:///{tmp_path}/encore.sqlite3"
    assert check_all(tiny_shopping, log, url, restarts=1) == len(log)


def test_the_same_with_content_vectors(tmp_path: Path) -> None:
    bundle = train_tiny_bundle(tmp_path / "bundles", "shopping", content_size=4)
    names = [column.name for column in bundle.columns().numbers]
    assert "object_content_3" in names
    log = random_log(bundle, 200, seed=6)
    matches = replayed(bundle, log).numbers[:, names.index("user_content_match")]
    assert np.isfinite(matches).any()
    assert np.isnan(matches).any()
    url = f"sqlite:///{tmp_path}/encore.sqlite3"
    assert check_all(bundle, log, url, restarts=1) == len(log)


def test_large_calls_leave_the_same_state_as_small_ones(
    tiny_music: TinyBundle, many_events: EventLog, tmp_path: Path
) -> None:
    """Calls of up to 1,000 events: what a call holds is no boundary of the log."""
    expected = replayed(tiny_music, many_events)
    ends = group_ends(many_events)
    with story(tiny_music, many_events, f"sqlite:///{tmp_path}/encore.sqlite3") as tale:
        served = tale.start()
        start = 0
        for share in (0.01, 0.3, 0.31, 0.8):
            end = ends[int(share * len(ends))]
            for begin in range(start, end, 1000):
                served.tell(begin, min(begin + 1000, end))
            assert_same_bits(served.features(end), expected, end, tiny_music)
            start = end
