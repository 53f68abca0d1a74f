from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import tonnage


@pytest.mark.parametrize("name", dir(tonnage))
def test_every_public_name_can_be_used(name: str) -> None:
    assert getattr(tonnage, name) is not None


def test_a_name_that_is_not_public_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="module 'tonnage' has no attribute 'nonsense'"):
        tonnage.nonsense  # noqa: B018 - asking is the test


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_importing_the_package_loads_none_of_it_but_an_empty_one() -> None:
    code = "import sys, tonnage; print(sorted(name for name in sys.modules if name.startswith('tonnage.')))"

    assert run(code) == "['tonnage.forecast']\n"


@pytest.mark.parametrize(
    "before", ["import tonnage.flows.deploy", "import tonnage.forecast.costs.totals", "tonnage.plan"]
)
def test_the_function_is_found_whatever_was_loaded_of_the_package_that_has_its_name(before: str) -> None:
    assert run(f"import tonnage\n{before}\nprint(callable(tonnage.forecast))") == "True\n"


def test_the_example_of_the_package_names_public_names_only() -> None:
    assert tonnage.__doc__ is not None
    used = {line.split("tonnage.")[1].split("(")[0] for line in tonnage.__doc__.splitlines() if "(tonnage." in line}

    assert used <= set(dir(tonnage))
    assert used


@pytest.mark.parametrize("name", ["stack", "observe", "forecast", "plan", "deploy", "reclaim"])
def test_each_function_says_what_it_takes_returns_and_raises(name: str) -> None:
    function = getattr(tonnage, name)
    text = inspect.getdoc(function) or ""

    assert all(f"{heading}:" in text for heading in ("Args", "Returns", "Raises"))
    assert all(f"{argument}: " in text for argument in inspect.signature(function).parameters)
