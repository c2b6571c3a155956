"""Rerankers: pure policies over a list that is already in order."""

from core.recommend.rerankers.cap_per_facet import CapPerFacet
from core.recommend.rerankers.exploration import Exploration
from core.recommend.rerankers.freshness import Freshness
from core.recommend.rerankers.marginal_relevance import MarginalRelevance

__all__ = ["CapPerFacet", "Exploration", "Freshness", "MarginalRelevance"]
