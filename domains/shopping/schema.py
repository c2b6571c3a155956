"""What is known of households, products and the way a purchase came about."""

from __future__ import annotations

from core.schema import Field, Kind, Schema

SCHEMA = Schema(
    user=(
        Field("age_group", Kind.CATEGORY, "age band of the buyer, such as 35-44"),
        Field("income", Kind.CATEGORY, "income band of the household"),
        Field("household_size", Kind.CATEGORY, "persons in the household, 5+ at most"),
        Field("household_kind", Kind.CATEGORY, "composition, such as 2 adults with kids"),
        Field("home_owner", Kind.CATEGORY, "homeowner, renter or unknown"),
        Field("marital_status", Kind.CATEGORY, "married or unmarried"),
        Field("children", Kind.CATEGORY, "children in the household, 3+ at most"),
        Field("registered_at", Kind.TIMESTAMP, "moment of registration"),
    ),
    object=(
        Field("brand", Kind.CATEGORY, "brand or manufacturer", facet=True),
        Field("department", Kind.CATEGORY, "department of the shop", facet=True),
        Field("category", Kind.CATEGORY, "category within the department", facet=True),
        Field("product_type", Kind.CATEGORY, "type within the category", facet=True),
        Field("is_private_label", Kind.NUMBER, "1 for the shop's own brand, else 0"),
        Field("price", Kind.NUMBER, "usual price of one unit, in the shop's currency"),
        Field("package_size", Kind.NUMBER, "content of one unit, in the category's measure"),
    ),
    context=(
        Field("channel", Kind.CATEGORY, "store, web or app"),
        Field("store", Kind.CATEGORY, "which store"),
        Field("day_part", Kind.CATEGORY, "morning, midday, evening or night"),
        Field("quantity", Kind.CATEGORY, "none, one, two, three or many units"),
        Field("offer", Kind.CATEGORY, "no, small, medium, large, half off or coupon"),
    ),
    main_facet="brand",
    pools=("promoted",),
    half_lives_s=(86400.0, 7 * 86400.0, 30 * 86400.0, 90 * 86400.0),
)
