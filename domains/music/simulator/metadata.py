"""Names, titles and codes of a world's tracks, with the defects that real catalogues have."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from domains.music.simulator.randomness import Bools, Ints, stream
from domains.music.simulator.world import World

# fmt: off
_LATIN = [
    "ka", "lo", "mi", "ren", "sa", "vel", "tor", "an", "di", "ous",
    "ber", "nu", "phi", "gra", "el", "os", "ti", "mar", "qu", "en",
]
# fmt: on
_ACCENTED = ["é", "lü", "ño", "ça", "ørn", "är", "sé", "ã", "ží", "ë"]
_HAN = list("月光海風夜雨星空春秋夢花城路遠山水雲時間心歌")
_KANA = list("さくらゆめほしかぜそらうみひかりアイネコハル")
_HANGUL = list("가나다라마바사아자하별빛꿈길봄밤")
_SCRIPTS = {"3": _HAN, "10": _HAN, "24": _HAN, "59": _HAN, "17": _KANA, "31": _HANGUL}
_COUNTRIES = {"3": "TW", "10": "TW", "24": "HK", "59": "HK", "17": "JP", "31": "KR", "45": "SG"}
_WESTERN_COUNTRIES = ("US", "GB", "US", "DE", "FR", "QM", "NL", "US")
_TITLE_ENDINGS = ("", "", "", "", "", "", " (Live)", " - Remix", " (Acoustic Version)", ", Pt. 2")


@dataclass(frozen=True)
class Metadata:
    """What the catalogue files say of each track: lists of n_tracks; "" where missing."""

    titles: list[str]
    """Title, some with commas, quotation marks or a featured artist."""
    artists: list[str]
    """Raw artist name; several artists in the many ways that labels write them."""
    genres: list[str]
    """Genre ids, separated by "|"."""
    languages: list[str]
    """Language code."""
    composers: list[str]
    """Composers, separated by "|"."""
    lyricists: list[str]
    """Lyricists, separated by "|"."""
    isrcs: list[str]
    """International Standard Recording Code: country, registrant, year, number."""
    has_row: Bools
    """Whether the catalogue has a row for the track at all: (n_tracks,)."""
    royalty_free: Ints
    """Indices of the tracks in the pool `royalty_free`, ascending."""


def create_metadata(world: World) -> Metadata:
    """Writes a name tag for every track of a world; nothing here touches a probability."""
    parameters, tracks = world.parameters, world.catalogue
    rng = stream(world.seed, "files: metadata")
    size = len(tracks)
    languages = [parameters.languages[row].value for row in tracks.languages]
    names = _artist_names(world, rng)
    artists = _artist_fields(names, tracks.artists, rng)
    writers = [_western_name(rng) for _ in range(max(20, len(names) // 2))]
    genre_missing = rng.random(size) < parameters.genre_missing_share
    pool = rng.random(size) < parameters.royalty_free_share
    return Metadata(
        titles=_titles(languages, names, rng),
        artists=artists,
        genres=_genre_fields(world, genre_missing),
        languages=languages,
        composers=_writer_fields(writers, tracks.artists, 0.42, 0.18, rng),
        lyricists=_writer_fields(writers, tracks.artists, 0.70, 0.06, rng),
        isrcs=_isrcs(world, languages, rng),
        has_row=rng.random(size) >= parameters.track_row_missing_share,
        royalty_free=np.flatnonzero(pool),
    )


def _word(syllables: list[str], rng: np.random.Generator, shortest: int, longest: int) -> str:
    picks = rng.integers(0, len(syllables), rng.integers(shortest, longest + 1))
    return "".join(syllables[i] for i in picks)


def _western_name(rng: np.random.Generator) -> str:
    syllables = _LATIN + _ACCENTED if rng.random() < 0.1 else _LATIN
    return f"{_word(syllables, rng, 2, 3).title()} {_word(syllables, rng, 1, 3).title()}"


def _artist_names(world: World, rng: np.random.Generator) -> list[str]:
    """One distinct name for each artist, in the script of most of their tracks."""
    tracks = world.catalogue
    count = int(tracks.artists.max()) + 1
    language_of = np.zeros(count, dtype=np.int64)
    language_of[tracks.artists] = tracks.languages
    names: list[str] = []
    taken: set[str] = set()
    for artist in range(count):
        code = world.parameters.languages[language_of[artist]].value
        script = _SCRIPTS.get(code)
        name = _western_name(rng)
        if script is not None and rng.random() < 0.8:
            local = _word(script, rng, 2, 4)
            name = f"{local} ({name})" if rng.random() < 0.6 else local
        elif rng.random() < 0.02:
            name = f"{name}, The"
        while name in taken:
            name = f"{name} {_word(_LATIN, rng, 1, 2).title()}"
        taken.add(name)
        names.append(name)
    return names


def _artist_fields(names: list[str], artists: Ints, rng: np.random.Generator) -> list[str]:
    """The artist of each track as labels write it: alone, with guests, or several."""
    kinds = rng.random(len(artists))
    guests = rng.integers(0, len(names), (len(artists), 2))
    fields = []
    for artist, kind, (guest, other) in zip(artists, kinds, guests, strict=True):
        name = names[artist]
        if kind < 0.015:
            name = f"{name}| {names[guest]}"
        elif kind < 0.035:
            name = f"{name} feat. {names[guest]}"
        elif kind < 0.055:
            name = f"{name} & {names[guest]}"
        elif kind < 0.060:
            name = f"{name}, {names[guest]}, {names[other]}"
        fields.append(name)
    return fields


def _titles(languages: list[str], names: list[str], rng: np.random.Generator) -> list[str]:
    """A title for each track."""
    endings = rng.integers(0, len(_TITLE_ENDINGS), len(languages))
    kinds = rng.random(len(languages))
    guests = rng.integers(0, len(names), len(languages))
    titles = []
    for language, ending, kind, guest in zip(languages, endings, kinds, guests, strict=True):
        title = _word(_SCRIPTS.get(language, _LATIN), rng, 2, 5).capitalize()
        title += _TITLE_ENDINGS[ending]
        if kind < 0.025:
            title += f" (feat. {names[guest]})"
        elif kind < 0.030:
            title = f'"{title}"'
        titles.append(title)
    return titles


def _genre_fields(world: World, missing: Bools) -> list[str]:
    genres, tracks = world.parameters.genres, world.catalogue
    fields = []
    for first, second, is_missing in zip(tracks.genres, tracks.second_genres, missing, strict=True):
        both = [genres[first].id] + ([genres[second].id] if second >= 0 else [])
        fields.append("" if is_missing else "|".join(both))
    return fields


def _writer_fields(
    writers: list[str],
    artists: Ints,
    missing_share: float,
    several_share: float,
    rng: np.random.Generator,
) -> list[str]:
    """Composers or lyricists: an artist works with a few of them again and again."""
    kinds = rng.random(len(artists))
    picks = rng.integers(0, 3, (len(artists), 2))
    fields = []
    for artist, kind, (one, two) in zip(artists, kinds, picks, strict=True):
        if kind < missing_share:
            fields.append("")
            continue
        first = writers[(artist * 7 + one) % len(writers)]
        second = writers[(artist * 7 + 3 + two) % len(writers)]
        several = kind < missing_share + several_share
        fields.append(f"{first}| {second}" if several else first)
    return fields


def _isrcs(world: World, languages: list[str], rng: np.random.Generator) -> list[str]:
    """ISRCs; the year is that of the release: tracks of a past year share it."""
    tracks, size = world.catalogue, len(languages)
    missing = rng.random(size) < world.parameters.isrc_missing_share
    years = tracks.released_s.astype("datetime64[s]").astype("datetime64[Y]").astype(int) + 1970
    western = rng.integers(0, len(_WESTERN_COUNTRIES), size)
    registrants = rng.integers(0, 26**3, int(tracks.artists.max()) // 3 + 1)
    fields = []
    for track in range(size):
        country = _COUNTRIES.get(languages[track], _WESTERN_COUNTRIES[western[track]])
        letters = int(registrants[tracks.artists[track] // 3])
        registrant = "".join(chr(65 + letters // 26**i % 26) for i in range(3))
        code = f"{country}{registrant}{years[track] % 100:02}{track % 100_000:05}"
        fields.append("" if missing[track] else code)
    return fields
