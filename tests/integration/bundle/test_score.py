"""Score from a real bundle: known and unknown things, profiles, limits, attributes."""

from __future__ import annotations

import math

import numpy as np
import pytest

from encore.v1 import common_pb2 as common_pb
from encore.v1 import recommender_service_pb2 as pb
from encore_client import EncoreClient, InvalidRequestError, Profile, User
from server.testing import RunningServer, bad_fields, reason, refused
from server.testing.bundles import TinyBundle

MEMBERS = {"jenn", "felu", "lightgbm", "symmetric"}


def test_every_object_gets_a_probability_and_unknown_ones_are_named(
    client: EncoreClient, tiny_music: TinyBundle
) -> None:
    asked = [tiny_music.objects[0], "new 1", tiny_music.objects[9], "new 2", "new 1"]
    scored = client.score(tiny_music.users[0], asked)
    assert scored.object_ids == tuple(asked)
    assert scored.missing_ids == ("new 1", "new 2")
    assert all(0.0 < p < 1.0 for p in scored.probabilities)
    # Two objects nobody has heard of are the same object.
    assert scored.probabilities[1] == pytest.approx(scored.probabilities[3], rel=1e-6)
    assert scored.probabilities[1] == pytest.approx(scored.probabilities[4], rel=1e-6)
    assert len({round(p, 6) for p in scored.probabilities}) == 3


def test_users_never_heard_of_are_served_and_differ_from_known_ones(
    client: EncoreClient, tiny_music: TinyBundle
) -> None:
    asked = tiny_music.objects[:50]
    nobody, stranger = client.score("", asked), client.score("never heard of", asked)
    assert nobody.probabilities == pytest.approx(stranger.probabilities, rel=1e-6)
    assert client.score(tiny_music.users[0], asked).probabilities != nobody.probabilities


def test_profiles_use_their_members_and_stacks(
    client: EncoreClient, tiny_music: TinyBundle
) -> None:
    def score(profile: Profile) -> dict[str, tuple[float, ...]]:
        scored = client.score(
            tiny_music.users[1], tiny_music.objects[:20], profile=profile, include_members=True
        )
        return {"": scored.probabilities, **scored.members}

    full, light = score(Profile.FULL), score(Profile.LIGHT)
    assert full.keys() == {"", *MEMBERS}
    assert light.keys() == {"", "symmetric"}
    assert light["symmetric"] == pytest.approx(full["symmetric"], rel=1e-6)
    assert light[""] != full[""]
    assert score(Profile.UNSPECIFIED)[""] == pytest.approx(full[""], rel=1e-6)


def test_a_probability_does_not_depend_on_its_neighbours_in_a_call(
    client: EncoreClient, tiny_music: TinyBundle
) -> None:
    objects, user = tiny_music.objects[:30], tiny_music.users[2]
    together = client.score(user, objects).probabilities
    alone = [client.score(user, [i]).probabilities[0] for i in objects]
    backwards = client.score(user, objects[::-1]).probabilities[::-1]
    assert together == pytest.approx(alone, rel=1e-6)
    assert together == pytest.approx(backwards, rel=1e-6)


