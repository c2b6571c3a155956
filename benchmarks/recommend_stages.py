"""What a list costs before anything is ranked, stage by stage.

python -m benchmarks.recommend_stages DOMAIN --data DIR --cut 292d [--users 800] [--json]

The log is replayed up to an *earlier* cut, see `benchmarks/past_lists.py`, and lists are asked
for as they are served: the quotas are learned, one thread, every user once. Shown are the medians
and 95 % quantiles over users, in milliseconds:

- candidates: the sources and filters together;
- columns: what the state, and what the sources say of the candidates;
- each source by itself, asked of a query that nobody has read anything from yet: what several
  sources read is read once a list, so together they cost less than their sum.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from benchmarks import past_lists
from core.lists.protocol import Mode
from core.ranking.recommender import Pipeline, fail
from core.recommend.candidate_features import candidate_batch
from core.recommend.pipeline import asked_of
from core.recommend.shortlist import shortlist

Timings = dict[str, list[float]]
"""Stage -> milliseconds of each user."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Replay, ask for lists, print the table."""
    options = past_lists.parser(__doc__).parse_args(arguments)
    made, task = past_lists.read(options, recipe="tiny")
    pipeline = past_lists.unranked(made)
    generator = np.random.default_rng(options.seed)
    users = generator.permutation(task.users)[: options.users].tolist()
    time_lists(pipeline, users[:3], Mode.ALL)  # compiles what has not been compiled yet
    for mode in (Mode.ALL, Mode.EXPLORE):
        found = summary(time_lists(pipeline, users, mode))
        if options.json:
            print(json.dumps({"mode": mode.value, "ms": found}))
            continue
        print(f"{mode.value}: milliseconds, median and 95 % quantile of {len(users)} users")
        for stage, (median, high) in found.items():
            print(f"  {stage:32s} {median:7.2f} {high:7.2f}")


def time_lists(pipeline: Pipeline, users: Sequence[int], mode: Mode) -> Timings:
    """One list of each user (indices of the log) by every stage."""
    timings: Timings = defaultdict(list)
    stages, quotas_of = pipeline.stages, pipeline.rank.task.quotas_of
    for user in users:
        query = pipeline.query(user, mode)
        quotas = quotas_of(query.request)
        with _timed(timings["candidates"]):
            objects = shortlist(query, stages, fail, quotas).objects
        with _timed(timings["columns"]):
            candidate_batch(query, stages.sources, pipeline.columns, objects, fail)
        for source in stages.sources:
            fresh = pipeline.query(user, mode)
            if asked := asked_of(fresh, source.name, stages, quotas):
                with _timed(timings[source.name]):
                    source.propose(fresh, asked)
    return timings


@contextmanager
def _timed(milliseconds: list[float]) -> Iterator[None]:
    begun = time.perf_counter()
    yield
    milliseconds.append(1e3 * (time.perf_counter() - begun))


def summary(timings: Timings) -> dict[str, tuple[float, float]]:
    """Stage -> median and 95 % quantile."""
    return {
        stage: (float(np.median(values)), float(np.quantile(values, 0.95)))
        for stage, values in timings.items()
    }


if __name__ == "__main__":
    main()
