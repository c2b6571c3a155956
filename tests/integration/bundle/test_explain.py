"""Explanations of a real bundle over the wire: they add up to the probability that is served."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from encore_client import AdminClient, EncoreClient, Explanation, Profile, ScoredObjects
from server.testing import RunningServer
from server.testing.bundles import TinyBundle

MEMBERS = {
    Profile.FULL: ["jenn", "felu", "lightgbm", "symmetric"],
    Profile.LIGHT: ["symmetric"],
}
TREES = ("lightgbm", "symmetric")


def chance(logit: float) -> float:
    return 1.0 / (1.0 + math.exp(-logit))


def assert_adds_up(told: Explanation, probability: float) -> None:
    assert not told.sunk
    assert chance(told.logit) == pytest.approx(probability, rel=1e-9)
    added = math.fsum(member.contribution for member in told.members)
    assert told.intercept + added == pytest.approx(told.logit, abs=1e-6)
    for member in told.members:
        assert member.contribution == pytest.approx(member.weight * member.logit, abs=1e-9)
    for trees in (member for member in told.members if member.member in TREES):
        parts = trees.features
        assert parts is not None
        families = math.fsum(parts.families.values())
        named = math.fsum(feature.contribution for feature in parts.features)
        assert parts.base + families == pytest.approx(trees.logit, abs=1e-6)
        assert parts.base + named + parts.rest == pytest.approx(trees.logit, abs=1e-6)


def assert_all_add_up(scored: ScoredObjects) -> None:
    for told, probability in zip(scored.explanations, scored.probabilities, strict=True):
        assert_adds_up(told, probability)


@pytest.mark.parametrize("profile", list(MEMBERS))
def test_every_probability_is_explained_by_the_members_of_its_profile(
    client: EncoreClient, tiny_music: TinyBundle, profile: Profile
) -> None:
    asked = [*tiny_music.objects[:49], "never heard of"]
    scored = client.score(tiny_music.users[0], asked, profile=profile, explain=True)
    assert_all_add_up(scored)
    for told in scored.explanations:
        assert [member.member for member in told.members] == MEMBERS[profile]
        assert [member.features is None for member in told.members] == [
            name not in TREES for name in MEMBERS[profile]
        ]


def test_features_are_named_strongest_first(client: EncoreClient, tiny_music: TinyBundle) -> None:
    user, asked = tiny_music.users[0], tiny_music.objects[:10]
    longer = client.score(user, asked, explain=True).explanations
    shorter = client.score(user, asked, explain=True, top_features=3).explanations
    for ten, three in zip(longer, shorter, strict=True):
        most, fewest = ten.members[-1].features, three.members[-1].features
        assert most is not None
        assert fewest is not None
        strengths = [abs(feature.contribution) for feature in most.features]
        assert strengths == sorted(strengths, reverse=True)
        assert 3 == len(fewest.features) < len(most.features) <= 10
        assert [f.feature for f in fewest.features] == [f.feature for f in most.features[:3]]


def test_an_explanation_changes_no_answer(client: EncoreClient, tiny_music: TinyBundle) -> None:
    user, asked = tiny_music.users[1], tiny_music.objects[:20]
    plain = client.score(user, asked)
    assert plain.explanations == ()
    told = client.score(user, asked, explain=True)
    assert told.probabilities == pytest.approx(plain.probabilities, rel=1e-6)


def test_the_members_of_an_explanation_say_what_the_members_say(
    client: EncoreClient, tiny_music: TinyBundle
) -> None:
    scored = client.score(
        tiny_music.users[0], tiny_music.objects[:5], include_members=True, explain=True
    )
    for index, told in enumerate(scored.explanations):
        for member in told.members:
            alone = scored.members[member.member][index]
            assert chance(member.logit) == pytest.approx(alone, rel=1e-9)


def test_jenn_tells_how_user_and_object_match_and_the_light_profile_has_no_jenn(
    client: EncoreClient, tiny_music: TinyBundle
) -> None:
    def cosines(profile: Profile) -> list[float | None]:
        scored = client.score(
            tiny_music.users[0], tiny_music.objects[:20], profile=profile, explain=True
        )
        return [told.branch_cosine for told in scored.explanations]

    matches = [match for match in cosines(Profile.FULL) if match is not None]
    assert len(set(matches)) == 20
    assert np.abs(matches).max() <= 1.0
    assert cosines(Profile.LIGHT) == [None] * 20


def test_features_and_families_are_those_of_the_layout(
    encore: RunningServer, client: EncoreClient, tiny_music: TinyBundle
) -> None:
    columns = tiny_music.columns()
    family_of = {c.name: c.family.value for c in columns.numbers}
    family_of |= {c.name: c.family.value for c in columns.codes}
    user, asked = tiny_music.users[0], tiny_music.objects[:20]
    with AdminClient(f"127.0.0.1:{encore.ports.admin}") as admin:
        seen = admin.debug_features("music", user, asked)
    scored = client.score(user, asked, explain=True, top_features=100)
    for told in scored.explanations:
        trees = told.members[-1].features
        assert trees is not None
        assert set(trees.families) == {
            "static", "activity", "affinity", "outcome", "latent", "sequence", "catalogue",
            "online", "context",
        }  # fmt: skip
        # So many names leave nothing out here: the families can be added up from the outside.
        assert trees.rest == 0.0
        for feature in trees.features:
            assert feature.family == family_of[feature.feature]
            assert feature.feature in {*seen.number_columns, *seen.code_columns}
        for family, total in trees.families.items():
            own = [f.contribution for f in trees.features if f.family == family]
            assert math.fsum(own) == pytest.approx(total, abs=1e-9)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(
    user=st.one_of(st.integers(0, 50), st.sampled_from(["", "a stranger"])),
    places=st.lists(
        st.one_of(st.integers(0, 300), st.sampled_from(["new 1", "new 2"])), min_size=1, max_size=8
    ),
    context=st.dictionaries(
        st.sampled_from(["source_tab", "source_screen", "source_type"]),
        st.sampled_from(["", "discover", "my library", "never seen"]),
    ),
    profile=st.sampled_from(list(MEMBERS)),
    top_features=st.integers(1, 100),
)
def test_any_answer_adds_up(
    client: EncoreClient,
    tiny_music: TinyBundle,
    user: int | str,
    places: list[int | str],
    context: dict[str, str],
    profile: Profile,
    top_features: int,
) -> None:
    users, objects = tiny_music.users, tiny_music.objects
    scored = client.score(
        user if isinstance(user, str) else users[user % len(users)],
        [p if isinstance(p, str) else objects[p % len(objects)] for p in places],
        context=context,
        profile=profile,
        explain=True,
        top_features=top_features,
    )
    assert len(scored.explanations) == len(places)
    assert_all_add_up(scored)