def test_ten_thousand_ids_are_scored_and_one_more_is_refused(
    encore: RunningServer, client: EncoreClient, tiny_music: TinyBundle
) -> None:
    known = [*tiny_music.objects]
    asked = (known * (10_000 // len(known) + 1))[:10_000]
    scored = client.score(tiny_music.users[0], asked)
    assert len(scored.probabilities) == 10_000
    assert np.isfinite(scored.probabilities).all()
    again = np.array(scored.probabilities[len(known) : 2 * len(known)])
    np.testing.assert_allclose(again, scored.probabilities[: len(known)], rtol=1e-6)
    with pytest.raises(InvalidRequestError) as refusal:
        client.score(tiny_music.users[0], [*asked, "one more"])
    assert [v.field for v in refusal.value.violations] == ["object_ids"]
    assert encore.health() == "SERVING"


def test_context_counts_and_values_never_seen_are_served(
    client: EncoreClient, tiny_music: TinyBundle
) -> None:
    tabs = [str(tab) for tab in np.unique(tiny_music.log.context["source_tab"]) if tab]

    def probabilities(**context: str) -> tuple[float, ...]:
        return client.score(
            tiny_music.users[0], tiny_music.objects[:30], context=context
        ).probabilities

    assert probabilities(source_tab=tabs[0]) != probabilities()
    assert probabilities(source_tab="never seen") != probabilities()
    assert probabilities(source_tab="") == pytest.approx(probabilities(), rel=1e-6)


@pytest.mark.parametrize(
    ("user", "context", "fields"),
    [
        ({}, {"weather": "rain"}, ['context["weather"]']),
        ({"shoe_size": "43"}, {}, ['user.attributes["shoe_size"]']),
        ({"age": "old"}, {}, ['user.attributes["age"]']),
        ({"age": "nan"}, {}, ['user.attributes["age"]']),
        ({"age": "1e999"}, {}, ['user.attributes["age"]']),
        ({"registered_at": "yesterday"}, {}, ['user.attributes["registered_at"]']),
        (
            {"age": "x", "registered_at": "2020-01-01T00:00:00"},
            {"a": "b"},
            ['context["a"]', 'user.attributes["age"]', 'user.attributes["registered_at"]'],
        ),
    ],
    ids=["context", "attribute", "no number", "nan", "infinite", "no time", "all at once"],
)
def test_fields_that_do_not_fit_the_schema_are_named(
    encore: RunningServer,
    tiny_music: TinyBundle,
    user: dict[str, str],
    context: dict[str, str],
    fields: list[str],
) -> None:
    request = pb.ScoreRequest(
        domain="music",
        user=common_pb.User(id="ann", attributes=user),
        object_ids=[tiny_music.objects[0]],
        context=context,
    )
    error = refused("INVALID_ARGUMENT", lambda: encore.api.Score(request))
    assert sorted(bad_fields(error)) == fields
    assert reason(error) == "INVALID_REQUEST"


def test_what_a_request_says_of_a_user_counts_for_this_request_only(
    client: EncoreClient, tiny_music: TinyBundle
) -> None:
    user, asked = tiny_music.users[0], tiny_music.objects[:30]
    before = client.score(user, asked).probabilities
    cities = [str(c) for c in np.unique(tiny_music.log.users.columns["city"]) if c]
    told = {"age": "93", "city": cities[-1], "registered_at": "2001-02-03T04:05:06+00:00"}
    assert client.score(User(user, told), asked).probabilities != before
    assert client.score(user, asked).probabilities == pytest.approx(before, rel=1e-6)


@pytest.mark.parametrize("age", ["0", "-1", "1e30", "1e300", "-1e300", "5e-324"])
def test_wild_numbers_still_get_a_probability(
    client: EncoreClient, tiny_music: TinyBundle, age: str
) -> None:
    scored = client.score(User("ann", {"age": age}), tiny_music.objects[:5], include_members=True)
    told = [*scored.probabilities, *(p for m in scored.members.values() for p in m)]
    assert all(math.isfinite(p) and 0.0 <= p <= 1.0 for p in told)
    page = client.recommend(User("ann", {"age": age}), page_size=5)
    assert all(math.isfinite(item.probability) for item in page.items)


def test_moments_before_and_after_all_time_are_served(
    client: EncoreClient, tiny_music: TinyBundle
) -> None:
    for moment in ("-1e15", "1e15", "1e300", "0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59Z"):
        scored = client.score(User("ann", {"registered_at": moment}), tiny_music.objects[:3])
        assert np.isfinite(scored.probabilities).all(), moment


def test_a_domain_that_is_not_served_is_named_with_those_that_are(encore: RunningServer) -> None:
    request = pb.ScoreRequest(domain="opera", object_ids=["x"])
    error = refused("INVALID_ARGUMENT", lambda: encore.api.Score(request))
    assert reason(error) == "UNKNOWN_DOMAIN"
    assert "music, shopping" in bad_fields(error)["domain"]


def test_the_stub_domain_is_served_by_the_same_code(
    encore: RunningServer, tiny_shopping: TinyBundle
) -> None:
    with EncoreClient(f"127.0.0.1:{encore.ports.api}", domain="shopping") as shop:
        asked = [*tiny_shopping.objects[:5], "a product of this morning"]
        scored = shop.score(tiny_shopping.users[0], asked)
        assert scored.missing_ids == ("a product of this morning",)
        pages = list(shop.recommend_pages("somebody new", page_size=10))
        offered = [item.object_id for page in pages for item in page.items]
        assert len(set(offered)) == len(offered) > 10
        shop.dislike("somebody new", offered[3])
        again = shop.recommend("somebody new", page_size=100)
        assert offered[3] not in [item.object_id for item in again.items]
        refusal = shop.play("somebody new", offered[0])
        assert "use dislike, like, purchase, unlike" in refusal.rejected[0].reason
