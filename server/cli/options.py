"""Arguments and options that several commands share."""

from __future__ import annotations

import os
import subprocess
import tempfile
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from core.errors import FieldViolation, InvalidRequestError
from core.models import RECIPES, Compute
from core.schema import MAX_CONTENT_SIZE
from core.scratch import IN_MEMORY_BYTES, Scratch

DomainName = Annotated[str, typer.Argument(help="Name of the domain: music, shopping or travel.")]
DataDirectory = Annotated[
    Path, typer.Option("--data", help="Directory of the log, in any format the domain reads.")
]
LogFormat = Annotated[
    str | None,
    typer.Option("--format", help="Format of the log; found out from the files when absent."),
]
Bundles = Annotated[
    Path, typer.Option("--bundles", envvar="ENCORE_BUNDLES", help="Directory of all bundles.")
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Same data and seed, same result.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def _known_recipe(name: str) -> str:
    if name not in RECIPES:
        raise typer.BadParameter(f"{name!r} is not one of {', '.join(RECIPES)}")
    return name


Recipe = Annotated[
    str,
    typer.Option(
        "--recipe",
        help=f"How much work a fit may be: {', '.join(RECIPES)}.",
        callback=_known_recipe,
    ),
]


class Device(StrEnum):
    """Where the nets are trained."""

    CPU = "cpu"
    CUDA = "cuda"
    AUTO = "auto"


DeviceName = Annotated[Device, typer.Option("--device", help="Where the nets are trained.")]
BUNDLES = Path("bundles")


ScratchDirectory = Annotated[
    Path | None,
    typer.Option(
        "--scratch",
        envvar="ENCORE_SCRATCH",
        help=(
            "Directory on a disk for features that are too many for memory (above "
            f"{IN_MEMORY_BYTES >> 30} GB); TMPDIR, /var/tmp or the system's own when absent."
        ),
    ),
]


SoundsDirectory = Annotated[
    Path | None,
    typer.Option(
        "--sounds",
        help="Sound library (`encore genre index`) that answers GenreNeighbor; a few clips that "
        "ship with Encore when absent.",
    ),
]
ContentFile = Annotated[
    Path | None,
    typer.Option(
        "--content",
        help=(
            "Parquet file of content vectors, known before any event: `object_id` and `vector`, a "
            f"list of floats, all of one length up to {MAX_CONTENT_SIZE}."
        ),
    ),
]


def compute_on(device: Device) -> Compute:
    """The member settings of a machine.

    Raises:
        CapabilityMissingError: it lacks the device.
    """
    compute = Compute(device=device.value)
    compute.torch_device()  # now, not after an hour of replay
    return compute


def scratch_in(directory: Path | None) -> Scratch:
    """The place for large tables; by default one that is on disk where /tmp lives in memory.

    Raises:
        InvalidRequestError: the directory is not there.
    """
    if directory is None:
        large = Path("/var/tmp")  # noqa: S108 - its files get no names
        system = Path(tempfile.gettempdir())
        return Scratch(large if "TMPDIR" not in os.environ and large.is_dir() else system)
    if not directory.is_dir():
        problem = f"there is no directory {directory}: create it first"
        raise InvalidRequestError([FieldViolation("--scratch", problem)])
    return Scratch(directory)


def new_version(now: datetime | None = None) -> str:
    """A version name that sorts by time: `20261122T101500Z`."""
    return (now or datetime.now(UTC)).strftime("%Y%m%dT%H%M%SZ")


def git_commit() -> str:
    """The commit of the code that runs, or empty where it does not run from its own checkout."""
    here = Path(__file__)
    try:
        # Installed into a directory of another project, git would answer with that one's commit.
        _git("ls-files", "--error-unmatch", here.name, cwd=here.parent)
        return _git("rev-parse", "HEAD", cwd=here.parent)
    except (OSError, subprocess.CalledProcessError):
        return ""


def _git(*arguments: str, cwd: Path) -> str:
    found = subprocess.run(  # noqa: S603 - fixed arguments
        ["git", *arguments],  # noqa: S607 - whichever git the user has
        cwd=cwd,
        capture_output=True,
        text=True,
        check=True,
    )
    return found.stdout.strip()
