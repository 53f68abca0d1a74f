"""What ``--verbose`` tells of commands and requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tonnage.adapters import process
from tonnage.tracing import listen, trace_command, trace_request

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def told() -> Iterator[list[str]]:
    lines: list[str] = []
    listen(lines.append)
    yield lines
    listen(None)


def test_a_program_that_is_run_is_told(told: list[str]) -> None:
    process.run(["true", "a b"], directory="/")
    assert told == ["run: true 'a b' (in /)"]


def test_values_of_build_arguments_and_variables_are_not_told(told: list[str]) -> None:
    trace_command(
        ["docker", "build", "--build-arg", "TOKEN=x7", "--build-arg=KEY=x8", "-e", "A=x9", "--build-arg", "B"]
    )
    assert told == ["run: docker build --build-arg 'TOKEN=***' '--build-arg=KEY=***' -e 'A=***' --build-arg B"]


def test_a_long_command_is_cut(told: list[str]) -> None:
    trace_command(["echo", *map(str, range(1000))])
    assert told[0].endswith("58 '... 941 more'")


def test_a_request_is_told_with_its_answer(told: list[str]) -> None:
    trace_request("GET", "https://example.org/v2/", 401)
    trace_request("GET", "unix:///x/info")
    assert told == ["ask: GET https://example.org/v2/ -> 401", "ask: GET unix:///x/info"]


def test_nobody_is_told_unless_somebody_listens(told: list[str]) -> None:
    listen(None)
    trace_command(["true"])
    assert told == []
