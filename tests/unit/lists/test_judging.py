"""Recommenders judged on one task: who counts where, what is refused, what reports say."""

from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.typing import NDArray

from core.lists.judging import judge, segments_of
from core.lists.list_figures import catalogue_of
from core.lists.protocol import ListTask, Mode, TargetKind, cut_lists
from core.lists.report import list_markdown, list_report, source_markdown
from core.lists.sources import source_recalls
from tests.unit.lists.list_logs import DAY_S, Fixed, log_of, targets_of


@pytest.fixture
def task() -> ListTask:
    """Ann takes milk again and tea for the first time, bob only milk again."""
    return cut_lists(
        log_of(
            [
                ("ann", "milk", 0.0),
                ("ann", "jam", 0.0),
                ("bob", "milk", 1.0),
                ("bob", "tea", 1.0),
                ("ann", "milk", 5.0),
                ("ann", "tea", 5.0),
                ("bob", "milk", 6.0),
            ],
            artists={"milk": "dairy", "tea": "leaf"},
        ),
        3.0 * DAY_S,
    )


def test_a_user_counts_in_a_mode_if_a_target_does(task: ListTask) -> None:
    everyone = Fixed("new", task, {"ann": ["tea"]}, [Mode.EXPLORE])

    judgement = judge(task, [everyone], catalogue_of(task, "artist"))

    explore = judgement.judged[TargetKind.NEXT, Mode.EXPLORE]["new"].by_user["ndcg@10"]
    repeat = judgement.judged[TargetKind.NEXT, Mode.REPEAT]["new"].by_user["ndcg@10"]
    assert explore[0] == 1.0
    assert np.isnan(explore[1])  # bob takes nothing new
    assert repeat.tolist() == [0.0, 0.0]


def test_figures_are_means_over_users(task: ListTask) -> None:
    milk = Fixed("milk", task, {"ann": ["milk"], "bob": ["milk"]})

    judgement = judge(task, [milk], catalogue_of(task, "artist"))

    judged = judgement.judged[TargetKind.NEXT, Mode.ALL]["milk"]
    assert judged.mean("recall@10") == pytest.approx((1 / 2 + 1) / 2)
    assert judged.mean("recall@500") == judged.mean("recall@10")
    assert judged.mean("serendipity@5") == 0.0  # milk is what everyone has
    assert judged.coverage[10] == pytest.approx(1 / 3)


def test_the_best_is_the_best_by_the_main_figure(task: ListTask) -> None:
    good = Fixed("good", task, {"ann": ["milk", "tea"], "bob": ["milk"]})
    bad = Fixed("bad", task, {"ann": ["jam"]})

    judgement = judge(task, [bad, good], catalogue_of(task, "artist"))

    assert judgement.best_of(["bad", "good"], TargetKind.NEXT, Mode.ALL) == "good"


class Faulty:
    """Answers with given lists."""

    name = "faulty"

    def __init__(self, *lists: list[int]) -> None:
        self._lists = lists

    def recommend(self, users: NDArray[np.int64], k: int, _mode: Mode) -> NDArray[np.int32]:
        answer = np.full((len(users), k), -1, np.int32)
        for place, own in enumerate(self._lists):
            answer[place, : len(own)] = own
        return answer if self._lists else answer[:, :3]


@pytest.mark.parametrize(
    ("lists", "problem"),
    [
        ([], "shape"),
        ([[0, 1, 0]], "twice"),
        ([[77]], "does not have"),
        ([[0, 1]], "forbids"),  # allowed in ALL, but in REPEAT ann never had one of both
    ],
)
def test_lists_that_break_the_contract_are_refused(
    task: ListTask, lists: list[list[int]], problem: str
) -> None:
    with pytest.raises(ValueError, match=f"faulty.*{problem}"):
        judge(task, [Faulty(*lists)], catalogue_of(task, "artist"))


def test_recommenders_need_names_of_their_own(task: ListTask) -> None:
    twice = Fixed("same", task, {})

    with pytest.raises(ValueError, match="share a name"):
        judge(task, [twice, twice], catalogue_of(task, "artist"))


def test_segments_are_thirds_by_length_of_the_past() -> None:
    events = [(f"u{i}", f"o{j}", float(j)) for i in range(6) for j in range(1 + i)]
    later = [(f"u{i}", "x", 50.0) for i in range(6)]

    segments = segments_of(cut_lists(log_of([*events, *later]), 40.0 * DAY_S))

    assert segments["short past"].tolist() == [True, True, *[False] * 4]
    assert segments["long past"].tolist() == [*[False] * 4, True, True]
    assert segments["cold (up to 3 visits)"].tolist() == [True, True, True, *[False] * 3]


def test_a_report_is_plain_values_and_tables(task: ListTask) -> None:
    milk = Fixed("milk", task, {"ann": ["milk"], "bob": ["milk"]})

    report = list_report("shop", judge(task, [milk], catalogue_of(task, "artist")), [], seed=0)
    text = list_markdown(json.loads(json.dumps(report)))

    assert report["targets"][0]["users"] == {"all": 2, "repeat": 2, "explore": 1}
    assert report["targets"][0]["never_had_by_anyone"] == 0.0
    assert "### the first visit after the cut, explore (1 users, 1.0 objects each)" in text
    assert "| milk | 0.1000 | 0.7500 |" in text  # precision and recall at 10


def test_sources_are_told_what_they_add() -> None:
    targets = targets_of([1, 2], [3])
    proposals = {
        "past": [np.array([1, 9], np.int32), np.array([], np.int32)],
        "popular": [np.array([1], np.int32), np.array([3], np.int32)],
    }

    past, popular = source_recalls(proposals, targets)

    assert past.recall == {100: 0.25, 500: 0.25}
    assert past.proposed == 1.0
    assert popular.recall[500] == pytest.approx((1 / 2 + 1) / 2)
    assert popular.added[500] == pytest.approx(0.5)
    assert popular.together[500] == pytest.approx(0.75)
    assert "| popular | 1 | 0.7500 | 0.5000 | 0.7500 |" in source_markdown([past, popular])


def test_only_the_first_of_a_source_count_at_a_depth() -> None:
    targets = targets_of([250])

    (found,) = source_recalls({"long": [np.arange(300, dtype=np.int32)]}, targets)

    assert found.recall == {100: 0.0, 500: 1.0}


def test_a_source_answers_for_every_user() -> None:
    with pytest.raises(ValueError, match="source short"):
        source_recalls({"short": [np.array([1], np.int32)]}, targets_of([1], [2]))
