"""Sources: each proposes candidates for its own reason."""

from core.recommend.sources.als import Als
from core.recommend.sources.bpr import Bpr
from core.recommend.sources.content_nearest import ContentNearest
from core.recommend.sources.facet_nearest import FacetNearest
from core.recommend.sources.item_to_item import ItemToItem
from core.recommend.sources.latent_nearest import LatentNearest
from core.recommend.sources.new import New
from core.recommend.sources.own_past import OwnPast
from core.recommend.sources.popular import Popular
from core.recommend.sources.popular_in_context import PopularInContext
from core.recommend.sources.popular_in_segment import PopularInSegment
from core.recommend.sources.queued import Queued
from core.recommend.sources.ranking import NONE, best
from core.recommend.sources.similar_users import SimilarUsers
from core.recommend.sources.standard import STANDARD_SOURCES
from core.recommend.sources.weighted_item_to_item import WeightedItemToItem

__all__ = [
    "NONE",
    "STANDARD_SOURCES",
    "Als",
    "Bpr",
    "ContentNearest",
    "FacetNearest",
    "ItemToItem",
    "LatentNearest",
    "New",
    "OwnPast",
    "Popular",
    "PopularInContext",
    "PopularInSegment",
    "Queued",
    "SimilarUsers",
    "WeightedItemToItem",
    "best",
]
