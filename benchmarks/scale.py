"""Whether cost is linear in events: `python -m benchmarks.scale --events 1000000 2000000 4000000`.

Simulates a KKBOX log of each size (kept in --data), reads it, replays it with all features, and
with `--stage trees nets` fits LightGBM and the nets on all examples, as `encore train` does: in one
process a size, whose log and state stay where they are. Peak memory is the kernel's mark of
resident memory (VmHWM), set back at the begin of each stage; pages of a mapped file count from when
they are read until they are given back. Warm kernels. Linux only.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from benchmarks.state import live_state, random_log
from core.examples import ExampleTable, replay_examples
from core.log import UNKNOWN_LABEL, EventLog
from core.mapped import is_mapped
from core.models import Compute, TreeSettings, TreeTrainer, standard_trainers
from core.readers import read_log
from core.scratch import Scratch
from core.state.state import State
from core.zoo.protocol import peak_bytes
from domains import domain_named
from domains.music.simulator.simulate import simulate
from server.cli.options import scratch_in

STAGES = ("replay", "trees", "nets")
SEED = 0


@dataclass(frozen=True)
class Task:
    """What the process of one size is to do."""

    events: int
    stages: Sequence[str]
    data: Path
    scratch: Scratch
    rounds: int
    leaves: int
    epochs: int
    compute: Compute


@dataclass(frozen=True)
class Cost:
    """What one stage took."""

    events: int
    stage: str
    rows: int
    """That the stage went through once, or once a round."""
    seconds: float
    peak_gb: float
    begin_gb: float
    """Resident when the stage began: the log, the state and what else stays."""
    note: str = ""

    @property
    def events_per_s(self) -> float:
        return self.events / self.seconds


class Meter:
    """Prints the costs of stages as they end, and collects them."""

    def __init__(self, events: int) -> None:
        self.costs: list[Cost] = []
        self._events = events

    @contextmanager
    def stage(self, name: str, rows: int) -> Iterator[list[str]]:
        """Inside, time and memory count for the stage; what is put into the list is its note."""
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        begin, start = peak_bytes(), time.perf_counter()
        notes: list[str] = []
        yield notes
        seconds, peak = time.perf_counter() - start, peak_bytes()
        note = ", ".join(notes)
        cost = Cost(self._events, name, rows, seconds, peak / 1e9, begin / 1e9, note)
        self.costs.append(cost)
        print(
            f"{cost.events:>10,}  {cost.stage:<9}{cost.seconds:>9.1f} s"
            f"{cost.events_per_s:>12,.0f} events/s{cost.begin_gb:>8.2f} ->{cost.peak_gb:>6.2f} GB"
            f"   {cost.note}",
            flush=True,
        )


def write_log(task: Task) -> list[Cost]:
    """Simulate the log where it is not there from an earlier run."""
    meter = Meter(task.events)
    directory = task.data / f"events-{task.events}"
    if not directory.exists():
        with meter.stage("simulate", task.events):
            simulate(directory, events=task.events, seed=SEED)
    return meter.costs


def measure(task: Task) -> list[Cost]:
    """All stages of one size, in this process."""
    live_state(random_log(500, 20, 30, seed=1))
    meter = Meter(task.events)
    with meter.stage("read", task.events):
        log = read_log(domain_named("music").readers, task.data / f"events-{task.events}", None)
    domain = domain_named("music")
    state = State(domain.schema, log.label_rule.horizon_s, domain.tie_rule)
    table = replayed(log, state, task, meter)
    known = table.take(table.labels != UNKNOWN_LABEL)
    if "trees" in task.stages:
        settings = TreeSettings(leaves=task.leaves)
        with meter.stage("trees", len(known)) as notes:
            notes.append(f"{task.rounds} rounds of {task.leaves} leaves")
            TreeTrainer(settings, task.compute).fit(known, None, seed=SEED, iterations=task.rounds)
    if "nets" in task.stages:
        trainers = standard_trainers(task.compute)
        for name in ("jenn", "felu"):
            with meter.stage(name, len(known)) as notes:
                notes.append(f"{task.epochs} epochs")
                trainers[name].fit(known, None, seed=SEED, iterations=task.epochs)
    return meter.costs


def replayed(log: EventLog, state: State, task: Task, meter: Meter) -> ExampleTable:
    """The table of examples; the state is then at the end of the log."""
    recipe = domain_named("music").recipe
    with meter.stage("replay", task.events) as notes:
        table = replay_examples(
            log,
            state,
            base_share=recipe.base_share,
            test_start=recipe.test_start,
            seed=SEED,
            scratch=task.scratch,
        )
        features = table.features
        size = (features.numbers.nbytes + features.codes.nbytes) / 1e9
        where = "on disk" if is_mapped(features.numbers) else "in memory"
        width = len(features.columns.numbers) + len(features.columns.codes)
        notes.append(f"{len(table):,} examples x {width}: {size:.1f} GB {where}")
    return table


def apart(work: Callable[[Task], list[Cost]], task: Task) -> list[Cost]:
    """Run `work(task)` in a new process, so that the peak of its memory is its own."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=context) as pool:
        try:
            return pool.submit(work, task).result()
        except BrokenProcessPool:
            raise SystemExit(
                f"the process of {task.events:,} events was killed: it may have run out of memory"
            ) from None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, nargs="+", default=[1_000_000])
    parser.add_argument("--stage", nargs="+", choices=STAGES, default=["replay"])
    parser.add_argument("--rounds", type=int, default=500, help="of LightGBM")
    parser.add_argument("--leaves", type=int, default=99)
    parser.add_argument("--epochs", type=int, default=1, help="of each net")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--device", choices=["cpu", "cuda", "auto"], default="cpu")
    parser.add_argument("--data", type=Path, default=Path(tempfile.gettempdir()) / "encore-scale")
    parser.add_argument("--scratch", type=Path, help="directory for tables too large for memory")
    parser.add_argument("--in-memory-gb", type=float, default=2.0, help="larger tables go there")
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    arguments = parser.parse_args()
    compute = Compute(device=arguments.device, threads=arguments.threads)
    scratch = replace(
        scratch_in(arguments.scratch), in_memory_bytes=int(arguments.in_memory_gb * 2**30)
    )
    arguments.data.mkdir(parents=True, exist_ok=True)
    print(
        "    events  stage        time        speed              resident, begin -> peak",
        flush=True,
    )
    costs: list[Cost] = []
    for events in arguments.events:
        task = Task(
            events,
            arguments.stage,
            arguments.data,
            scratch,
            arguments.rounds,
            arguments.leaves,
            arguments.epochs,
            compute,
        )
        for work in (write_log, measure):
            costs += apart(work, task)
        if arguments.json:
            rows = [asdict(cost) | {"events_per_s": cost.events_per_s} for cost in costs]
            arguments.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
