"""The generic log of music: raw catalogue strings in `objects.*` are parsed as KKBOX's are."""

from __future__ import annotations

import pandas as pd

from core.generic_log import GenericLog
from core.log import LabelRule, Outcome, TieRule
from domains.music.catalogue import RAW_COLUMNS, latest_isrc_year, parse_catalogue
from domains.music.schema import SCHEMA

OUTCOMES = (
    Outcome.PLAY,
    Outcome.REPLAY,
    Outcome.LIKE,
    Outcome.DISLIKE,
    Outcome.UNLIKE,
    Outcome.SKIP,
)
LABEL_RULE = LabelRule(horizon_s=30 * 86400.0)
"""A return is a play of the track within 30 days, as in the work Encore comes from."""


def _prepared(objects: pd.DataFrame, begin_s: float) -> pd.DataFrame:
    return parse_catalogue(objects, latest_isrc_year(begin_s))


GENERIC_LOG = GenericLog(
    domain="music",
    schema=SCHEMA,
    outcomes=OUTCOMES,
    label_rule=LABEL_RULE,
    tie_rule=TieRule.TIMESTAMP,
    prepare_objects=_prepared,
    raw_object_columns=RAW_COLUMNS,
)
