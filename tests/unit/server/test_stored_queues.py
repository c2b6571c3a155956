"""First pages from the stored queue: when it may answer, when it is ranked anew, what pages say."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field, replace
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import StalePageTokenError
from core.log import Outcome
from core.requests import FeedbackEvent, RecommendRequest, Story, UserRef
from server.deadline import NO_DEADLINE
from server.executors import BoundedExecutor
from server.handlers.recommend import PageAnswer, PageRequest, RecommendHandler
from server.logs import json_log
from server.metrics import Metrics
from server.pages import PageTokens
from server.queueing import Queueing, QueueRules
from server.regeneration import Regeneration
from server.serving import Capabilities, Serving
from server.testing import (
    CATALOGUE,
    FakeEngine,
    Gate,
    LogLines,
    ManualClock,
    MemoryQueueStore,
    MemoryRecommendationStore,
    in_loop,
)

RANKED = sorted(CATALOGUE, key=lambda i: -CATALOGUE[i])
"""t00 ... t24."""
UPSIDE_DOWN = dict(zip(RANKED, sorted(CATALOGUE.values()), strict=True))
"""t24 is the likeliest."""
DAY_S = 86_400.0
STORY_TTL_S = 300.0


@dataclass
class Desk:
    """A handler with all that it needs; ann asks."""

    engine: FakeEngine = field(default_factory=FakeEngine)
    clock: ManualClock = field(default_factory=ManualClock)
    queues: MemoryQueueStore = field(default_factory=MemoryQueueStore)
    recommendations: MemoryRecommendationStore = field(default_factory=MemoryRecommendationStore)
    metrics: Metrics = field(default_factory=Metrics)
    low: float = 0.5
    log: LogLines = field(default_factory=LogLines)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        self.serving = Serving({"music": self.engine}, {}, self.clock)
        self.serving.ready = True
        scoring, database = (
            BoundedExecutor(
                name,
                workers=2,
                waiting=8,
                retry_after_s=1.0,
                observe=lambda _stage, _seconds: None,
            )
            for name in ("scoring", "database")
        )
        rules = QueueRules(size=100, ttl_s=DAY_S, low=self.low, story_ttl_s=STORY_TTL_S)
        queueing = Queueing(self.serving, scoring, database, self.queues, self.metrics, rules)
        self.regeneration = Regeneration(
            self.serving,
            scoring,
            database,
            self.queues,
            queueing,
            self.metrics,
            json_log(self.log),
        )
        self.handler = RecommendHandler(
            self.serving,
            scoring,
            database,
            self.queues,
            self.recommendations,
            PageTokens(b"key"),
            self.metrics,
            queueing,
            self.regeneration,
        )

    async def ask(
        self,
        size: int = 5,
        token: str = "",
        *,
        from_queue: bool = True,
        user: str = "ann",
        candidate_ids: tuple[str, ...] = (),
        story: Story | None = None,
    ) -> PageAnswer:
        request = RecommendRequest(UserRef(user), candidate_ids=candidate_ids, story=story)
        ask = PageRequest("music", request, size, token, from_queue)
        return await self.handler.page(ask, NO_DEADLINE)

    def tell(self, outcome: Outcome, *object_ids: str) -> None:
        """Ann does something, a second after all that was."""
        self.clock.now_s += 1.0
        for object_id in object_ids:
            number = next(self._numbers)
            now_s = self.clock.now_s
            self.engine.apply(FeedbackEvent(number, "ann", object_id, outcome, now_s))
        self.clock.now_s += 1.0

    async def regenerated(self) -> None:
        """Return once nothing is ranked behind an answer."""
        task = self.regeneration._task
        if task is not None:
            await task

    def origins(self) -> dict[str, float]:
        return {
            sample.labels["origin"]: sample.value
            for family in self.metrics.first_pages.collect()
            for sample in family.samples
            if sample.name.endswith("_total")
        }

    def regenerations(self) -> dict[str, float]:
        return {
            sample.labels["result"]: sample.value
            for family in self.metrics.regenerations.collect()
            for sample in family.samples
            if sample.name.endswith("_total")
        }


def run(test: Coroutine[object, object, None]) -> None:
    in_loop(test)


def ids(*pages: PageAnswer) -> list[str]:
    return [item.object_id for page in pages for _, item in page.items]


def test_a_first_page_comes_from_the_queue_that_the_one_before_had_stored() -> None:
    async def test() -> None:
        desk = Desk()
        first = await desk.ask()
        again = await desk.ask()
        assert ids(first) == ids(again) == RANKED[:5]
        assert desk.engine.calls.count("recommend") == 1
        assert first.recommendation_id != again.recommendation_id
        assert len({r.queue_id for r in desk.recommendations.records}) == 1
        assert desk.origins() == {"queue_missing": 1, "queue": 1}
        # The tokens of both lead through the same queue.
        assert ids(await desk.ask(token=first.next_token)) == RANKED[5:10]
        assert ids(await desk.ask(token=again.next_token)) == RANKED[5:10]

    run(test())


def test_a_live_page_is_ranked_now_and_becomes_the_queue() -> None:
    async def test() -> None:
        desk = Desk()
        await desk.ask(from_queue=False)
        await desk.ask(from_queue=False)
        assert desk.engine.calls.count("recommend") == 2
        await desk.ask()
        assert desk.engine.calls.count("recommend") == 2
        assert desk.origins() == {"live": 2, "queue": 1}

    run(test())


def test_what_was_taken_or_disliked_leaves_the_queue_and_the_ranks_stay() -> None:
    async def test() -> None:
        desk = Desk(low=0.0)
        await desk.ask()
        desk.tell(Outcome.PLAY, "t00", "t02")
        desk.tell(Outcome.DISLIKE, "t03")
        page = await desk.ask()
        assert ids(page) == ["t01", "t04", "t05", "t06", "t07"]
        assert [rank for rank, _ in page.items] == [2, 5, 6, 7, 8]
        desk.tell(Outcome.UNLIKE, "t03")
        assert ids(await desk.ask(size=2)) == ["t01", "t03"]

    run(test())


def test_what_was_taken_before_the_ranking_may_be_in_the_queue() -> None:
    async def test() -> None:
        desk = Desk(FakeEngine(repeats=True), low=0.0)
        desk.tell(Outcome.PLAY, "t00")
        first = await desk.ask(size=2)
        assert ids(first) == ["t00", "t01"]
        assert ids(await desk.ask(size=2)) == ["t00", "t01"]
        desk.tell(Outcome.PLAY, "t00")
        assert ids(await desk.ask(size=2)) == ["t01", "t02"]

    run(test())


def test_a_queue_of_another_model_version_is_ranked_anew_and_its_pages_go_on() -> None:
    async def test() -> None:
        desk = Desk()
        first = await desk.ask()
        newer = FakeEngine(model_version="v2", catalogue=UPSIDE_DOWN)
        desk.serving.replace(newer, Capabilities())
        later = await desk.ask(token=first.next_token)
        assert (later.model_version, ids(later)) == ("v1", RANKED[5:10])
        fresh = await desk.ask()
        assert (fresh.model_version, ids(fresh)) == ("v2", RANKED[::-1][:5])
        # Asking for the queue did not end the pages of the one before.
        later = await desk.ask(token=later.next_token)
        assert (later.model_version, ids(later)) == ("v1", RANKED[10:15])
        assert desk.origins() == {"queue_missing": 1, "queue_of_other_model": 1}

    run(test())


def test_a_token_of_another_model_than_its_queues_is_stale_and_says_so() -> None:
    async def test() -> None:
        desk = Desk()
        first = await desk.ask()
        (record,) = desk.queues.records.values()
        object.__setattr__(record, "model_version", "v0")
        with pytest.raises(StalePageTokenError, match="of model 'v0'"):
            await desk.ask(token=first.next_token)

    run(test())


def test_an_old_queue_is_ranked_anew() -> None:
    async def test() -> None:
        desk = Desk()
        await desk.ask()
        desk.clock.now_s += DAY_S - 1.0
        await desk.ask()
        desk.clock.now_s += 1.0
        await desk.ask()
        assert desk.origins() == {"queue_missing": 1, "queue": 1, "queue_too_old": 1}

    run(test())


def test_a_queue_with_less_than_a_page_left_is_ranked_anew_at_once() -> None:
    async def test() -> None:
        desk = Desk(low=0.0)
        first = await desk.ask(size=20)
        desk.tell(Outcome.PLAY, *RANKED[:6])
        assert len(ids(await desk.ask(size=19))) == 19
        assert len(ids(await desk.ask(size=20))) == 19  # all that there is
        assert desk.origins() == {"queue_missing": 1, "queue": 1, "queue_too_short": 1}
        assert ids(await desk.ask(token=first.next_token)) == RANKED[20:]

    run(test())


def test_a_short_list_is_a_whole_queue() -> None:
    async def test() -> None:
        desk = Desk()
        few = ("t03", "t01")
        for _ in range(2):
            assert ids(await desk.ask(size=10, candidate_ids=few)) == ["t01", "t03"]
        assert desk.origins() == {"queue_missing": 1, "queue": 1}

    run(test())


def test_an_empty_queue_is_none() -> None:
    async def test() -> None:
        desk = Desk(FakeEngine(catalogue={}))
        for _ in range(2):
            assert ids(await desk.ask()) == []
        assert desk.origins() == {"queue_missing": 1, "queue_too_short": 1}

    run(test())


def test_a_queue_that_runs_low_is_ranked_anew_behind_the_answer_and_its_pages_go_on() -> None:
    async def test() -> None:
        desk = Desk(low=0.9)
        await desk.ask()
        desk.tell(Outcome.PLAY, *RANKED[:3])
        before = desk.engine.calls.count("recommend")
        page = await desk.ask()  # 22 of 25 are left: less than nine tenths
        assert ids(page) == RANKED[3:8]
        await desk.regenerated()
        assert desk.engine.calls.count("recommend") == before + 1
        assert desk.regenerations() == {"stored": 1}
        old, new = desk.recommendations.records[-1].queue_id, await desk.ask()
        assert desk.recommendations.records[-1].queue_id != old
        assert new.items[0][0] == 1  # the first of a new list
        assert ids(await desk.ask(token=page.next_token)) == RANKED[8:13]

    run(test())


def test_a_first_page_meanwhile_overtakes_a_regeneration() -> None:
    async def test() -> None:
        desk = Desk()
        await desk.ask()
        (record,) = desk.queues.records.values()
        desk.engine.gate = Gate()
        desk.regeneration.begin(RecommendRequest(UserRef("ann"), size=100), record)
        await asyncio.to_thread(desk.engine.gate.wait_until_entered)
        newer = replace(record, queue_id="f" * 32)
        desk.queues.put(newer)
        desk.engine.gate.open()
        await desk.regenerated()
        assert desk.regenerations() == {"overtaken": 1}
        assert desk.queues.get(record.key) == newer

    run(test())


def test_regenerations_are_put_off_while_one_is_under_way() -> None:
    async def test() -> None:
        desk = Desk()
        await desk.ask()
        (record,) = desk.queues.records.values()
        request = RecommendRequest(UserRef("ann"), size=100)
        desk.regeneration.begin(request, record)
        desk.regeneration.begin(request, record)
        await desk.regenerated()
        assert desk.regenerations() == {"put_off": 1, "stored": 1}

    run(test())


def test_a_regeneration_that_fails_is_logged_and_the_queue_stays() -> None:
    async def test() -> None:
        desk = Desk(low=1.0)
        await desk.ask()
        desk.tell(Outcome.PLAY, "t00")
        desk.engine.failure = RuntimeError("the index is gone")
        assert ids(await desk.ask()) == RANKED[1:6]
        await desk.regenerated()
        assert desk.regenerations() == {"failed": 1}
        assert ids(await desk.ask()) == RANKED[1:6]

    run(test())


def test_the_queue_of_a_story_answers_for_less_long() -> None:
    async def test() -> None:
        desk = Desk()
        for waited_s in (0.0, STORY_TTL_S - 1.0, 1.0):
            desk.clock.now_s += waited_s
            await desk.ask(story=Story("s1"))
        assert desk.origins() == {"queue_missing": 1, "queue": 1, "queue_too_old": 1}

    run(test())


def test_what_is_heard_of_a_story_stays_and_what_is_disliked_goes() -> None:
    async def test() -> None:
        desk = Desk()
        first = await desk.ask(size=2, story=Story("s1"))
        desk.tell(Outcome.PLAY, "t00", "t03")
        assert ids(await desk.ask(size=2, story=Story("s1"))) == ids(first) == ["t00", "t01"]
        later = await desk.ask(size=2, token=first.next_token, story=Story("s1"))
        assert ids(later) == ["t02", "t03"]
        desk.tell(Outcome.DISLIKE, "t00")
        assert ids(await desk.ask(size=2, story=Story("s1"))) == ["t01", "t02"]

    run(test())


def test_a_story_keeps_its_pick_as_long_as_anything_is_left() -> None:
    async def test() -> None:
        desk = Desk(low=1.0)
        few = ("t01", "t02", "t03")
        await desk.ask(candidate_ids=few, story=Story("s1"))
        desk.tell(Outcome.DISLIKE, "t02", "t03")
        assert ids(await desk.ask(candidate_ids=few, story=Story("s1"))) == ["t01"]
        await desk.regenerated()
        assert desk.regenerations() == {}
        desk.tell(Outcome.DISLIKE, "t01")
        assert ids(await desk.ask(candidate_ids=few, story=Story("s1"))) == []
        assert desk.origins() == {"queue_missing": 1, "queue": 1, "queue_too_short": 1}

    run(test())


def test_what_the_last_queue_held_is_told_to_the_engine_unless_candidates_are_named() -> None:
    async def test() -> None:
        desk = Desk()
        await desk.ask(from_queue=False)
        await desk.ask(from_queue=False)
        await desk.ask(from_queue=False, candidate_ids=("t01",))
        await desk.ask(from_queue=False, candidate_ids=("t01",))
        told = [request.queued_ids for request in desk.engine.asked]
        assert told == [(), tuple(RANKED), (), ()]

    run(test())


def test_users_without_an_id_have_no_stored_queue() -> None:
    async def test() -> None:
        desk = Desk()
        for _ in range(2):
            page = await desk.ask(user="")
            assert ids(await desk.ask(token=page.next_token, user="")) == RANKED[5:10]
        assert desk.origins() == {"queue_missing": 2}

    run(test())


STEPS = st.lists(
    st.tuples(st.integers(1, 12), st.lists(st.sampled_from(RANKED), max_size=4), st.booleans()),
    min_size=1,
    max_size=30,
)


@settings(max_examples=60, deadline=None)
@given(steps=STEPS, from_queue=st.booleans(), warm=st.booleans())
def test_the_pages_of_one_queue_version_partition_it(
    steps: list[tuple[int, list[str], bool]], from_queue: bool, warm: bool
) -> None:
    """Whatever is played, disliked or asked in between, all but what left comes, and comes once."""

    async def test() -> None:
        desk, left_at = Desk(low=1.0), dict[str, int]()
        if warm:
            await desk.ask()
        pages = [await desk.ask(size=steps[0][0], from_queue=from_queue)]
        for size, gone, disliked in steps:
            if not pages[-1].next_token:
                break
            desk.tell(Outcome.DISLIKE if disliked else Outcome.PLAY, *gone)
            for object_id in gone:
                left_at.setdefault(object_id, len(pages))
            if len(pages) == 1:
                await desk.ask()  # another first page of the queue, which may rank it anew behind
                await desk.regenerated()
            pages.append(await desk.ask(size=size, token=pages[-1].next_token))
        while pages[-1].next_token:
            pages.append(await desk.ask(size=7, token=pages[-1].next_token))
        shown = ids(*pages)
        assert len(set(shown)) == len(shown)
        assert [rank for page in pages for rank, _ in page.items] == [
            1 + RANKED.index(i) for i in shown
        ]
        assert set(RANKED) - set(shown) <= set(left_at)
        for number, page in enumerate(pages):
            assert not {i for i in ids(page) if left_at.get(i, number + 1) <= number}

    run(test())


def test_closing_gives_up_what_is_under_way() -> None:
    async def test() -> None:
        desk = Desk()
        await desk.ask()
        (record,) = desk.queues.records.values()
        desk.regeneration.begin(RecommendRequest(UserRef("ann"), size=100), record)
        await asyncio.wait_for(desk.regeneration.close(), 10.0)

    run(test())
