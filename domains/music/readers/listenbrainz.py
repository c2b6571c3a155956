"""ListenBrainz listens: JSON lines of exports and dumps, one listen a line.

The documents are those of https://listenbrainz.readthedocs.io/en/latest/users/json.html.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import math
import zlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from core.errors import InvalidDataError
from core.log import EventLog, TieRule, build_log
from domains.music.catalogue import latest_isrc_year, parse_catalogue
from domains.music.readers.generic import LABEL_RULE
from domains.music.schema import SCHEMA

PATTERNS = ("*.jsonl", "*.jsonl.gz", "*.listens", "*.listens.gz")
"""Exports write `listens/<year>/<month>.jsonl`, dumps `listens/<year>/<month>.listens`."""
OTHERS = ("feedback.jsonl", "pinned_recording.jsonl")
"""What a personal export holds besides listens."""
FIRST_LISTEN_S = datetime(2002, 10, 1, tzinfo=UTC).timestamp()
"""ListenBrainz accepts no earlier listens: Last.fm began then."""
LAST_LISTEN_S = datetime(2100, 1, 1, tzinfo=UTC).timestamp()
"""A later listen was not written in seconds."""

Json = Mapping[str, object]


def matches(directory: Path) -> bool:
    """Whether the directory holds listens, or the folder `listens` of an export or a dump."""
    return bool(_files(directory))


def read(directory: Path, /) -> EventLog:
    """The log of the listens in a directory, or in its folder `listens` where there is one.

    A track is known by the MBID that ListenBrainz mapped it to, else the submitted MBID, else
    the MSID, else a hash of artist and track name; what is said of it is taken from its earliest
    listen that says it. Every listen is an event, labels follow from returns within 30 days.
    Users are `user_name` or `user_id`; listens of a personal export name none, its `user.json`
    does.

    Raises:
        InvalidDataError: naming file and line at fault.
    """
    paths = _files(directory)
    if not paths:
        raise InvalidDataError(str(directory), "no listens", f"Give {' or '.join(PATTERNS)}")
    listens: list[dict[str, object]] = []
    for path in paths:
        name = path.relative_to(directory).as_posix()
        listens.extend(
            _listen(f"{name}:{number}", line) for number, line in _lines(path, name) if line.strip()
        )
    where = paths[0].name if len(paths) == 1 else f"{len(paths)} files"
    if not listens:
        raise InvalidDataError(where, "there are no listens", "Give a listen a line")
    table = pd.DataFrame(listens)
    nameless = (table["user_id"] == "").to_numpy(bool)
    if nameless.any() and not nameless.all():
        place = str(table["place"].iloc[int(np.flatnonzero(nameless)[0])])
        raise InvalidDataError(
            place, "no user_name and no user_id, which other listens have", "Name the user"
        )
    notes = [f"{where}: labels are returns within 30 days"]
    if nameless.all():
        table["user_id"] = _exporter(directory / "user.json")
        notes.append(f"{where}: no listen names its user, all were taken as one user's")
    return build_log(
        "music",
        SCHEMA,
        table[["user_id", "object_id", "time_s"]],
        users=pd.DataFrame({"user_id": []}),
        objects=_objects(table),
        label_rule=LABEL_RULE,
        tie_rule=TieRule.TIMESTAMP,
        where=where,
        notes=notes,
    )


def _objects(table: pd.DataFrame) -> pd.DataFrame:
    said = table.sort_values("time_s", kind="stable").drop(columns=["user_id", "time_s", "place"])
    # What the first listen says, and nothing that later ones add: whether somebody listens again,
    # with a client that tells more, is what is to be predicted.
    objects = said.drop_duplicates("object_id").reset_index(drop=True)
    latest_year = latest_isrc_year(float(table["time_s"].min()))
    parsed = parse_catalogue(objects, latest_year)
    if "credited_artist" in parsed:
        parsed["artist"] = parsed["credited_artist"].fillna(parsed["artist"])
    return parsed


def _files(directory: Path) -> list[Path]:
    folders = [*directory.glob("listens"), *directory.glob("*/listens")]
    within = [(folder, f"**/{pattern}") for folder in folders for pattern in PATTERNS]
    places = within or [(directory, pattern) for pattern in PATTERNS]
    found = {path for folder, pattern in places for path in folder.glob(pattern)}
    return sorted(path for path in found if path.name not in OTHERS)


def _exporter(path: Path) -> str:
    """The user name in an export's `user.json`, or `exporter` where there is no such file."""
    if not path.is_file():
        return "exporter"
    try:
        document = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise InvalidDataError(
            path.name, f"not a JSON document ({error})", "Fetch the export again"
        ) from error
    name = _text(document.get("username")) if isinstance(document, dict) else ""
    if not name:
        raise InvalidDataError(path.name, "username is missing", "Fetch the export again")
    return name


