"""`encore simulate`, `train` and `evaluate`: what they write, say and refuse."""

from __future__ import annotations

import csv
import hashlib
import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import roc_auc_score
from typer.testing import Result

from core.engine import DomainEngine, load_bundle
from core.errors import BundleError, EncoreError, InvalidDataError, NotEnoughDataError
from core.examples import replay_examples
from core.log import UNKNOWN_LABEL
from core.readers import read_log
from core.requests import ScoreRequest, UserRef
from core.state.state import State
from domains import DOMAINS

Encore = Callable[..., Result]
Plain = Callable[[str], str]
FITS = ("--recipe", "tiny")


def document(result: Result) -> dict[str, object]:
    assert result.exit_code == 0, result.output
    content = json.loads(result.stdout)
    assert isinstance(content, dict)
    return content


def refused(result: Result) -> EncoreError:
    assert isinstance(result.exception, EncoreError), result.output
    assert result.exit_code == 1
    return result.exception


def hashes(directory: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in directory.iterdir()}


# simulate


def test_simulate_writes_a_log_and_names_its_files(
    encore: Encore, plain: Plain, tmp_path: Path
) -> None:
    result = encore("simulate", "travel", "--out", tmp_path / "log", "--events", 500)
    assert result.exit_code == 0
    said = plain(result.stdout)
    for path in (tmp_path / "log").iterdir():
        assert path.name in said
    assert len(read_log(DOMAINS["travel"].readers, tmp_path / "log")) == 500


def test_simulate_with_the_same_seed_writes_the_same_bytes(encore: Encore, tmp_path: Path) -> None:
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        options = ("--events", 500, "--seed", seed, "--json")
        content = document(encore("simulate", "shopping", "--out", tmp_path / name, *options))
        assert content["files"] == sorted(hashes(tmp_path / name))
        assert content["format"] == "generic"
    assert hashes(tmp_path / "a") == hashes(tmp_path / "b") != hashes(tmp_path / "c")


def test_simulate_writes_the_asked_format(encore: Encore, tmp_path: Path) -> None:
    options = ("--events", 1000, "--format", "generic", "--json")
    content = document(encore("simulate", "music", "--out", tmp_path / "log", *options))
    assert "events.csv" in content["files"]  # type: ignore[operator]
    error = refused(
        encore("simulate", "music", "--out", tmp_path / "other", "--format", "listenbrainz")
    )
    assert "'listenbrainz' is not one of kkbox, generic" in str(error)
    assert not (tmp_path / "other").exists()


