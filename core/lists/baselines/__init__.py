"""What lists are measured against: ordinary methods, each tuned on an earlier cut."""

from __future__ import annotations

from core.lists.baselines.factors import ALS, BPR
from core.lists.baselines.items import BLEND, BM25, COSINE, TF_IDF
from core.lists.baselines.personal import FADED_FREQUENCY, FREQUENCY, LAST_ITEMS, POPULARITY
from core.lists.baselines.scored import Baseline
from core.lists.baselines.tifu import TIFU_KNN
from core.lists.baselines.tuning import Choice, TunedBaseline, tune_baselines

BASELINES: tuple[Baseline, ...] = (
    POPULARITY,
    FREQUENCY,
    FADED_FREQUENCY,
    LAST_ITEMS,
    COSINE,
    TF_IDF,
    BM25,
    ALS,
    BPR,
    TIFU_KNN,
    BLEND,
)
"""In the order of reports."""

__all__ = ["BASELINES", "Baseline", "Choice", "TunedBaseline", "tune_baselines"]
