"""The grocery log's protocol: which purchases are examples, their labels, where they are placed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.completejourney import events_of, objects_of, users_of
from domains import DOMAINS

BEGIN = pd.Timestamp("2017-01-01 12:00")
MINUTE = 1 / 1440


def purchases(*rows: tuple[float, int, int, int]) -> pd.DataFrame:
    """Rows of (days after the first row, household, product, basket)."""
    frame = pd.DataFrame(rows, columns=["day", "household_id", "product_id", "basket_id"])
    frame["transaction_timestamp"] = BEGIN + pd.to_timedelta(frame.pop("day"), unit="D")
    no_offer = dict.fromkeys(("retail_disc", "coupon_disc", "coupon_match_disc"), 0.0)
    return frame.assign(store_id=5, quantity=1, sales_value=2.0, **no_offer)


def examples_of(*rows: tuple[float, int, int, int]) -> list[tuple[str, float, float]]:
    """Product, label and position of each example; days 60 to 160 are those of the examples."""
    first, last = (0.0, 9, 900, 1), (190.0, 9, 900, 2)
    events = events_of(purchases(first, *rows, last))
    placed = events[events["position"].notna()]
    assert placed["label"].notna().all()
    assert events.loc[events["position"].isna(), "label"].isna().all()
    return [
        (str(product), float(label), round(float(position), 3))
        for product, label, position in zip(
            placed["object_id"], placed["label"], placed["position"], strict=True
        )
    ]


def test_a_first_purchase_is_an_example_between_the_warm_up_and_the_last_month() -> None:
    assert examples_of(
        (60 - MINUTE, 1, 11, 3), (60, 1, 12, 4), (160 - MINUTE, 1, 13, 5), (160, 1, 14, 6)
    ) == [("12", 0, 0.0), ("13", 0, 1.0)]


def test_the_last_fifth_of_the_time_begins_at_position_0_8() -> None:
    assert examples_of((61, 1, 11, 3), (61, 1, 12, 3), (140, 1, 13, 4)) == [
        ("11", 0, 0.01),
        ("12", 0, 0.01),
        ("13", 0, 0.8),
    ]


def test_only_the_first_purchase_of_a_pair_is_an_example_and_one_in_the_warm_up_uses_it_up() -> (
    None
):
    assert examples_of((10, 1, 11, 3), (70, 1, 11, 4), (80, 2, 11, 5), (90, 2, 11, 6)) == [
        ("11", 1, 0.2)
    ]


@pytest.mark.parametrize(
    ("again_after_days", "label"), [(0.0, 1), (MINUTE, 1), (30.0, 1), (30 + MINUTE, 0)]
)
def test_a_return_in_another_basket_counts_within_30_days(
    again_after_days: float, label: int
) -> None:
    assert examples_of((70, 1, 11, 3), (70 + again_after_days, 1, 11, 4)) == [("11", label, 0.1)]


def test_returns_in_the_last_month_count() -> None:
    assert examples_of((159, 1, 11, 3), (189 - MINUTE, 1, 11, 4)) == [("11", 1, 0.99)]


def test_a_price_is_the_median_of_the_warm_up_alone() -> None:
    rows = purchases((0, 1, 11, 1), (1, 1, 11, 2), (60, 1, 11, 3), (60, 1, 12, 3))
    rows["sales_value"] = [2.0, 8.0, 99.0, 5.0]
    rows["quantity"] = [1, 2, 1, 1]
    objects = objects_of(products(11, 12), rows)
    np.testing.assert_array_equal(objects["price"], [3.0, np.nan])


def test_a_package_size_is_the_number_it_begins_with() -> None:
    table = products(11, 12, 13).assign(package_size=["14.5 OZ", ".5 LB", "BULK"])
    contents = objects_of(table, purchases((0, 1, 11, 1)))["package_size"]
    np.testing.assert_array_equal(contents, [14.5, 0.5, np.nan])


def test_the_shopping_domain_reads_what_is_written(tmp_path: Path) -> None:
    rows = purchases(
        (0, 1, 11, 1), (70, 1, 12, 2), (80, 1, 12, 3), (150, 7, 11, 4), (190, 1, 11, 5)
    )
    events_of(rows).to_parquet(tmp_path / "events.parquet")
    objects_of(products(11, 12), rows).to_parquet(tmp_path / "objects.parquet")
    users_of(households(1)).to_parquet(tmp_path / "users.parquet")

    log = DOMAINS["shopping"].readers["generic"].read(tmp_path)

    assert log.notes == ()
    assert log.is_example.tolist() == [False, True, False, True, False]
    assert log.labels[log.is_example].tolist() == [1, 0]
    assert log.position[log.is_example].tolist() == pytest.approx([0.1, 0.9])
    assert log.matures_position[log.is_example].tolist() == pytest.approx([0.9, 1.0])
    assert log.objects.columns["is_private_label"].tolist() == [1.0, 0.0]
    assert log.users.columns["children"].tolist() == ["3+", ""]


def products(*ids: int) -> pd.DataFrame:
    """Products alike but for their id; the first is the shop's own."""
    return pd.DataFrame(
        {
            "product_id": ids,
            "manufacturer_id": 2,
            "department": "GROCERY",
            "brand": ["Private", *["National"] * (len(ids) - 1)],
            "product_category": "SOUP",
            "product_type": "CONDENSED SOUP",
            "package_size": "14.5 OZ",
        }
    )


def households(*ids: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "household_id": ids,
            "age": "35-44",
            "income": "35-49K",
            "home_ownership": "Homeowner",
            "marital_status": "Married",
            "household_size": "5+",
            "household_comp": "2 Adults Kids",
            "kids_count": "3+",
        }
    )


def test_quantity_and_offer_of_a_purchase_are_its_context() -> None:
    rows = purchases(*((float(day), 1, day, day) for day in range(7)))
    rows["quantity"] = [0, 1, 2, 3, 4, 950, 1]
    rows["retail_disc"] = [0.0, 0.2, 0.8, 1.0, 3.0, 0.0, -0.1]
    rows["coupon_disc"] = [0.0] * 5 + [1.0, 0.0]
    rows.loc[0, "sales_value"] = 0.0
    events = events_of(rows)
    assert events["quantity"].tolist() == ["none", "one", "two", "three", "many", "many", "one"]
    # Two paid: 0.2 off is 9 % of the shelf's price, 0.8 are 29 %, 1 a third, 3 more than half.
    offers = ["no", "small", "medium", "large", "half off", "coupon", "no"]
    assert events["offer"].tolist() == offers