def test_simulate_never_writes_over_files(encore: Encore, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep me", encoding="utf-8")
    error = refused(encore("simulate", "shopping", "--out", tmp_path, "--events", 500))
    assert str(tmp_path) in str(error)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


# train


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bundles")


def test_train_publishes_a_bundle_and_reports_what_it_measured(
    encore: Encore, data: Path, bundles: Path
) -> None:
    options = ("--data", data, "--bundles", bundles, *FITS, "--json")
    content = document(encore("train", "shopping", *options))
    directory = Path(str(content["bundle"]))
    assert directory.parent == bundles / "shopping"
    manifest = json.loads((directory / "manifest.json").read_text("utf-8"))["content"]
    assert manifest["evaluation"] == content["evaluation"]
    assert manifest["recipe"]["trainers"] == "tiny"
    assert manifest["data"] == content["data"]
    assert manifest["rank"] == content["rank"]
    assert manifest["rank"]["lists"] > 0


def test_train_says_where_the_bundle_is_and_shows_the_figures(
    encore: Encore, plain: Plain, data: Path, tmp_path: Path
) -> None:
    result = encore("train", "shopping", "--data", data, "--bundles", tmp_path, *FITS)
    assert result.exit_code == 0
    said = plain(result.stdout)
    assert "ROC-AUC" in said
    assert "scored once" in said
    assert "rows of each fit: train" in said
    assert "lists of the past" in said
    version = next((tmp_path / "shopping").iterdir()).name
    assert version in said.replace(" ", "")


# evaluate


def test_predictions_cover_the_test_block_and_give_the_reported_figures(
    encore: Encore, data: Path, tmp_path: Path
) -> None:
    path = tmp_path / "predictions.csv"
    options = ("--data", data, "--predictions", path, *FITS, "--json")
    content = document(encore("evaluate", "shopping", *options))
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["row_id", "probability"]
    row_ids = np.array([int(row["row_id"]) for row in rows])
    probabilities = np.array([float(row["probability"]) for row in rows])

    domain = DOMAINS["shopping"]
    log = read_log(domain.readers, data)
    state = State(domain.schema, domain.label_rule.horizon_s, domain.tie_rule)
    table = replay_examples(
        log, state, base_share=domain.recipe.base_share, test_start=domain.recipe.test_start, seed=0
    )
    test = table.position >= 0.8
    assert row_ids.tolist() == log.row_id[table.row[test]].tolist()
    known = table.labels[test] != UNKNOWN_LABEL
    evaluation = content["evaluation"]
    assert isinstance(evaluation, dict)
    assert evaluation["test_rows"] == len(rows)
    reported = evaluation["ensembles"]["full"]
    assert reported["rows"] == known.sum()
    recomputed = roc_auc_score(table.labels[test][known], probabilities[known])
    assert reported["roc_auc"] == pytest.approx(recomputed, abs=1e-12)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["predictions.csv"]


def test_evaluate_twice_gives_the_same_bytes_and_another_seed_others(
    encore: Encore, data: Path, tmp_path: Path
) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        options = ("--predictions", tmp_path / name, "--seed", seed, *FITS)
        assert encore("evaluate", "shopping", "--data", data, *options).exit_code == 0
    one, again, other = ((tmp_path / name).read_bytes() for name in "abc")
    assert one == again != other


def test_json_of_a_command_is_one_document_without_nan(encore: Encore, data: Path) -> None:
    result = encore("evaluate", "shopping", "--data", data, *FITS, "--json")

    def refuse(name: str) -> float:
        raise AssertionError(f"{name} is no JSON")

    assert result.exit_code == 0
    content = json.loads(result.stdout, parse_constant=refuse)
    figures = content["evaluation"]["ensembles"]["full"]
    assert 0 <= figures["roc_auc_low"] <= figures["roc_auc"] <= figures["roc_auc_high"] <= 1
    assert not math.isnan(figures["log_loss"])


def test_predictions_into_a_directory_that_is_not_there_are_refused_before_any_work(
    encore: Encore, data: Path, tmp_path: Path
) -> None:
    path = tmp_path / "missing" / "p.csv"
    error = refused(encore("evaluate", "shopping", "--data", data, "--predictions", path, *FITS))
    assert "--predictions" in str(error)
    assert str(path.parent) in str(error)


# content


def content_file(data: Path, to: Path, vectors: list[list[float]] | None = None) -> Path:
    """Vectors of the first objects of the log, or of as many as there are vectors."""
    with (data / "objects.csv").open(encoding="utf-8", newline="") as file:
        ids = [row["object_id"] for row in csv.DictReader(file)]
    if vectors is None:
        vectors = np.random.default_rng(0).standard_normal((len(ids), 3)).tolist()
    table = {"object_id": ids[: len(vectors)], "vector": pa.array(vectors, pa.list_(pa.float32()))}
    pq.write_table(pa.table(table), to)
    return to


def test_train_with_content_publishes_a_bundle_that_serves_by_itself(
    encore: Encore, plain: Plain, data: Path, tmp_path: Path
) -> None:
    content = content_file(data, tmp_path / "content.parquet")
    options = ("--data", data, "--content", content, "--bundles", tmp_path / "out", *FITS)
    result = encore("train", "shopping", *options)
    assert result.exit_code == 0, result.output
    assert "content (content, 3 numbers) of" in plain(result.stdout)
    content.unlink()
    (directory,) = (tmp_path / "out" / "shopping").iterdir()
    domain = DOMAINS["shopping"]
    engine = DomainEngine(domain, load_bundle(directory, domain))
    known = engine.features(ScoreRequest(UserRef("u1"), ["o0"]), engine.clock_s)
    names = [column.name for column in known.columns.numbers]
    assert known.numbers[0, names.index("content_known")] == 1.0


def test_evaluate_with_content_measures_the_same_rows_with_it(
    encore: Encore, data: Path, tmp_path: Path
) -> None:
    content = content_file(data, tmp_path / "content.parquet")
    told = document(
        encore("evaluate", "shopping", "--data", data, "--content", content, *FITS, "--json")
    )
    plain = document(encore("evaluate", "shopping", "--data", data, *FITS, "--json"))
    assert told["data"]["content"]["size"] == 3  # type: ignore[index]
    assert "content" not in plain["data"]  # type: ignore[operator]
    assert told["evaluation"]["test_rows"] == plain["evaluation"]["test_rows"]  # type: ignore[index]
    assert told["evaluation"]["ensembles"] != plain["evaluation"]["ensembles"]  # type: ignore[index]


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_bad_content_is_named_with_its_row_before_any_work_and_nothing_is_written(
    encore: Encore, data: Path, tmp_path: Path, command: str
) -> None:
    content = content_file(data, tmp_path / "content.parquet", [[1.0, 2.0], [1.0]])
    out = ("--bundles", tmp_path / "out") if command == "train" else ()
    error = refused(encore(command, "shopping", "--data", data, "--content", content, *out, *FITS))
    assert isinstance(error, InvalidDataError)
    assert "content.parquet row 1, column vector" in str(error)
    assert [path.name for path in tmp_path.iterdir()] == ["content.parquet"]


# What is refused


def damaged(data: Path, to: Path, change: Callable[[list[str]], list[str]]) -> Path:
    """A copy of the log whose events were changed line by line."""
    to.mkdir()
    for path in data.iterdir():
        (to / path.name).write_bytes(path.read_bytes())
    lines = (data / "events.csv").read_text("utf-8").splitlines(keepends=True)
    (to / "events.csv").write_text("".join(change(lines)), encoding="utf-8")
    return to


def _wrong_time(lines: list[str]) -> list[str]:
    user, obj, _, *rest = lines[41].split(",")
    return [*lines[:41], ",".join([user, obj, "soon", *rest]), *lines[42:]]


BAD_EVENTS = {
    "another header": (lambda lines: ["who,what,when\n", *lines[1:]], "events.csv"),
    "half a line": (lambda lines: [*lines[:99], lines[99][:6]], "events.csv:100"),
    "a word for a time": (_wrong_time, "events.csv:42"),
    "no rows": (lambda lines: lines[:1], "events.csv"),
    "nothing": (lambda lines: lines[:0], "events.csv"),
}


@pytest.mark.parametrize("command", ["train", "evaluate"])
@pytest.mark.parametrize("what", sorted(BAD_EVENTS))
def test_a_bad_file_is_named_with_its_line_and_nothing_is_written(
    encore: Encore, data: Path, tmp_path: Path, command: str, what: str
) -> None:
    change, where = BAD_EVENTS[what]
    bad = damaged(data, tmp_path / "bad", change)
    out = ("--bundles", tmp_path / "out") if command == "train" else ()
    error = refused(encore(command, "shopping", "--data", bad, *out, *FITS))
    assert isinstance(error, InvalidDataError)
    assert where in str(error)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad"]


def test_a_directory_that_is_not_there_or_holds_no_log_is_refused(
    encore: Encore, tmp_path: Path
) -> None:
    for data, reason in (
        (tmp_path / "missing", "there is no such directory"),
        (tmp_path, "no known log, found nothing"),
    ):
        error = refused(encore("train", "shopping", "--data", data, *FITS))
        assert str(data) in str(error)
        assert reason in str(error)


def test_a_log_that_is_too_short_is_refused_and_nothing_is_published(
    encore: Encore, tmp_path: Path
) -> None:
    encore("simulate", "shopping", "--out", tmp_path / "log", "--events", 300)
    options = ("--data", tmp_path / "log", "--bundles", tmp_path / "bundles", *FITS)
    error = refused(encore("train", "shopping", *options))
    assert isinstance(error, NotEnoughDataError)
    assert "longer log" in str(error)
    assert not (tmp_path / "bundles").exists()


@pytest.mark.parametrize("command", ["simulate", "train", "evaluate"])
def test_an_unknown_domain_is_refused_with_the_known_ones(
    encore: Encore, tmp_path: Path, command: str
) -> None:
    where = ("--out", tmp_path / "out") if command == "simulate" else ("--data", tmp_path)
    error = refused(encore(command, "films", *where))
    assert "music, shopping, travel" in str(error)


@pytest.mark.parametrize(
    "arguments",
    [
        ("simulate",),
        ("simulate", "shopping"),
        ("simulate", "shopping", "--out", "x", "--events", "many"),
        ("simulate", "shopping", "--out", "x", "--events", "0"),
        ("simulate", "shopping", "--out", "x", "--seed", "-1"),
        ("train", "shopping"),
        ("train", "shopping", "--data", "x", "--device", "abacus"),
        ("train", "shopping", "--data", "x", "--recipe", "best"),
        ("evaluate", "shopping", "--data", "x", "--recipe", "best"),
        ("evaluate", "shopping", "--data", "x", "--what"),
        ("fly",),
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_with_2(
    encore: Encore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert encore(*arguments).exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_help_names_every_command_and_exits_with_0(encore: Encore, plain: Plain) -> None:
    result = encore("--help")
    assert result.exit_code == 0
    for command in ("demo", "simulate", "train", "evaluate", "serve"):
        assert command in plain(result.stdout)


def test_a_bundle_of_the_same_second_is_never_written_over(
    encore: Encore, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.cli.train.new_version", lambda: "20260101T000000Z")
    options = ("--data", data, "--bundles", tmp_path, *FITS)
    assert encore("train", "shopping", *options).exit_code == 0
    before = hashes(tmp_path / "shopping" / "20260101T000000Z" / "state")
    assert isinstance(refused(encore("train", "shopping", *options)), BundleError)
    assert hashes(tmp_path / "shopping" / "20260101T000000Z" / "state") == before
