"""Why not, of a real bundle: the stages told agree with the list that Recommend answers."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from typer.testing import CliRunner

from encore_client import (
    AdminClient,
    EncoreClient,
    FateStage,
    ListMode,
    Recommendation,
    RecommendOptions,
)
from server.cli import app
from server.testing import RunningServer
from server.testing.bundles import TinyBundle

USER = "somebody whom a list puzzles"
PLAIN: RecommendOptions = {"page_size": 100, "exploration": 0.0}


@pytest.fixture(scope="module")
def admin(encore: RunningServer) -> Iterator[AdminClient]:
    with AdminClient(f"127.0.0.1:{encore.ports.admin}") as connected:
        yield connected


def ids(*pages: Recommendation) -> list[str]:
    return [item.object_id for page in pages for item in page.items]


def test_every_object_of_the_list_is_told_its_rank_and_probability(
    client: EncoreClient, admin: AdminClient
) -> None:
    page = client.recommend(USER, **PLAIN)
    answer = admin.why_not("music", USER, ids(page), exploration=0.0)
    assert [fate.stage for fate in answer.fates] == [FateStage.LISTED] * len(page.items)
    assert [fate.rank for fate in answer.fates] == [item.rank for item in page.items]
    assert [fate.probability for fate in answer.fates] == pytest.approx(
        [item.probability for item in page.items], abs=1e-6
    )
    assert answer.n_listed == len(page.items)
    assert answer.model_version == page.model_version


def test_no_object_outside_the_list_is_said_to_be_in_it(
    client: EncoreClient, admin: AdminClient, tiny_music: TinyBundle
) -> None:
    listed = set(ids(client.recommend(USER, **PLAIN)))
    others = [i for i in tiny_music.objects if i not in listed][:100]
    stages = {f.stage for f in admin.why_not("music", USER, others, exploration=0.0).fates}
    assert stages
    assert FateStage.LISTED not in stages
    assert FateStage.UNKNOWN not in stages


def test_what_is_disliked_excluded_or_unknown_is_told_so(
    client: EncoreClient, admin: AdminClient
) -> None:
    first, second, *_ = ids(client.recommend(USER, **PLAIN))
    client.dislike(USER, first)
    answer = admin.why_not("music", USER, [first, second, "never heard of"], exclude_ids=[second])
    disliked, excluded, unknown = answer.fates
    assert (disliked.stage, disliked.removed_by) == (FateStage.FILTERED, "disliked")
    assert (excluded.stage, excluded.removed_by) == (FateStage.FILTERED, "excluded")
    assert unknown.stage is FateStage.UNKNOWN


def test_the_command_prints_a_table_or_json(encore: RunningServer, client: EncoreClient) -> None:
    best = ids(client.recommend(USER, **PLAIN))[0]
    asked = ["why-not", "music", best, "never heard of", "--user", USER]
    asked += ["--admin", f"127.0.0.1:{encore.ports.admin}"]
    told = CliRunner().invoke(app, asked, env={"COLUMNS": "300"})
    assert told.exit_code == 0, told.output
    assert "candidates scored" in told.stdout
    said = CliRunner().invoke(app, [*asked, "--json"])
    fates = json.loads(said.stdout)["fates"]
    assert [fate["stage"] for fate in fates] == ["listed", "unknown"]
    assert fates[0]["rank"] == 1


def test_a_context_that_is_no_pair_is_refused() -> None:
    refused = CliRunner().invoke(app, ["why-not", "music", "t1", "--context", "discover"])
    assert refused.exit_code == 1
    assert "NAME=VALUE" in str(refused.exception)


def test_a_stored_queue_loses_what_is_played_and_what_was_had_before_may_stay(
    client: EncoreClient, tiny_music: TinyBundle
) -> None:
    user = tiny_music.users[7]
    whole = ids(*client.recommend_pages(user, page_size=50))
    queued = list(client.recommend_pages(user, page_size=50, list_mode=ListMode.QUEUE))
    assert ids(*queued) == whole
    client.play(user, whole[0])
    client.dislike(user, whole[2])
    left = client.recommend(user, page_size=50, list_mode=ListMode.QUEUE)
    assert ids(left) == [i for i in whole if i not in {whole[0], whole[2]}][:50]
    assert left.items[0].rank == 2
