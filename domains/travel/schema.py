"""What is known of travellers, trips and the way a booking came about."""

from __future__ import annotations

from core.schema import Field, Kind, Schema

SCHEMA = Schema(
    user=(
        Field("home_country", Kind.CATEGORY, "country code of residence"),
        Field("tier", Kind.CATEGORY, "tier of the loyalty programme"),
        Field("age_group", Kind.CATEGORY, "age band of the traveller, such as 35-44"),
        Field("registered_at", Kind.TIMESTAMP, "moment of registration"),
    ),
    object=(
        Field("destination", Kind.CATEGORY, "city or region", facet=True),
        Field("country", Kind.CATEGORY, "country code of the destination", facet=True),
        Field("trip_type", Kind.CATEGORY, "beach, city, mountains, ...", facet=True),
        Field("provider", Kind.CATEGORY, "hotel chain, airline or organiser", facet=True),
        Field("price", Kind.NUMBER, "price a person, in the shop's currency"),
        Field("nights", Kind.NUMBER, "length of the stay in nights"),
        Field("rating", Kind.NUMBER, "mean guest rating, from 1 to 5"),
    ),
    context=(
        Field("channel", Kind.CATEGORY, "web, app, phone or agency"),
        Field("season", Kind.CATEGORY, "season of the stay"),
        Field("party", Kind.CATEGORY, "solo, couple, family or group"),
    ),
    main_facet="destination",
    pools=("promoted",),
    half_lives_s=(7 * 86400.0, 30 * 86400.0, 90 * 86400.0, 365 * 86400.0),
    outcome_half_life_s=365 * 86400.0,
    taste_half_life_s=180 * 86400.0,
)
