"""`python -m encore_stories`: serve until SIGTERM or Ctrl-C."""

from __future__ import annotations

import logging
import sys

import uvicorn

from encore_stories.app import create_app
from encore_stories.settings import Settings


def main() -> None:
    """Read the environment and serve; a setting that cannot be read ends with code 1."""
    try:
        settings = Settings.from_environment()
    except ValueError as error:
        sys.stderr.write(f"encore_stories: {error}\n")
        sys.exit(1)
    logging.basicConfig(level=logging.INFO)
    uvicorn.run(create_app(settings), host=settings.host, port=settings.port)


if __name__ == "__main__":
    main()
