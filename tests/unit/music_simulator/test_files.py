from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.errors import InvalidDataError, InvalidRequestError
from domains.music.simulator import Context, LogFormat, World, simulate

EVENTS = 4_000
FROZEN_BYTES: dict[LogFormat, str] = {
    "kkbox": "fc09c02abcd290a3787ac78ef4fd50f4a2b3f6e5ccb08e62928a5773da4dc77d",
    "generic": "52f5b771803a3de12c36820c5090b64548bf527d30916f2d77cae8e8b6b768c5",
}
KKBOX_FILES = {
    "train.csv": "msno,song_id,source_system_tab,source_screen_name,source_type,target",
    "test.csv": "id,msno,song_id,source_system_tab,source_screen_name,source_type",
    "members.csv": "msno,city,bd,gender,registered_via,registration_init_time,expiration_date",
    "songs.csv": "song_id,song_length,genre_ids,artist_name,composer,lyricist,language",
    "song_extra_info.csv": "song_id,name,isrc",
    "clock.csv": "row_id,timestamp",
    "oracle.csv": "row_id,true_probability",
}
GENERIC_FILES = {
    "events.csv": "user_id,object_id,timestamp,source_tab,source_screen,source_type,outcome",
    "objects.csv": "object_id,title,artist,genres,language,composer,lyricist,isrc,length_s",
    "users.csv": "user_id,city,gender,registered_via,age,registered_at",
    "oracle.csv": "row_id,true_probability",
}


def read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype=str, keep_default_na=False)


@pytest.fixture(scope="session")
def kkbox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("kkbox")
    simulate(out, events=EVENTS, seed=4, format="kkbox")
    return out


@pytest.fixture(scope="session")
def generic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("generic")
    simulate(out, events=EVENTS, seed=4, format="generic")
    return out


def test_kkbox_files_have_the_columns_of_the_challenge(kkbox: Path) -> None:
    assert {path.name for path in kkbox.iterdir()} == {*KKBOX_FILES, "world.json"}
    for name, header in KKBOX_FILES.items():
        with (kkbox / name).open(encoding="utf-8") as file:
            assert file.readline() == header + "\n"


def test_train_clock_and_oracle_go_row_by_row(kkbox: Path) -> None:
    train, clock, oracle = (read(kkbox / f"{name}.csv") for name in ("train", "clock", "oracle"))
    assert len(train) == len(clock) == len(oracle) == EVENTS
    assert clock["row_id"].tolist() == oracle["row_id"].tolist() == [str(i) for i in range(EVENTS)]
    assert clock["timestamp"].astype(int).is_monotonic_increasing
    assert set(train["target"]) == {"0", "1"}


def test_the_written_oracle_is_what_the_reopened_world_answers(kkbox: Path) -> None:
    train, clock, oracle = (read(kkbox / f"{name}.csv") for name in ("train", "clock", "oracle"))
    context = Context(
        train["source_system_tab"].to_numpy(object),
        train["source_screen_name"].to_numpy(object),
        train["source_type"].to_numpy(object),
    )
    answers = World.open(kkbox / "world.json").probability(
        train["msno"].to_numpy(object),
        train["song_id"].to_numpy(object),
        context,
        clock["timestamp"].to_numpy(np.int64),
    )
    np.testing.assert_array_equal(answers, oracle["true_probability"].astype(float))


def test_members_hide_and_garble_what_real_members_do(kkbox: Path) -> None:
    members = read(kkbox / "members.csv")
    assert members["msno"].is_unique
    ages = members["bd"].astype(int)
    assert ((ages <= 0) | (ages >= 75)).any()
    assert ages.between(13, 74).any()
    assert set(members["gender"]) == {"male", "female", ""}
    days = pd.to_datetime(members["registration_init_time"], format="%Y%m%d")
    assert days.max() < pd.Timestamp("2017-01-12")
    assert days.min().year >= 2004