def _lines(path: Path, name: str) -> Iterator[tuple[int, bytes]]:
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            yield from enumerate(file, start=1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InvalidDataError(
            name, f"the gzip file is damaged or cut ({error})", "Fetch it again"
        ) from error


def _listen(where: str, line: bytes) -> dict[str, object]:
    """One listen as a row: ids, time and what is said of the track, None where nothing is."""
    try:
        document = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise InvalidDataError(where, "the line is not UTF-8", "Save it as UTF-8") from error
    except (ValueError, RecursionError) as error:
        raise InvalidDataError(
            where, f"the line is not a JSON document ({error})", "Mend it, or fetch the file again"
        ) from error
    track = _object(where, document, "track_metadata")
    info = _optional(track, "additional_info")
    mapping = _optional(track, "mbid_mapping") or _optional(document, "mbid_mapping")
    artist, title = (_named(where, track, name) for name in ("artist_name", "track_name"))
    return {
        "place": where,
        "user_id": _text(document.get("user_name")) or _text(document.get("user_id")),
        "object_id": _object_id(document, track, info, mapping, artist, title),
        "time_s": _listened_at(where, document),
        "title": title,
        "artist": artist,
        "isrc": _text(info.get("isrc")) or None,
        "length_s": _length_s(info),
        **_credited(mapping),
    }


def _object(where: str, document: object, name: str) -> Json:
    value = document.get(name) if isinstance(document, dict) else None
    if not isinstance(value, dict):
        raise InvalidDataError(where, f"{name} is missing", "Give listens as ListenBrainz does")
    return value


def _optional(document: Json, name: str) -> Json:
    value = document.get(name)
    return value if isinstance(value, dict) else {}


def _named(where: str, track: Json, name: str) -> str:
    value = track.get(name)
    if not isinstance(value, str) or not value.strip():
        raise InvalidDataError(where, f"track_metadata.{name} is {value!r:.60}", "Give its name")
    return value.strip()


def _text(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return str(value).strip()


def _listened_at(where: str, document: Json) -> float:
    value = document.get("listened_at")
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not FIRST_LISTEN_S <= value < LAST_LISTEN_S
    ):
        raise InvalidDataError(
            where, f"listened_at is {value!r:.40}", "Give seconds since 1970, from October 2002 on"
        )
    return float(value)


def _object_id(
    document: Json, track: Json, info: Json, mapping: Json, artist: str, title: str
) -> str:
    mbid = _text(mapping.get("recording_mbid")) or _text(info.get("recording_mbid"))
    msid = next(
        (m for place in (document, track, info) if (m := _text(place.get("recording_msid")))), ""
    )
    spoken = "\x1f".join((artist.casefold(), title.casefold())).encode()
    return mbid.lower() or msid.lower() or hashlib.sha256(spoken).hexdigest()[:32]


def _length_s(info: Json) -> float | None:
    for name, unit_s in (("duration_ms", 1e-3), ("duration", 1.0)):
        value = info.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            continue
        try:
            length = float(value) * unit_s
        except (ValueError, OverflowError):
            continue
        if math.isfinite(length) and length > 0:
            return length
    return None


def _credited(mapping: Json) -> dict[str, object]:
    """What the mapped artist credit says: it knows where a name ends, which texts do not."""
    artists = mapping.get("artists")
    if not isinstance(artists, list) or not all(isinstance(a, dict) for a in artists):
        return {}
    names = [_text(artist.get("artist_credit_name")) for artist in artists]
    if not names or "" in names:
        return {}
    joins = " ".join(_text(artist.get("join_phrase")).casefold() for artist in artists[:-1])
    return {
        "credited_artist": names[0],
        "artist_count": float(len(names)),
        "is_featured": float("feat" in joins or "ft." in joins),
    }
