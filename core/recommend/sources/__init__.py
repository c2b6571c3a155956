"""Sources: each proposes candidates for its own reason."""

from core.recommend.sources.content_nearest import ContentNearest
from core.recommend.sources.item_to_item import ItemToItem
from core.recommend.sources.latent_nearest import LatentNearest
from core.recommend.sources.popular import Popular
from core.recommend.sources.queued import Queued
from core.recommend.sources.ranking import NONE, best

__all__ = ["NONE", "ContentNearest", "ItemToItem", "LatentNearest", "Popular", "Queued", "best"]
