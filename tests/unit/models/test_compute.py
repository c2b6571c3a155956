"""Where members compute: a GPU that is not there is said to be missing, by the option's name."""

from __future__ import annotations

import pytest
import torch

from core.errors import CapabilityMissingError
from core.models import Compute


@pytest.fixture
def without_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.fixture
def with_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)


@pytest.mark.usefixtures("without_gpu")
def test_a_missing_gpu_is_refused_when_asked_for_and_done_without_otherwise() -> None:
    with pytest.raises(CapabilityMissingError, match=r"--device cuda needs a GPU.*auto or cpu"):
        Compute(device="cuda").torch_device()
    assert Compute(device="auto").torch_device() == torch.device("cpu")
    assert Compute(device="cpu").torch_device() == torch.device("cpu")


@pytest.mark.usefixtures("with_gpu")
def test_a_gpu_is_taken_unless_the_cpu_is_asked_for() -> None:
    assert Compute(device="cuda").torch_device() == torch.device("cuda")
    assert Compute(device="auto").torch_device() == torch.device("cuda")
    assert Compute(device="cpu").torch_device() == torch.device("cpu")
