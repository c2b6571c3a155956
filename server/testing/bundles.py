"""A small bundle in seconds, and a real server over it: engine, store and wire, nothing faked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from core.bundle import read_manifest
from core.domain import Domain
from core.engine import STATE
from core.log import EventLog
from core.models import Compute
from core.publish import evaluate_log, publish
from core.readers import read_log
from core.state.columns import Columns
from core.state.state import State
from core.testing_logs import random_content
from domains import domain_named
from encore.v1 import common_pb2 as common_pb
from server.lifecycle import EncoreServer
from server.logs import json_log
from server.serve import assembled
from server.serving import Clock
from server.testing.harness import QUIET, Parts, RunningServer, running_server

EVENTS = {"music": 8000, "shopping": 6000, "travel": 6000}
"""Enough that labels mature in time for every fit: a simulated log lasts half a year."""
MIN_ROWS = 50


def wire_outcome(outcome: str) -> common_pb.Outcome.ValueType:
    """The enum value of a core outcome."""
    return common_pb.Outcome.Value(f"OUTCOME_{outcome.upper()}")


@dataclass(frozen=True)
class TinyBundle:
    """A bundle on disk and the log that it was trained on."""

    root: Path
    """Directory of all bundles."""
    directory: Path
    domain: Domain = field(repr=False)
    log: EventLog = field(repr=False)

    @property
    def end_s(self) -> float:
        """The last moment of its log: where serving begins."""
        return float(self.log.time_s[-1])

    @property
    def users(self) -> tuple[str, ...]:
        """Ids of the users with events, the busiest first."""
        return _busiest(self.log.user_index.tolist(), self.log.users.ids)

    @property
    def objects(self) -> tuple[str, ...]:
        """Ids of the objects with events, the most popular first."""
        return _busiest(self.log.object_index.tolist(), self.log.objects.ids)

    def state(self) -> State:
        """Its state, opened anew: an oracle for what a server over it must know."""
        schema = read_manifest(self.directory).schema_of(self.domain.schema)
        return State.load(schema, self.directory / STATE)

    def columns(self) -> Columns:
        """The layout of the batches that its members take."""
        return read_manifest(self.directory).columns(self.domain.schema)


def _busiest(indices: list[int], ids: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(ids[i] for i, _ in Counter(indices).most_common())


def train_tiny_bundle(
    root: Path,
    name: str,
    *,
    version: str = "v1",
    seed: int = 1,
    start_s: float | None = None,
    content_size: int = 0,
    sounds: Path | None = None,
) -> TinyBundle:
    """Simulate, measure and publish with the tiny members: what `encore train` does, in seconds.

    Args:
        root: directory of all bundles; the log is put below it.
        name: of the domain.
        version: of the bundle.
        seed: same seed, same bundle.
        start_s: epoch seconds at which the log begins; the simulator's own moment when absent.
        content_size: dimensions of content vectors at random; 0 for no content.
        sounds: sound library for GenreNeighbor; the shipped clips when absent.
    """
    domain = domain_named(name)
    data = root / ".data" / f"{name}-{version}"
    data.parent.mkdir(parents=True, exist_ok=True)
    domain.simulators["generic"](data, events=EVENTS[name], seed=seed, start_s=start_s)
    log = read_log(domain.readers, data, None)
    recipe = replace(domain.recipe, trainers="tiny", min_rows=MIN_ROWS)
    compute = Compute(threads=1)
    content = None
    if content_size:
        content = random_content(seed, log.objects.ids, domain.content_name, content_size)
    genre = None
    if sounds is not None and domain.genre is not None:
        genre = domain.genre.build(sounds=sounds, seed=seed, progress=None)
    evaluated = evaluate_log(
        domain, log, recipe, compute, seed=seed, content=content, with_lists=True
    )
    directory = publish(
        domain,
        log,
        evaluated,
        recipe,
        compute,
        root=root,
        version=version,
        published_at_s=float(log.time_s[-1]),
        commit="",
        seed=seed,
        genre=genre,
    )
    return TinyBundle(root, directory, domain, log)


@dataclass
class RealParts(Parts):
    """Parts of a server that was put together over bundles and a database."""

    built: EncoreServer | None = None

    async def build(self) -> EncoreServer:
        """The server as it was put together."""
        assert self.built is not None
        return self.built


@contextmanager
def serving_bundles(
    bundles: Path,
    database_url: str,
    clock: Clock,
    *,
    domains: tuple[str, ...] = (),
    port: int = 0,
    media_url: str = "",
) -> Iterator[RunningServer]:
    """A server over the latest bundles and a database, put together as `encore serve` does."""
    settings = QUIET.model_copy(
        update={
            "bundles": bundles,
            "database_url": database_url,
            "domains": domains,
            "port": port,
            "media_url": media_url,
        }
    )
    parts = RealParts(settings)
    with assembled(settings, clock=clock, log=json_log(parts.log, "DEBUG")) as server:
        parts.built = server
        with running_server(parts) as running:
            yield running
