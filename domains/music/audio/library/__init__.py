"""The sound library: a directory that keeps what was heard of an operator's audio files."""

from domains.music.audio.library.describe import Description, describe_file
from domains.music.audio.library.files import read_ids
from domains.music.audio.library.sound_library import SoundLibrary
from domains.music.audio.library.update import PART_TRACKS, Update, update

__all__ = [
    "PART_TRACKS",
    "Description",
    "SoundLibrary",
    "Update",
    "describe_file",
    "read_ids",
    "update",
]
