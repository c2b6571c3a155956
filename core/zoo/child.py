"""One fit in a process of its own, so that the peak of its memory is its own."""

from __future__ import annotations

import multiprocessing
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from core.errors import EncoreError
from core.models.base import Progress
from core.state.columns import Columns
from core.zoo.protocol import Measured, Plan, measure
from core.zoo.registry import ENSEMBLE
from core.zoo.table_files import ZooTable
from core.zoo.whole import measure_ensemble


class FitFailedError(EncoreError):
    """The process of a fit ended without a result."""


@dataclass(frozen=True)
class Job:
    """All that a process must be told."""

    name: str
    """Of the registry, or ENSEMBLE."""
    plan: Plan
    directory: Path
    """Where `ZooTable.write` wrote."""
    columns: Columns
    trail_columns: Columns


def run_job(job: Job, progress: Progress | None = None) -> list[Measured]:
    """Fit and measure in this process."""
    table = ZooTable.open(job.directory, job.columns, job.trail_columns)
    if job.name == ENSEMBLE:
        return measure_ensemble(table, job.plan, progress)
    return [measure(job.name, table, job.plan, progress)]


def run_apart(job: Job, progress: Progress | None = None) -> list[Measured]:
    """Fit and measure in a new process, whose progress is passed on; it ends with this call.

    Raises:
        FitFailedError: it was refused or failed, or was killed, for want of memory say.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(job, sender), daemon=True)
    process.start()
    sender.close()
    try:
        while True:
            kind, content = receiver.recv()
            if kind == "progress" and progress is not None:
                progress(*content)
            elif kind == "done":
                return list(content)
            elif kind == "failed":
                raise FitFailedError(f"{job.name} could not be fitted: {content}")
    except EOFError:
        process.join()
        raise FitFailedError(
            f"the process that fitted {job.name} ended with code {process.exitcode}: "
            "it may have run out of memory. Give --subsample, or leave it out with --only"
        ) from None
    finally:
        process.terminate()
        process.join()
        receiver.close()


def _work(job: Job, sender: Connection) -> None:
    def say(kind: str, content: object) -> None:
        sender.send((kind, content))

    try:
        say("done", run_job(job, lambda what, done: say("progress", (what, done))))
    except EncoreError as error:
        say("failed", str(error))
    except KeyboardInterrupt:
        pass
    except Exception as error:
        say("failed", f"{type(error).__name__}: {error}")
