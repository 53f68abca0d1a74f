"""Weights of models, by the number of parameters in their names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.unit.forecast.gather.conftest import forecasting

from tonnage.forecast.costs.model_weights import weights_of

if TYPE_CHECKING:
    from pathlib import Path

ASSUMED = 500_000_003


@pytest.mark.parametrize(
    ("name", "billions"),
    [
        ("meta-llama/Llama-2-7b", 7.0),
        ("mistralai/Mixtral-8x7B-v0.1", 56.0),
        ("Qwen/Qwen2.5-0.5B-Instruct", 0.5),
        ("org/tiny-135M", 0.135),
        ("llama3:70b", 70.0),
    ],
)
def test_a_name_tells_how_many_parameters(name: str, billions: float) -> None:
    found = weights_of(name, ASSUMED)
    assert found.likely_bytes == pytest.approx(2e9 * billions)
    assert found.high_bytes == pytest.approx(max(5e9 * billions, ASSUMED))
    assert found.grade.value == "unknown"


@pytest.mark.parametrize("name", ["BAAI/bge-m3", "bert-base-uncased", "google/mobilenet_v2_1.0", "a4b", "v1.5b2", ""])
def test_of_a_name_without_a_number_nobody_knows(name: str) -> None:
    assert weights_of(name, ASSUMED).high_bytes == ASSUMED


@pytest.mark.parametrize(
    ("run", "kept"),
    [
        ("hf download org/model-7b --local-dir /models", True),
        ("huggingface-cli download org/model-7b", True),
        ("hf download org/model-7b && rm -rf /root/.cache", False),
        ("git clone https://huggingface.co/org/model-7b /models", True),
    ],
)
def test_what_fetches_a_model_is_bounded_by_its_name(tmp_path: Path, run: str, *, kept: bool) -> None:
    step = forecasting("http://127.0.0.1:9/simple", tmp_path)(f"RUN {run}").steps[-1]
    assert (step.disk.high_bytes > 35_000_000_000) is kept
    assert step.disk.high_bytes + step.transient.high_bytes > 35_000_000_000
    assert step.disk.low_bytes < 1_000_000
