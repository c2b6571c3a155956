"""Between protobuf and what stories ask and get: the story, its preview windows, its media."""

from __future__ import annotations

from core.requests import Story
from encore.v1 import recommender_service_pb2 as pb
from server.checks import MAX_NAME_BYTES, Checks
from server.media import Media
from server.previews import PreviewWindow

MAX_STORY_TAGS = 20
MAX_STORY_SECONDS = 600


def story_of(checks: Checks, story: pb.Story) -> Story:
    """A story; whatever is malformed is noted in `checks`."""
    checks.id("story.story_id", story.story_id)
    if len(story.tags) > MAX_STORY_TAGS:
        checks.refuse("story.tags", f"must hold at most {MAX_STORY_TAGS}, got {len(story.tags)}")
    else:
        for place, tag in enumerate(story.tags):
            checks.id(f"story.tags[{place}]", tag, MAX_NAME_BYTES)
    max_seconds = story.max_seconds if story.HasField("max_seconds") else None
    if max_seconds is not None:
        checks.between("story.max_seconds", max_seconds, 1, MAX_STORY_SECONDS)
    return Story(story.story_id, tuple(dict.fromkeys(story.tags)), max_seconds)


def preview_message(window: PreviewWindow | None) -> pb.PreviewWindow | None:
    """A window, or None for a page that has none."""
    if window is None:
        return None
    return pb.PreviewWindow(
        start_ms=window.start_ms, length_ms=window.length_ms, is_default=window.is_default
    )


def media_message(media: Media | None) -> pb.Media | None:
    """Media, or None for a page that has none."""
    if media is None:
        return None
    return pb.Media(
        title=media.title,
        cover_url=media.cover_url,
        preview_url=media.preview_url,
        note=media.note,
    )
