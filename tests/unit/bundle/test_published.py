"""What a published bundle holds, and that serving from it never changes it."""

from __future__ import annotations

import hashlib
import json
import math
import pickletools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.bundle import MANIFEST, read_manifest
from core.engine import DomainEngine, LoadedBundle, load_bundle
from core.errors import BundleError
from core.log import EventLog, Outcome
from core.publish import Evaluated, publish, rank_task, report_of
from core.requests import FeedbackEvent, RecommendRequest, ScoreRequest, UserRef
from core.state.arrays import HEAPED
from core.testing_domain import ONE_THREAD, SMALL_DOMAIN, publish_small, small_log

Published = tuple[Path, EventLog, Evaluated]
KINDS_OF_FILE = {".cbm", ".npy", ".json", ".safetensors", ".txt"}


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Published:
    root = tmp_path_factory.mktemp("published")
    log = small_log(root / "log")
    directory, evaluated = publish_small(root / "bundles", log)
    return directory, log, evaluated


@pytest.fixture
def bundle(published: Published) -> LoadedBundle:
    return load_bundle(published[0], SMALL_DOMAIN)


def again(root: Path, log: EventLog, evaluated: Evaluated) -> Path:
    """The bundle of what was evaluated, published below another root."""
    return publish(
        SMALL_DOMAIN,
        log,
        evaluated,
        SMALL_DOMAIN.recipe,
        ONE_THREAD,
        root=root,
        version="v2",
        published_at_s=float(log.time_s[-1]),
        commit="",
        seed=0,
    )


def hashes(directory: Path) -> dict[str, str]:
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in directory.rglob("*")
        if path.is_file()
    }


def test_no_file_of_a_bundle_is_a_pickle(published: Published) -> None:
    paths = [path for path in published[0].rglob("*") if path.is_file()]
    assert {path.suffix for path in paths} == KINDS_OF_FILE
    for path in paths:
        content = path.read_bytes()
        assert not content.startswith(b"\x80"), f"{path} begins like a pickle"
        assert not content.startswith(b"PK"), f"{path} is an archive"
        if path.suffix == ".npy":
            assert np.load(path, mmap_mode=None, allow_pickle=False).dtype != object
        if path.suffix == ".json":
            json.loads(content)
        with pytest.raises((ValueError, UnicodeDecodeError)):
            list(pickletools.genops(content))


def test_the_manifest_is_json_without_nan(published: Published) -> None:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    content = json.loads((published[0] / MANIFEST).read_text("utf-8"), parse_constant=refuse)
    assert content["version"] == "v1"
    assert all(math.isfinite(number) for number in _numbers(content))


def _numbers(value: object) -> Iterator[float]:
    if isinstance(value, dict):
        for part in value.values():
            yield from _numbers(part)
    elif isinstance(value, list):
        for part in value:
            yield from _numbers(part)
    elif isinstance(value, int | float):
        yield value


def test_figures_that_are_unknown_are_published_as_null(
    published: Published, tmp_path: Path
) -> None:
    _, log, evaluated = published
    unknown = dict.fromkeys(evaluated.evaluation.members, math.nan)
    evaluation = replace(evaluated.evaluation, members=unknown)
    report = report_of(
        SMALL_DOMAIN, log, replace(evaluated, evaluation=evaluation), SMALL_DOMAIN.recipe, seed=0
    )
    assert set(report["evaluation"]["member_roc_auc"].values()) == {None}
    json.dumps(report, allow_nan=False)


def test_the_manifest_carries_the_evaluation_and_says_what_was_refitted(
    published: Published,
) -> None:
    directory, log, evaluated = published
    content = read_manifest(directory).content
    full = content["evaluation"]["ensembles"]["full"]
    figures = {profile.value: f for profile, f in evaluated.evaluation.ensembles.items()}["full"]
    assert full == figures.to_json()
    assert content["evaluation"]["context_masked"]["full"]["rows"] == full["rows"]
    assert "repeat the recipe on everything up to now" in content["evaluation"]["says"]
    blocks = content["published"]["blocks"]
    assert blocks["refit"] > content["evaluation"]["blocks"]["refit"]
    assert content["data"]["events"] == len(log)
    assert content["data"]["last_time_s"] == log.time_s[-1]
    assert content["seed"] == 0
    assert content["libraries"]["numpy"] == np.__version__


def test_the_manifest_says_what_the_rank_task_learned_from(published: Published) -> None:
    directory, _, evaluated = published
    told = read_manifest(directory).content["rank"]
    assert evaluated.lists is not None
    assert told["lists"] == evaluated.lists.n_lists
    assert told["blocks"]["refit"] == len(evaluated.lists.examples)
    assert min(told["blocks"].values()) >= SMALL_DOMAIN.recipe.min_rows
    assert (directory / "tasks" / "rank").is_dir()


