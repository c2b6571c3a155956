"""How long a search for neighbours takes in catalogues of many tracks, and what lists miss.

python -m benchmarks.neighbours --tracks 10000 200000 500000

Tracks are made up: each is a mixture of two of the clips that ship with Encore, and a little noise.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace

import numpy as np
from rich.console import Console
from rich.progress import track as progress
from rich.table import Table
from threadpoolctl import threadpool_limits

from domains.music.audio.capability import GenreNeighbors
from domains.music.audio.clips import shipped_clips
from domains.music.audio.genre_source import TagGenres
from domains.music.audio.heard_tracks import HeardTracks
from domains.music.audio.intake import AudioIntake
from domains.music.audio.sound import Ear

QUERIES = 200
K = 10
NOISE = 1.0
"""Standard deviations of the shipped clips."""


def catalogue(heard: HeardTracks, n_tracks: int, seed: int) -> HeardTracks:
    """A catalogue of made-up tracks, of the genres that their tags tell."""
    random = np.random.default_rng(seed)
    first, second = random.integers(len(heard.track_ids), size=(2, n_tracks))
    share = random.uniform(size=(n_tracks, 1)).astype(np.float32)

    def mixed(values: np.ndarray) -> np.ndarray:
        noise = random.normal(0, NOISE, (n_tracks, values.shape[1])).astype(np.float32)
        return share * values[first] + (1 - share) * values[second] + noise * values.std(axis=0)

    tags = share * heard.tags[first] + (1 - share) * heard.tags[second]
    ids = tuple(f"{i:08}" for i in range(n_tracks))
    nobody_said = (frozenset[str](),) * n_tracks
    return HeardTracks(ids, mixed(heard.features), tags, mixed(heard.units), nobody_said, ids)


def measure(heard: HeardTracks, n_tracks: int, ear: Ear, intake: AudioIntake) -> dict[str, object]:
    started = time.perf_counter()
    neighbors = GenreNeighbors.build(TagGenres(), catalogue(heard, n_tracks, 1), ear, intake)
    build_s = time.perf_counter() - started
    random = np.random.default_rng(2)
    rows = random.integers(n_tracks, size=QUERIES)
    pool = frozenset(f"{i:08}" for i in random.integers(n_tracks, size=n_tracks // 20))

    def median_ms(same_genre: bool, pool_ids: frozenset[str] | None) -> float:
        taken = []
        for row in rows:
            began = time.perf_counter()
            neighbors.by_track(f"{row:08}", K, same_genre, pool_ids)
            taken.append(time.perf_counter() - began)
        return 1_000 * float(np.median(taken))

    neighbors.by_track("00000000", K, same_genre=True)  # derives what all later calls share
    index = neighbors.index
    exact = replace(index, lists=None)
    found, true = (
        [set(each.search(each.track(row)).nearest(K)[0].tolist()) for row in rows]
        for each in (index, exact)
    )
    recall = [len(a & b) / len(b) for a, b in zip(found, true, strict=True)]
    return {
        "tracks": n_tracks,
        "search": "exact" if index.lists is None else "lists",
        "build_s": build_s,
        "by_track_ms": median_ms(same_genre=False, pool_ids=None),
        "same_genre_ms": median_ms(same_genre=True, pool_ids=None),
        "pool_ms": median_ms(same_genre=False, pool_ids=pool),
        "recall_at_10": float(np.mean(recall)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tracks", type=int, nargs="+", default=[10_000, 200_000, 500_000])
    parser.add_argument("--json", action="store_true", dest="as_json")
    options = parser.parse_args()
    console = Console(stderr=True)
    with threadpool_limits(1), AudioIntake(n_processes=1) as intake:
        ear = Ear()
        heard = HeardTracks.listen_to([clip.as_track() for clip in shipped_clips()], ear, intake)
        results = [
            measure(heard, n_tracks, ear, intake)
            for n_tracks in progress(options.tracks, "catalogues", console=console)
        ]
    if options.as_json:
        print(json.dumps(results, indent=1))
        return
    headings = ("tracks", "search", "build s", "by track ms", "same genre", "5 % pool", "recall@10")
    table = Table(*headings)
    for r in results:
        table.add_row(
            f"{r['tracks']:,}",
            str(r["search"]),
            f"{r['build_s']:.1f}",
            f"{r['by_track_ms']:.2f}",
            f"{r['same_genre_ms']:.2f}",
            f"{r['pool_ms']:.2f}",
            f"{r['recall_at_10']:.3f}",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
