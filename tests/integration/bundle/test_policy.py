"""From exploring lists to the report of a policy: engine, wire, store and command line."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
from typer.testing import CliRunner

from encore_client import NO_RETRIES, ClientOptions, EncoreClient, FeedbackEvent, Outcome
from server import queueing
from server.cli import app
from server.store import open_store
from server.testing import ManualClock
from server.testing.bundles import TinyBundle, serving_bundles

DAY_S = 86_400.0
LISTS, PAGE = 60, 5


@pytest.fixture(autouse=True)
def same_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server draws as in every other run of this test."""
    monkeypatch.setattr(queueing, "randbits", Random(1).getrandbits)


def test_what_was_explored_is_logged_and_judged(tiny_music: TinyBundle, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/encore.sqlite3"
    clock = ManualClock(tiny_music.end_s + DAY_S)
    shown: dict[str, list[tuple[str, float, bool]]] = {}
    with (
        serving_bundles(tiny_music.root, url, clock, domains=("music",)) as encore,
        EncoreClient(
            f"127.0.0.1:{encore.ports.api}",
            domain="music",
            options=ClientOptions(retry=NO_RETRIES),
        ) as client,
    ):
        for n in range(LISTS):
            user = tiny_music.users[n % 30]
            page = client.recommend(user, page_size=PAGE, exploration=0.3)
            shown[page.recommendation_id] = [
                (item.object_id, item.propensity, item.explored) for item in page.items
            ]
            # They play what stands first, and skip what was explored.
            first, *rest = page.items
            said = [(first, Outcome.PLAY)] + [(i, Outcome.SKIP) for i in rest if i.explored]
            client.feedback(
                FeedbackEvent(
                    user, item.object_id, outcome, recommendation_id=page.recommendation_id
                )
                for item, outcome in said
            )
        # A later page goes on with the same list and the same draws.
        later = client.recommend(
            tiny_music.users[40], page_size=PAGE, exploration=0.3, diversity=0.2
        )
        later = client.recommend(
            tiny_music.users[40],
            page_size=PAGE,
            exploration=0.3,
            diversity=0.2,
            page_token=later.next_page_token,
        )
    with open_store(url) as store:
        seeds = set()
        for recommendation_id, items in shown.items():
            record = store.recommendations.get(recommendation_id)
            assert record is not None
            seeds.add(record.seed)
            assert [
                (item.object_id, item.propensity, item.passed_over is not None)
                for item in record.items
            ] == items
        assert len(seeds) == LISTS
        kept = store.recommendations.get(later.recommendation_id)
        assert kept is not None
        assert [item.propensity for item in kept.items] == [i.propensity for i in later.items]

    told = evaluated("--database-url", url)
    n_slots = sum(map(len, shown.values())) + PAGE + len(later.items)
    explored = [explored for items in shown.values() for _, _, explored in items]
    assert 0.2 < sum(explored) / len(explored) < 0.4
    assert (told["lists"], told["slots"], told["open_lists"]) == (LISTS + 2, n_slots, 0)
    assert told["logged"]["value"] == pytest.approx(LISTS / n_slots)
    by_slot, by_list = told["targets"]
    assert by_slot["slots"] == n_slots
    assert by_list["slots"] == n_slots - len(later.items)
    assert by_slot["mean_weight"]["low"] < 1.0 < by_slot["mean_weight"]["high"]
    for target in (by_slot, by_list):
        for estimator in ("ips", "snips", "doubly_robust"):
            estimate = target[estimator]
            assert estimate["low"] <= estimate["value"] <= estimate["high"]
    assert any("later pages" in note for note in told["notes"])

    again = evaluated("--database-url", url, "--exploration", "0.3")
    for target in again["targets"]:
        assert target["mean_weight"]["value"] == pytest.approx(1.0)
        assert target["doubly_robust"] is None
    assert again["targets"][0]["ips"]["value"] == pytest.approx(again["logged"]["value"])

    table = CliRunner().invoke(app, ["evaluate", "music", "--what", "policy"], env=store_at(url))
    assert table.exit_code == 0
    assert f"{LISTS + 2} lists of" in table.output


def evaluated(*options: str) -> dict[str, Any]:
    result = CliRunner().invoke(app, ["evaluate", "music", "--what", "policy", "--json", *options])
    assert result.exit_code == 0, result.output
    told: dict[str, Any] = json.loads(result.output)
    return told


def store_at(url: str) -> dict[str, str]:
    return {"ENCORE_DATABASE_URL": url}