def test_the_catalogue_has_realistic_defects(tmp_path: Path) -> None:
    simulate(tmp_path / "out", events=50_000, seed=4, format="kkbox")
    songs, extra = read(tmp_path / "out" / "songs.csv"), read(tmp_path / "out/song_extra_info.csv")
    heard = read(tmp_path / "out" / "train.csv")["song_id"]
    assert 0.0 < (~heard.isin(songs["song_id"])).mean() < 0.02
    assert 0.03 < (extra["isrc"] == "").mean() < 0.15
    assert set(extra.loc[extra["isrc"] != "", "isrc"].str.len()) == {12}
    assert 0.0 < (songs["genre_ids"] == "").mean() < 0.05
    assert songs["genre_ids"].str.contains("|", regex=False).any()
    artists, titles = songs["artist_name"], extra["name"]
    for oddity in (",", " feat. ", " & ", "| "):
        assert 0.0 < artists.str.contains(oddity, regex=False).mean() < 0.1, oddity
    assert titles.str.contains('"', regex=False).any()
    assert not artists.map(str.isascii).all()


def test_generic_files_have_the_columns_of_the_music_schema(generic: Path) -> None:
    expected = {*GENERIC_FILES, "pools.json", "world.json"}
    assert {path.name for path in generic.iterdir()} == expected
    for name, header in GENERIC_FILES.items():
        with (generic / name).open(encoding="utf-8") as file:
            assert file.readline() == header + "\n"


def test_labels_derived_from_the_generic_log_are_those_of_the_kkbox_files(
    kkbox: Path, generic: Path
) -> None:
    train, clock = read(kkbox / "train.csv"), read(kkbox / "clock.csv")
    events = read(generic / "events.csv")
    events["timestamp"] = events["timestamp"].astype(int)
    assert events["timestamp"].is_monotonic_increasing
    assert set(events["outcome"]) == {"play"}
    times = events.groupby(["user_id", "object_id"], sort=False)["timestamp"]
    seen = times.agg(lambda t: (t.iloc[1:] - t.iloc[0] <= 30 * 86_400).any())
    firsts = clock["timestamp"].astype(int)
    closed = firsts < firsts.max() - 31 * 86_400
    pairs = pd.MultiIndex.from_arrays([train["msno"], train["song_id"]])
    derived = seen.loc[pairs].to_numpy(bool)
    labels = train["target"].to_numpy() == "1"
    np.testing.assert_array_equal(derived[closed], labels[closed])
    assert not (derived & ~labels).any()


def test_the_oracle_of_the_generic_log_points_at_first_plays(kkbox: Path, generic: Path) -> None:
    events, oracle = read(generic / "events.csv"), read(generic / "oracle.csv")
    rows = oracle["row_id"].astype(int).to_numpy()
    first = ~events.duplicated(["user_id", "object_id"]).to_numpy()
    np.testing.assert_array_equal(rows, np.flatnonzero(first))
    train, truth = read(kkbox / "train.csv"), read(kkbox / "oracle.csv")
    by_pair = dict(
        zip(
            zip(train["msno"], train["song_id"], strict=True),
            truth["true_probability"],
            strict=True,
        )
    )
    named = events.iloc[rows]
    pairs = zip(named["user_id"], named["object_id"], strict=True)
    assert [by_pair[pair] for pair in pairs] == oracle["true_probability"].tolist()


def test_pools_name_a_few_tracks(generic: Path) -> None:
    pools = json.loads((generic / "pools.json").read_text(encoding="utf-8"))
    world = World.open(generic / "world.json")
    pool = pools["royalty_free"]
    assert set(pools) == {"royalty_free"}
    assert set(pool) <= set(world.object_ids.tolist())
    assert 0.005 < len(pool) / len(world.catalogue) < 0.08


def test_parquet_holds_the_same_events(generic: Path, tmp_path: Path) -> None:
    simulate(tmp_path, events=EVENTS, seed=4, format="generic", table_format="parquet")
    columns = pd.read_parquet(tmp_path / "events.parquet")
    plain = read(generic / "events.csv")
    assert columns["object_id"].tolist() == plain["object_id"].tolist()
    assert columns["timestamp"].tolist() == plain["timestamp"].astype(int).tolist()


