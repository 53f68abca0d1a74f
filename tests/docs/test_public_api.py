from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import tonnage

SOURCE = Path(tonnage.__file__).read_text()


@pytest.mark.parametrize("name", tonnage.__all__)
def test_every_public_name_can_be_used(name: str) -> None:
    assert getattr(tonnage, name) is not None


def test_what_type_checkers_see_is_what_is_loaded() -> None:
    imported = {
        (node.module, alias.name)
        for node in ast.walk(ast.parse(SOURCE))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("tonnage.")
        for alias in node.names
    }

    assert imported == {(home, name) for home, names in tonnage._HOMES.items() for name in names}
    assert {name for _, name in imported} | {"__version__"} == set(tonnage.__all__)


def test_a_name_that_is_not_public_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="module 'tonnage' has no attribute 'nonsense'"):
        tonnage.nonsense  # noqa: B018 - asking is the test


def test_importing_the_package_loads_none_of_it() -> None:
    code = "import sys, tonnage; print(sorted(name for name in sys.modules if name.startswith('tonnage.')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"


def test_the_example_of_the_package_names_public_names_only() -> None:
    assert tonnage.__doc__ is not None
    used = {line.split("tonnage.")[1].split("(")[0] for line in tonnage.__doc__.splitlines() if " tonnage." in line}

    assert used <= set(tonnage.__all__)
    assert used
