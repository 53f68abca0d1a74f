from __future__ import annotations

import pytest

from tonnage.errors import CannotFetchError, CannotResolveError
from tonnage.forecast.python.uv_messages import failure, source_only, without_wheels

# As uv 0.13.9 printed them; names and addresses are others.
CONFLICT = """error: No solution found when resolving dependencies
  cause: Because herd==2.2.0 depends on numbers{python_full_version < '3.12'}>=1.23.2,<2 and you require
         herd==2.2.0, we can conclude that you require numbers>=1.23.2,<2.
         And because you require numbers<1.20, we can conclude that your requirements are unsatisfiable."""
NO_WHEELS = """error: No solution found when resolving dependencies
  cause: Because flame==2.3.1 has no wheels with a matching platform tag (e.g., `musllinux_1_2_aarch64`) and you require
         flame==2.3.1, we can conclude that your requirements are unsatisfiable.

hint: Wheels are available for `flame` (v2.3.1) on the following platforms: `manylinux1_x86_64`, `win_amd64`"""
SOURCE = """error: No solution found when resolving dependencies
  cause: Because all versions of oldopt have no usable wheels and you require oldopt, we can conclude that your
         requirements are unsatisfiable.

hint: Wheels are required for `oldopt` because building from source is disabled"""
SILENT = """error: Request failed after 3 retries in 8.3s
  cause: Failed to fetch: https://index.example.org/simple/flame/
  cause: error sending request for url (https://index.example.org/simple/flame/)
  cause: client error (Connect)
  cause: dns error"""
FAILING = """error: Request failed after 1 retry in 1.0s
  cause: Failed to fetch: https://index.example.org/simple/lower/
  cause: HTTP status server error (500 Internal Server Error) for url (https://index.example.org/simple/lower/)"""
REFUSING = """error: No solution found when resolving dependencies
  cause: Because lower was not found in the package registry and you require lower, we can conclude that your
         requirements are unsatisfiable.

hint: An index (https://index.example.org/simple) returned a 403 Forbidden error."""
NO_PAGE = """error: Received some unexpected JSON from `https://index.example.org/simple/lower/`
  cause: EOF while parsing a list at line 1 column 11"""
TAKEN_BACK = """error: No solution found when resolving dependencies
  cause: Because lower==1.0 was yanked (reason: broken) and you require lower>=1.0, we can conclude that your
         requirements are unsatisfiable."""
APART = """error: No solution found when resolving dependencies
  cause: Because all versions of right depend on below>1 and all versions of left depend on below<1, we can conclude
         that all versions of left and all versions of right are incompatible.
         And because you require left and right, we can conclude that your requirements are unsatisfiable."""
OPTION = 'error: Expected `--hash`, found `"--index-url"`: requirements.in:1:14'


@pytest.mark.parametrize(
    ("printed", "cause", "packages"),
    [
        (CONFLICT, "unsatisfiable", ("herd", "numbers")),
        (APART, "unsatisfiable", ("below", "right", "left")),
        (NO_WHEELS, "no wheels", ("flame",)),
        (SOURCE, "source only", ("oldopt",)),
        (OPTION, "invalid", ()),
    ],
)
def test_what_the_resolver_prints_becomes_a_failure_with_its_packages(
    printed: str, cause: str, packages: tuple[str, ...]
) -> None:
    found = failure(printed, target="Python 3.11")
    assert isinstance(found, CannotResolveError)
    assert (found.cause, found.packages) == (cause, packages)
    assert found.why
    assert "cause:" not in found.why


@pytest.mark.parametrize(
    ("printed", "cause", "words"),
    [
        (SILENT, "unreachable", "cannot be reached"),
        (FAILING, "unreachable", "answers 500"),
        (REFUSING, "refused", "refuses access (403)"),
        (NO_PAGE, "not understood", "not a package index page"),
        ("error: something new\n  cause: that nobody knows", "not understood", "The resolver failed"),
    ],
)
def test_what_is_wrong_with_the_index_is_no_matter_of_requirements(printed: str, cause: str, words: str) -> None:
    found = failure(printed, target="Python 3.11")
    assert isinstance(found, CannotFetchError)
    assert found.cause == cause
    assert words in found.what


def test_one_package_alone_is_not_said_to_disagree() -> None:
    assert failure(TAKEN_BACK, target="Python 3.11").what == "No version of lower matches the requirement"


def test_packages_without_wheels_are_found_with_their_versions() -> None:
    assert without_wheels(NO_WHEELS) == {"flame": "2.3.1"}
    assert source_only(SOURCE) == {"oldopt": ""}
    assert without_wheels(CONFLICT) == {}