@pytest.mark.parametrize("log_format", ["kkbox", "generic"])
def test_the_same_seed_writes_the_same_bytes_and_another_seed_others(
    kkbox: Path, generic: Path, tmp_path: Path, log_format: LogFormat
) -> None:
    before = kkbox if log_format == "kkbox" else generic
    simulate(tmp_path / "same", events=EVENTS, seed=4, format=log_format)
    simulate(tmp_path / "other", events=EVENTS, seed=5, format=log_format)
    for path in before.iterdir():
        assert path.read_bytes() == (tmp_path / "same" / path.name).read_bytes(), path.name
        if path.name != "test.csv":
            assert path.read_bytes() != (tmp_path / "other" / path.name).read_bytes(), path.name


@pytest.mark.parametrize("log_format", ["kkbox", "generic"])
def test_the_bytes_of_a_small_log_are_frozen(
    kkbox: Path, generic: Path, log_format: LogFormat
) -> None:
    digest = hashlib.sha256()
    for path in sorted((kkbox if log_format == "kkbox" else generic).iterdir()):
        digest.update(path.read_bytes())
    assert digest.hexdigest() == FROZEN_BYTES[log_format]


def test_bytes_depend_on_no_hash_seed_time_zone_locale_or_thread_count(
    kkbox: Path, tmp_path: Path
) -> None:
    code = (
        "import sys; from pathlib import Path; from domains.music.simulator import simulate; "
        f"simulate(Path(sys.argv[1]), events={EVENTS}, seed=4, format='kkbox')"
    )
    surroundings = {
        "PYTHONHASHSEED": "99",
        "TZ": "Asia/Taipei",
        "LC_ALL": "C",
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "out")],
        env=os.environ | surroundings,
        check=True,
    )
    for path in kkbox.iterdir():
        assert path.read_bytes() == (tmp_path / "out" / path.name).read_bytes(), path.name


def test_a_directory_with_anything_in_it_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(InvalidDataError, match="not empty"):
        simulate(tmp_path, events=EVENTS, seed=1)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    with pytest.raises(InvalidDataError, match="it is a file"):
        simulate(tmp_path / "mine.txt", events=EVENTS, seed=1)


@pytest.mark.parametrize("existed", [True, False])
def test_an_interrupted_simulation_leaves_nothing(tmp_path: Path, existed: bool) -> None:
    out = tmp_path / "new" / "out"
    if existed:
        out.mkdir(parents=True)

    def interrupt(fraction: float) -> None:
        if fraction > 0.9:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(out, events=EVENTS, seed=1, progress=interrupt)
    assert list(tmp_path.rglob("*")) == ([tmp_path / "new", out] if existed else [])


def test_a_failing_move_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rename = Path.rename

    def fail_at_the_last(source: Path, target: Path) -> Path:
        if source.name == "world.json":
            raise OSError("disk full")
        return rename(source, target)

    monkeypatch.setattr(Path, "rename", fail_at_the_last)
    with pytest.raises(OSError, match="disk full"):
        simulate(tmp_path / "out", events=EVENTS, seed=1)
    assert list(tmp_path.iterdir()) == []


def test_progress_rises_to_one(tmp_path: Path) -> None:
    fractions: list[float] = []
    simulate(tmp_path / "out", events=EVENTS, seed=1, format="generic", progress=fractions.append)
    assert fractions == sorted(set(fractions))
    assert len(fractions) >= 5
    assert fractions[-1] == 1.0


def test_unknown_formats_and_too_few_events_are_refused_before_anything_is_written(
    tmp_path: Path,
) -> None:
    with pytest.raises(InvalidRequestError, match="xml"):
        simulate(tmp_path / "a", events=EVENTS, seed=1, format="xml")  # type: ignore[arg-type]
    with pytest.raises(InvalidRequestError, match="csv"):
        simulate(tmp_path / "a", events=EVENTS, seed=1, format="kkbox", table_format="parquet")
    with pytest.raises(InvalidRequestError, match="events"):
        simulate(tmp_path / "a", events=10, seed=1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("log_format", ["kkbox", "generic"])
def test_a_million_events_are_written_within_a_minute(
    tmp_path: Path, log_format: LogFormat
) -> None:
    simulate(tmp_path / "warm", events=EVENTS, seed=1, format=log_format)
    began = time.perf_counter()
    simulate(tmp_path / "out", events=1_000_000, seed=1, format=log_format)
    assert time.perf_counter() - began < 60
