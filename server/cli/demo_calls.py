"""One call of each kind through the client, with the answers told for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from rich.table import Table

from core.log import EventLog
from domains.music.audio.clips import shipped_clips
from encore_client import (
    AsyncEncoreClient,
    FeedbackEvent,
    Outcome,
    Recommendation,
    RecommendedItem,
)
from server.cli.output import stdout
from server.lifecycle import Ports

CONTEXT = {"source_tab": "discover", "source_type": "online-playlist"}
SHOWN = 5


async def ask_everything(ports: Ports, log: EventLog) -> None:
    """Score, Recommend, Feedback, Recommend again and GenreNeighbor for a lively listener."""
    titles = _titles(log)
    user = _lively_user(log)
    async with AsyncEncoreClient(f"127.0.0.1:{ports.api}", domain="music") as client:
        first = await client.recommend(user, context=CONTEXT, page_size=SHOWN)
        _headline(f"Recommend for {user}, who plays a lot")
        _show_items(first.items, titles)

        heard = _heard(log, user)[:SHOWN]
        asked = [*heard, "a-brand-new-track"]
        scored = await client.score(user, asked, context=CONTEXT, include_members=True)
        _headline("Score: will they play these again within 30 days?")
        table = Table("track", "probability", *scored.members)
        for i, object_id in enumerate(scored.object_ids):
            members = (f"{column[i]:.2f}" for column in scored.members.values())
            table.add_row(_named(object_id, titles), f"{scored.probabilities[i]:.2f}", *members)
        stdout.print(table)

        liked, disliked = first.items[1].object_id, first.items[0].object_id
        said = ((disliked, Outcome.DISLIKE), (liked, Outcome.LIKE))
        receipt = await client.feedback(
            [
                FeedbackEvent(user, object_id, outcome, recommendation_id=first.recommendation_id)
                for object_id, outcome in said
            ]
        )
        _headline("Feedback: the first is disliked, the second liked; both count at once")
        stdout.print(f"accepted {receipt.accepted}, duplicates {receipt.duplicates}")
        second = await client.recommend(user, context=CONTEXT, page_size=SHOWN)
        _show_items(second.items, titles)
        _show_change(first, second, disliked)

        clip = next(clip for clip in shipped_clips() if clip.genre)
        near = await client.genre_neighbor(audio=clip.path, k=SHOWN)
        _headline(f"GenreNeighbor of the sound file {clip.path.name}")
        likely = ", ".join(f"{g.genre} {g.probability:.2f}" for g in near.genres[:3])
        stdout.print(f"genre: {likely}", highlight=False)
        for kind, tags in (("moods", near.moods), ("heard", near.instruments)):
            named = ", ".join(f"{tag.tag} {tag.probability:.2f}" for tag in tags[:3])
            stdout.print(f"{kind}: {named}", highlight=False)
        if near.same_recording_ids:
            copies = ", ".join(_named(track, titles) for track in near.same_recording_ids)
            stdout.print(f"the same recording: {copies}", markup=False, highlight=False)
        for neighbour in near.neighbors:
            name = _named(neighbour.track_id, titles)
            stdout.print(f"  {neighbour.cosine:+.2f}  {name}", markup=False, highlight=False)
        stdout.print(f"note: {near.note}", markup=False, highlight=False)
    stdout.print(f"\nanswered by model {first.model_version}", highlight=False)


def _headline(text: str) -> None:
    stdout.print(f"\n[bold]{text}[/]", highlight=False)


def _show_items(items: tuple[RecommendedItem, ...], titles: Mapping[str, str]) -> None:
    table = Table("", "track", "probability", "why")
    for item in items:
        reasons = ", ".join(_retold(reason, titles) for reason in item.reasons)
        table.add_row(
            str(item.rank), _named(item.object_id, titles), f"{item.probability:.2f}", reasons
        )
    stdout.print(table)


def _retold(reason: str, titles: Mapping[str, str]) -> str:
    start, _, last = reason.rpartition(" ")
    return f"{start} “{titles[last]}”" if titles.get(last) else reason


def _show_change(first: Recommendation, second: Recommendation, disliked: str) -> None:
    before = {item.object_id for item in first.items}
    new = sum(item.object_id not in before for item in second.items)
    gone = disliked not in {item.object_id for item in second.items}
    stdout.print(
        f"{new} of {len(second.items)} are new; the disliked track is "
        f"{'gone' if gone else 'still there'}",
        highlight=False,
    )


def _titles(log: EventLog) -> dict[str, str]:
    artists = log.objects.columns["artist"].tolist()
    named = zip(log.objects.ids, log.objects.titles, artists, strict=True)
    return {i: f"{title} · {artist}" if artist else title for i, title, artist in named if title}


def _named(object_id: str, titles: Mapping[str, str]) -> str:
    return titles.get(object_id, f"{object_id} (never heard of)")


def _lively_user(log: EventLog) -> str:
    """The user with the most events among the last tenth of the log."""
    latest = log.user_index[-len(log) // 10 :]
    return log.users.ids[Counter(latest.tolist()).most_common(1)[0][0]]


def _heard(log: EventLog, user: str) -> list[str]:
    """The tracks that the user played last, latest first."""
    rows = [i for i in range(len(log)) if log.users.ids[log.user_index[i]] == user]
    recent = [log.objects.ids[log.object_index[i]] for i in reversed(rows)]
    return list(dict.fromkeys(recent))
