"""Reads what callers of this backend sent; says everything that is wrong at once."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from encore_client import Outcome
from encore_stories.soundtracks import Ask

MAX_ID_BYTES = 256
MAX_TAG_BYTES = 128
MAX_TAGS = 20
MAX_SECONDS = 600
MAX_BODY_BYTES = 16 * 1024
OUTCOMES = {"like": Outcome.LIKE, "skip": Outcome.SKIP}
_CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_WHOLE_NUMBER = re.compile(r"[0-9]{1,9}")


class RefusedError(Exception):
    """The caller sent something that can never be answered."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__(str(problems))
        self.problems = dict(problems)
        """Name of a field -> what is wrong with it."""


@dataclass(frozen=True)
class Told:
    """What a user did with a track of a story."""

    story_id: str
    user_id: str
    object_id: str
    outcome: Outcome
    recommendation_id: str
    """Empty when the caller does not say."""
    event_id: str
    """Empty when the caller does not say."""

    def event_id_for(self, recommendation_id: str) -> str:
        """The caller's event id, or one that a repeat of the same call has too."""
        if self.event_id:
            return self.event_id
        parts = (
            self.story_id,
            self.user_id,
            self.object_id,
            self.outcome.value,
            recommendation_id,
        )
        return "story-" + hashlib.blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()


def read_ask(story_id: str, query: Iterable[tuple[str, str]]) -> Ask:
    """Read `user`, `tags` (repeated or separated by commas) and `max_seconds`.

    Raises:
        RefusedError: naming every field that is wrong.
    """
    asked = list(query)
    users = [value for name, value in asked if name == "user"]
    written = [value for name, value in asked if name == "tags"]
    tags = tuple(dict.fromkeys(filter(None, (t.strip() for w in written for t in w.split(",")))))
    seconds = [value for name, value in asked if name == "max_seconds"]
    problems: dict[str, str] = {}
    _check_id(problems, "story", story_id)
    _check_id(problems, "user", users[0] if len(users) == 1 else "")
    if len(tags) > MAX_TAGS:
        problems["tags"] = f"must be at most {MAX_TAGS}, got {len(tags)}"
    for tag in tags[:MAX_TAGS]:
        _check_id(problems, "tags", tag, MAX_TAG_BYTES)
    if seconds and not (
        _WHOLE_NUMBER.fullmatch(seconds[0]) and 1 <= int(seconds[0]) <= MAX_SECONDS
    ):
        problems["max_seconds"] = f"must be 1 to {MAX_SECONDS}, got {seconds[0][:20]!r}"
    if problems:
        raise RefusedError(problems)
    return Ask(story_id, users[0], tags, int(seconds[0]) if seconds else None)


def read_told(story_id: str, body: bytes) -> Told:
    """Read `{"user", "track_id", "action", "recommendation_id"?, "event_id"?}`.

    Raises:
        RefusedError: naming every field that is wrong.
    """
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        raise RefusedError({"body": "must be a JSON object"}) from None
    if not isinstance(said, dict):
        raise RefusedError({"body": "must be a JSON object"})
    problems: dict[str, str] = {}
    _check_id(problems, "story", story_id)
    for name in ("user", "track_id"):
        _check_id(problems, name, said.get(name))
    for name in ("recommendation_id", "event_id"):
        if said.get(name, "") != "":
            _check_id(problems, name, said[name], MAX_TAG_BYTES)
    action = said.get("action")
    if not isinstance(action, str) or action not in OUTCOMES:
        problems["action"] = f"must be one of {', '.join(OUTCOMES)}"
    if problems:
        raise RefusedError(problems)
    return Told(
        story_id,
        said["user"],
        said["track_id"],
        OUTCOMES[said["action"]],
        said.get("recommendation_id", ""),
        said.get("event_id", ""),
    )


def _check_id(
    problems: dict[str, str], name: str, value: object, max_bytes: int = MAX_ID_BYTES
) -> None:
    problem = _problem_of_id(value, max_bytes)
    if problem:
        problems[name] = problem


def _problem_of_id(value: object, max_bytes: int) -> str:
    if not isinstance(value, str) or not value:
        return "must be given once, as text"
    if _CONTROL_CHARACTER.search(value):
        return "must not hold control characters"
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        return "must be valid Unicode"
    return f"must have at most {max_bytes} bytes, got {size}" if size > max_bytes else ""
