"""Settings come from the environment under ENCORE_, and each one explains itself."""

from __future__ import annotations

import os

import pytest
from pydantic import ValidationError

from server.settings import Settings


def test_a_variable_sets_the_field_of_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENCORE_PORT", "6000")
    assert Settings().port == 6000


def test_a_port_that_cannot_be_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENCORE_PORT", "70000")
    with pytest.raises(ValidationError, match="port"):
        Settings()


def test_every_setting_says_what_it_is() -> None:
    unexplained = [name for name, field in Settings.model_fields.items() if not field.description]
    assert unexplained == []


def test_operators_are_served_on_loopback_unless_told_otherwise() -> None:
    assert Settings().admin_host == "127.0.0.1"


def test_there_is_a_scoring_thread_for_each_core() -> None:
    assert Settings().scoring_workers == os.cpu_count()


def test_the_key_of_page_tokens_is_not_shown() -> None:
    assert "hunter2" not in repr(Settings(page_token_key="hunter2"))  # type: ignore[arg-type]
