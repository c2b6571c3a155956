"""A story backend: a soundtrack for each story from Encore, also when Encore is down."""

from encore_stories.app import create_app
from encore_stories.settings import Settings

__all__ = ["Settings", "create_app"]
