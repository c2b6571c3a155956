"""What is known of listeners, tracks and the way a play came about."""

from __future__ import annotations

from core.schema import EffectVariances, Field, Kind, Schema

SCHEMA = Schema(
    user=(
        Field("city", Kind.CATEGORY, "city code"),
        Field("gender", Kind.CATEGORY, "as stated at registration; often absent"),
        Field("registered_via", Kind.CATEGORY, "registration channel code"),
        Field("age", Kind.NUMBER, "years; absent when implausible"),
        Field("registered_at", Kind.TIMESTAMP, "moment of registration"),
    ),
    object=(
        Field("artist", Kind.CATEGORY, "first artist", facet=True),
        Field("genres", Kind.CATEGORY_SET, "genre ids, first three", facet=True, max_values=3),
        Field("language", Kind.CATEGORY, "language code", facet=True),
        Field("composer", Kind.CATEGORY, "first composer", facet=True),
        Field("lyricist", Kind.CATEGORY, "first lyricist", facet=True),
        Field("isrc_country", Kind.CATEGORY, "country code of the ISRC", facet=True),
        Field("isrc_registrant", Kind.CATEGORY, "registrant code of the ISRC", facet=True),
        Field("release_year", Kind.NUMBER, "year of the ISRC"),
        Field("length_s", Kind.NUMBER, "track length in seconds"),
        Field("artist_count", Kind.NUMBER, "how many artists are named"),
        Field("is_featured", Kind.NUMBER, "1 if a featured artist is named, else 0"),
        Field("composer_count", Kind.NUMBER, "how many composers are named"),
        Field("lyricist_count", Kind.NUMBER, "how many lyricists are named"),
        Field("genre_count", Kind.NUMBER, "how many genres are given"),
    ),
    context=(
        Field("source_tab", Kind.CATEGORY, "tab from which the play came"),
        Field("source_screen", Kind.CATEGORY, "screen from which the play came"),
        Field("source_type", Kind.CATEGORY, "list type from which the play came"),
    ),
    main_facet="artist",
    pools=("royalty_free",),
    effect_variances=EffectVariances(
        user=0.2, object=0.2, value=0.01, context=0.05, user_facet=0.005, user_context=0.015
    ),
)
