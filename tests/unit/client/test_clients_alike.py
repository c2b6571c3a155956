from __future__ import annotations

import inspect

import pytest

from encore_client import AsyncEncoreClient, EncoreClient


def methods(client: type) -> set[str]:
    return {name for name in vars(client) if not name.startswith("_")}


def test_both_clients_have_the_same_methods() -> None:
    assert methods(EncoreClient) == methods(AsyncEncoreClient)


@pytest.mark.parametrize("name", ["__init__", *sorted(methods(EncoreClient))])
def test_a_method_takes_the_same_of_both_clients(name: str) -> None:
    blocking = inspect.signature(getattr(EncoreClient, name))
    asynchronous = inspect.signature(getattr(AsyncEncoreClient, name))
    assert blocking.parameters == asynchronous.parameters
