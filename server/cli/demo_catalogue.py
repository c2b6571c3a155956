"""Puts the clips that ship with Encore into a simulated catalogue, as tracks of their own."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from domains.music.audio.clips import shipped_clips

ROYALTY_FREE = "royalty_free"


def add_shipped_clips(data: Path) -> None:
    """Append the clips to `objects.csv` and to the royalty-free pool; whole files or none."""
    clips = shipped_clips()
    path = data / "objects.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    columns = list(rows[0])
    for clip in clips:
        row = dict.fromkeys(columns, "")
        row |= {"object_id": clip.track_id, "title": clip.title, "artist": clip.artist}
        rows.append(row)
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    temporary.replace(path)

    pools_path = data / "pools.json"
    pools = json.loads(pools_path.read_text(encoding="utf-8"))
    pools[ROYALTY_FREE] = [*pools.get(ROYALTY_FREE, []), *(clip.track_id for clip in clips)]
    temporary = pools_path.with_name(f".{pools_path.name}.tmp")
    temporary.write_text(json.dumps(pools, ensure_ascii=False) + "\n", encoding="utf-8")
    temporary.replace(pools_path)
