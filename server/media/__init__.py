"""Titles, covers and preview links of objects: an optional provider beside the engine."""

from server.media.http_provider import HttpMediaProvider
from server.media.provider import UNAVAILABLE, Media, MediaProvider, NoMedia

__all__ = ["UNAVAILABLE", "HttpMediaProvider", "Media", "MediaProvider", "NoMedia"]
