"""Prints the published figures of the real log beside those of a simulated one.

python benchmarks/simulate_marginals.py --events 1000000 --seeds 1 2 3
"""

from __future__ import annotations

import argparse
import time

from domains.music.simulator import World, draw_first_plays
from domains.music.simulator.marginals import PUBLISHED, measure_marginals


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    arguments = parser.parse_args()

    columns = []
    for seed in arguments.seeds:
        began = time.process_time()
        world = World(arguments.events, seed)
        plays = draw_first_plays(world)
        took_s = time.process_time() - began
        columns.append(measure_marginals(world, plays))
        print(
            f"seed {seed}: {len(plays):,} first plays, {len(world.population):,} users, "
            f"{len(set(plays.objects.tolist())):,} of {len(world.catalogue):,} tracks heard, "
            f"{took_s:.1f} s of CPU"
        )
    heads = "".join(f"{f'seed {seed}':>9}" for seed in arguments.seeds)
    print(f"\n{'':<46}{'published':>10}{'±':>7}{heads}")
    for marginal in PUBLISHED:
        values = [column[marginal.name] for column in columns]
        cells = "".join(
            f"{value:9.3f}" if marginal.published < 1 else f"{value:9.0f}" for value in values
        )
        off = any(abs(value - marginal.published) > marginal.tolerance for value in values)
        print(
            f"{marginal.name:<46}{marginal.published:>10g}{marginal.tolerance:>7g}{cells}"
            f"{'  off' if off else ''}"
        )


if __name__ == "__main__":
    main()
