"""A pretrained ear: the music tagger musicnn, without TensorFlow."""

from domains.music.audio.tagger.tagger import Heard, Tagger
from domains.music.audio.tagger.tags import MSD_TAGS, MTT_TAGS, TagKind, kind_of

__all__ = ["MSD_TAGS", "MTT_TAGS", "Heard", "TagKind", "Tagger", "kind_of"]