def test_a_log_without_lists_of_the_past_is_published_without_a_rank_task_and_says_why(
    published: Published, tmp_path: Path
) -> None:
    _, log, evaluated = published
    directory = again(tmp_path, log, replace(evaluated, lists=None))
    told = read_manifest(directory).content["rank"]
    assert told == {"none": "no list of the past has matured: give a longer log"}
    bundle = load_bundle(directory, SMALL_DOMAIN)
    assert bundle.rank is None
    slate = DomainEngine(SMALL_DOMAIN, bundle).recommend(
        RecommendRequest(UserRef(log.users.ids[0])), float(log.time_s[-1])
    )
    assert "no rank task in this bundle: ranked as Score does" in slate.fallbacks


def test_too_few_candidates_for_a_rank_task_are_counted(published: Published) -> None:
    evaluated = published[2]
    demanding = replace(SMALL_DOMAIN.recipe, min_rows=10**6)
    why = rank_task(SMALL_DOMAIN, evaluated.lists, demanding, ONE_THREAD, seed=0)
    assert isinstance(why, str)
    assert "too few matured examples" in why
    assert "at least 1000000" in why


def test_the_published_state_stands_at_the_end_of_the_log_with_its_open_labels(
    published: Published, bundle: LoadedBundle
) -> None:
    _, log, evaluated = published
    assert bundle.state.clock_s == log.time_s[-1]
    assert bundle.manifest.watermark == 0
    # Every example is in the state: matured, or still open.
    opened = log.is_example.sum()
    assert not (log.matures_at_s == log.time_s[-1]).any()
    open_labels = int((log.is_example & (log.matures_at_s > log.time_s[-1])).sum())
    assert 0 < open_labels < opened
    assert bundle.state.arrays.pending.sizes[HEAPED] == open_labels
    assert evaluated.state.arrays.pending.sizes[HEAPED] == open_labels


def test_open_labels_mature_after_loading_as_they_would_have(
    published: Published, bundle: LoadedBundle
) -> None:
    _, log, evaluated = published
    directory = published[0]
    end = float(log.time_s[-1]) + SMALL_DOMAIN.label_rule.horizon_s + 1.0
    live = load_bundle(directory, SMALL_DOMAIN).state
    live.advance(end)
    assert live.arrays.pending.sizes[HEAPED] == 0
    assert not np.array_equal(live.arrays.totals.numbers, bundle.state.arrays.totals.numbers)
    assert evaluated.state.clock_s == log.time_s[-1]


def test_the_layout_of_batches_is_that_of_the_training_table(
    published: Published, bundle: LoadedBundle
) -> None:
    _, log, evaluated = published
    columns = bundle.manifest.columns(SMALL_DOMAIN.schema)
    assert columns == evaluated.table.features.columns
    assert bundle.manifest.cardinalities["user"] == len(log.users) + 1
    assert bundle.manifest.cardinalities["object"] == len(log.objects) + 1
    for i, column in enumerate(columns.codes):
        assert 0 <= evaluated.table.features.codes[:, i].max() < column.cardinality


def test_a_live_event_on_the_loaded_bundle_never_changes_its_files(published: Published) -> None:
    directory, log, _ = published
    before = hashes(directory)
    engine = DomainEngine(SMALL_DOMAIN, load_bundle(directory, SMALL_DOMAIN))
    user, now = UserRef(log.users.ids[0]), float(log.time_s[-1])
    request = ScoreRequest(user, log.objects.ids[:5])
    first = engine.score(request, now).probabilities
    for i in range(200):
        engine.apply(
            FeedbackEvent(
                sequence=i + 1,
                user_id=f"new{i}" if i % 3 else user.id,
                object_id=f"made{i}" if i % 5 == 0 else log.objects.ids[i % len(log.objects)],
                outcome=(Outcome.PLAY, Outcome.LIKE, Outcome.DISLIKE)[i % 3],
                log_time_s=now + i,
            )
        )
    after = engine.score(request, now + 1e6).probabilities
    engine.recommend(RecommendRequest(user), now + 1e6)
    assert not np.array_equal(first, after)
    assert hashes(directory) == before
    again = DomainEngine(SMALL_DOMAIN, load_bundle(directory, SMALL_DOMAIN))
    assert again.score(request, now).probabilities.tobytes() == first.tobytes()
    assert again.watermark == 0


def test_the_state_is_mapped_and_not_read(bundle: LoadedBundle) -> None:
    arrays = bundle.state.arrays
    for array in (arrays.users.counts, arrays.objects.vector, arrays.user_object.rows):
        base = array if isinstance(array, np.memmap) else array.base
        assert isinstance(base, np.memmap)
        assert base.mode == "c"


def test_a_bundle_that_is_damaged_is_not_loaded(published: Published, tmp_path: Path) -> None:
    _, log, evaluated = published
    directory = again(tmp_path, log, evaluated)
    path = directory / "tasks" / "score" / "lightgbm" / "trees.txt"
    path.write_text(path.read_text("utf-8").replace("tree", "treE", 1), encoding="utf-8")
    with pytest.raises(BundleError, match=r"trees\.txt is not what was published"):
        load_bundle(directory, SMALL_DOMAIN)


def test_publishing_twice_gives_equal_files(published: Published, tmp_path: Path) -> None:
    directory, log, evaluated = published
    del evaluated
    again, _ = publish_small(tmp_path, log)
    assert read_manifest(again).files == read_manifest(directory).files
