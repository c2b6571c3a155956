"""A newer bundle over the same feedback: nothing told to the old one is lost with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.state.events import Event
from encore_client import (
    AdminClient,
    EncoreClient,
    FeedbackEvent,
    InvalidRequestError,
    Novelty,
    Outcome,
)
from server.logs import json_log
from server.model_store import open_models
from server.store import open_store
from server.testing import ManualClock, in_loop
from server.testing.bundles import TinyBundle, serving_bundles, train_tiny_bundle

DAY_S = 86_400.0


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> tuple[TinyBundle, TinyBundle]:
    """One catalogue, two logs: the second begins where the first is half-way through."""
    root = tmp_path_factory.mktemp("versions")
    old = train_tiny_bundle(root, "shopping", version="v1", start_s=1.6e9)
    later = train_tiny_bundle(root, "shopping", version="v2", start_s=1.6e9 + 90 * DAY_S, seed=2)
    return old, later


def test_feedback_older_than_the_newer_bundle_is_still_known(
    versions: tuple[TinyBundle, TinyBundle], tmp_path: Path
) -> None:
    """The rows carry moments that lie before the newer state's own."""
    old, new = versions
    url, only_old = f"sqlite:///{tmp_path}/encore.sqlite3", tmp_path / "bundles"
    (only_old / "shopping").mkdir(parents=True)
    (only_old / "shopping" / "v1").symlink_to(old.directory)
    clock = ManualClock(old.end_s + 60.0)
    user, objects = "a household", old.objects[:12]
    told = [FeedbackEvent(user, i, Outcome.PURCHASE) for i in objects[:6]]
    told += [FeedbackEvent(user, i, Outcome.DISLIKE) for i in objects[6:9]]
    with (
        serving_bundles(only_old, url, clock) as encore,
        EncoreClient(f"127.0.0.1:{encore.ports.api}", domain="shopping") as client,
    ):
        assert client.feedback(told).accepted == 9
        assert client.recommend(user).model_version == "v1"

    clock.now_s = new.end_s + 60.0
    with serving_bundles(old.root, url, clock) as encore:
        with EncoreClient(f"127.0.0.1:{encore.ports.api}", domain="shopping") as client:
            page = client.recommend(user, page_size=100)
            assert page.model_version == "v2"
            offered = [item.object_id for item in page.items]
            assert offered
            assert not set(offered) & set(objects[6:9])
            new_only = client.recommend_pages(user, novelty=Novelty.NEW_ONLY)
            assert not {i.object_id for page in new_only for i in page.items} & set(objects[:9])
            known_only = client.recommend_pages(user, novelty=Novelty.KNOWN_ONLY, max_per_facet=0)
            bought = [item.object_id for page in known_only for item in page.items]
            assert sorted(bought) == sorted(objects[:6])
            assert np.isfinite(client.score(user, objects).probabilities).all()
            assert client.feedback(told).duplicates == 9
        with AdminClient(f"127.0.0.1:{encore.ports.admin}") as admin:
            assert [(m.model_version, m.watermark) for m in admin.list_serving()] == [("v2", 9)]
            shown = admin.debug_features("shopping", user, objects)

    # What the server knows is what a state knows that was told the same rows.
    state = new.state()
    with open_store(url) as store:
        for row in store.feedback.read_after("shopping", 0, 100):
            assert row.log_time_s < state.clock_s
            state.update(Event(row.user_id, row.object_id, row.outcome, row.log_time_s))
    state.advance(clock.now_s)
    known = np.array([state.objects.get(i) for i in objects], np.int32)
    expected = state.features(state.users.get(user), known, {}, clock.now_s, new.columns())
    assert np.array(shown.numbers, np.float32).tobytes() == expected.numbers.tobytes()


def test_a_swap_under_way_serves_the_newer_version_with_all_feedback(
    versions: tuple[TinyBundle, TinyBundle], tmp_path: Path
) -> None:
    old, new = versions
    only_old = tmp_path / "bundles"
    (only_old / "shopping").mkdir(parents=True)
    (only_old / "shopping" / "v1").symlink_to(old.directory)
    clock = ManualClock(new.end_s + 60.0)
    with (
        serving_bundles(only_old, f"sqlite:///{tmp_path}/encore.sqlite3", clock) as encore,
        EncoreClient(f"127.0.0.1:{encore.ports.api}", domain="shopping") as client,
    ):
        first = client.recommend("a household", page_size=5)
        disliked = first.items[0].object_id
        client.dislike("a household", disliked)
        models = open_models(old.root, ("shopping",), json_log(encore.parts.log, "INFO"))
        in_loop(encore.server.swap(models.engines["shopping"], models.capabilities["shopping"]))
        # The queue outlives the swap: its pages still come from the version that ranked them.
        later = client.recommend("a household", page_size=5, page_token=first.next_page_token)
        assert later.model_version == "v1"
        fresh = client.recommend("a household", page_size=100)
        assert fresh.model_version == "v2"
        assert disliked not in [item.object_id for item in fresh.items]
        with pytest.raises(InvalidRequestError):
            client.recommend("a household", page_size=5, page_token=later.next_page_token)
