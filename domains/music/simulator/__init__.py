"""A simulated world of music listeners whose true return probabilities can be asked."""

from domains.music.simulator.contexts import Context
from domains.music.simulator.events import FirstPlays, draw_first_plays
from domains.music.simulator.parameters import PARAMETERS, WorldParameters
from domains.music.simulator.simulate import LogFormat, TableFormat, simulate
from domains.music.simulator.world import ListResponse, LogitParts, World

__all__ = [
    "PARAMETERS",
    "Context",
    "FirstPlays",
    "ListResponse",
    "LogFormat",
    "LogitParts",
    "TableFormat",
    "World",
    "WorldParameters",
    "draw_first_plays",
    "simulate",
]
