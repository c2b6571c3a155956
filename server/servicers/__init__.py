"""The two services: convert, hand over, convert back."""

from server.servicers.admin import AdminServicer
from server.servicers.recommender import RecommenderServicer

__all__ = ["AdminServicer", "RecommenderServicer"]
