"""The tags that musicnn was trained on, in the order of its outputs, and what kind each is of."""

from __future__ import annotations

from enum import StrEnum


class TagKind(StrEnum):
    """What a tag says of a sound."""

    GENRE = "genre"
    MOOD = "mood"
    INSTRUMENT = "instrument"
    """What is heard: instruments and voices, or their absence."""
    OTHER = "other"
    """Decades and words of taste: nothing that a sound alone could tell."""


def _listed(tags: str) -> tuple[str, ...]:
    return tuple(" ".join(tags.split()).split(", "))


MSD_TAGS = _listed(
    """rock, pop, alternative, indie, electronic, female vocalists, dance, 00s, alternative rock,
    jazz, beautiful, metal, chillout, male vocalists, classic rock, soul, indie rock, Mellow,
    electronica, 80s, folk, 90s, chill, instrumental, punk, oldies, blues, hard rock, ambient,
    acoustic, experimental, female vocalist, guitar, Hip-Hop, 70s, party, country, easy listening,
    sexy, catchy, funk, electro, heavy metal, Progressive rock, 60s, rnb, indie pop, sad, House,
    happy"""
)
"""Trained on the Million Song Dataset with tags of Last.fm: genres and moods."""
MTT_TAGS = _listed(
    """guitar, classical, slow, techno, strings, drums, electronic, rock, fast, piano, ambient,
    beat, violin, vocal, synth, female, indian, opera, male, singing, vocals, no vocals,
    harpsichord, loud, quiet, flute, woman, male vocal, no vocal, pop, soft, sitar, solo, man,
    classic, choir, voice, new age, dance, male voice, female vocal, beats, harp, cello, no voice,
    weird, country, metal, female voice, choral"""
)
"""Trained on MagnaTagATune: instruments, voices, tempo."""

_MOODS = _listed(
    """beautiful, chillout, Mellow, chill, party, easy listening, sexy, catchy, sad, happy, slow,
    fast, loud, quiet, soft, weird"""
)
_INSTRUMENTS = _listed(
    """female vocalists, male vocalists, instrumental, acoustic, female vocalist, guitar, strings,
    drums, piano, beat, violin, vocal, synth, female, male, singing, vocals, no vocals, harpsichord,
    flute, woman, male vocal, no vocal, sitar, solo, man, choir, voice, male voice, female vocal,
    beats, harp, cello, no voice, female voice, choral"""
)
_OTHERS = _listed("00s, 60s, 70s, 80s, 90s, oldies")

_KINDS = {
    **dict.fromkeys(MSD_TAGS + MTT_TAGS, TagKind.GENRE),
    **dict.fromkeys(_MOODS, TagKind.MOOD),
    **dict.fromkeys(_INSTRUMENTS, TagKind.INSTRUMENT),
    **dict.fromkeys(_OTHERS, TagKind.OTHER),
}


def kind_of(tag: str) -> TagKind:
    """What kind a tag of either list is of."""
    return _KINDS[tag]
