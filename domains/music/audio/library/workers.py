"""Describes files in worker processes, and survives the file that kills its worker."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import torch
from threadpoolctl import threadpool_limits

from domains.music.audio.library.describe import Description
from domains.music.audio.library.files import AudioFile

Describe = Callable[[Path], Description | str]
"""Describes a file or says why it cannot; a function of a module, so that workers can import it."""
Pool = Callable[[int], AbstractContextManager[Executor]]
"""Makes so many workers, and ends them."""

_KILLED = "the process that was decoding it died. Convert it to another format."
_IN_FLIGHT = 2
"""Files handed out for each worker: one in work, one waiting."""


def default_workers() -> int:
    """As many as this process may use cores."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def spawned(workers: int) -> Iterator[Executor]:
    """Worker processes of one thread each that end with their parent, however that ends."""
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(
        workers, multiprocessing.get_context("spawn"), initializer=_start_worker
    )
    try:
        yield pool
    except BaseException:
        # Interrupted: nobody waits for what is in work, and a pool whose workers are just starting
        # may never get round to ending them.
        for worker in set(multiprocessing.active_children()) - others:
            worker.kill()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def described(
    directory: Path, files: Iterable[AudioFile], describe: Describe, workers: int, pool: Pool
) -> Iterator[tuple[AudioFile, Description | str]]:
    """Describe files, in the order in which they are ready.

    When a worker dies, the files that were in flight are described again one at a time: the one
    that kills its worker again is at fault and gets an error, the others come to no harm.
    """
    waiting, suspects = deque(files), deque[AudioFile]()
    while waiting or suspects:
        alone = bool(suspects)
        with pool(1 if alone else workers) as executor:
            line = suspects if alone else waiting
            most = 1 if alone else _IN_FLIGHT * workers
            pending: dict[Future[Description | str], AudioFile] = {}
            lost: list[AudioFile] = []
            while (line or pending) and not lost:
                while line and len(pending) < most:
                    try:
                        future = executor.submit(describe, directory / line[0].file)
                    except BrokenProcessPool:
                        break  # said again by the files in flight, and by these first
                    pending[future] = line.popleft()
                if not pending:
                    break
                for future in wait(pending, return_when=FIRST_COMPLETED).done:
                    audio = pending.pop(future)
                    try:
                        answer = future.result()
                    except BrokenProcessPool:
                        lost.append(audio)
                    else:
                        yield audio, answer
            lost += pending.values()
        if alone and len(lost) == 1:
            yield lost[0], _KILLED
        else:
            suspects.extend(lost)


def _start_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent says when to stop
    torch.set_num_threads(1)
    threadpool_limits(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)  # a killed parent closes no queue: the worker would wait for ever
