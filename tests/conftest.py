"""Fixtures that every test may use: a real engine, or the reason why there is none."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from tests.engine_root import OWN, EngineKind, EngineName, engine_kind, in_front
from tests.real_engine import real_engine, why_there_is_none

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.real_engine import RealEngine

ENGINE_KIND = pytest.StashKey[EngineKind]()
ENGINE_DISK_BYTES = 2_500_000_001

# How fast an example is depends on the machine. In a CI the same commit gets the same examples, so the same result.
settings.register_profile(
    "tonnage", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize="CI" in os.environ
)
settings.load_profile("tonnage")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--require-engine",
        action="store_true",
        help="fail, instead of skipping, when there can be no real engine for the tests that need one",
    )
    parser.addoption(
        "--long",
        action="store_true",
        help="also run what takes long: fuzzing at length, fifty random engines, and the tests marked long",
    )
    parser.addoption(
        "--engine",
        default=EngineName(),
        type=EngineName.read,
        metavar="NAME",
        help=f"engine of the tests that need one: {OWN}, or a Debian release such as trixie or sid-containerd",
    )


def pytest_configure(config: pytest.Config) -> None:
    stack = ExitStack()
    config.add_cleanup(stack.close)
    stack.enter_context(in_front(config.getoption("--engine")))
    config.stash[ENGINE_KIND] = engine_kind(config.getoption("--engine"))
    # What is started in the background ignores Ctrl-C, and so does everything that it starts.
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # What takes long begins first, so that no worker waits for another one at the end.
    items.sort(key=lambda item: (not item.get_closest_marker("slow"), not item.get_closest_marker("engine")))
    for item in items:
        if (mark := item.get_closest_marker("long")) and not item.config.getoption("--long"):
            item.add_marker(pytest.mark.skip(reason=f"{mark.args[0]}: run it with --long"))
        if not item.get_closest_marker("engine"):
            continue
        for mark in item.iter_markers("only_on"):
            if not item.config.stash[ENGINE_KIND].is_of(**mark.kwargs):
                item.add_marker(pytest.mark.skip(reason=mark.args[0]))
        for mark in item.iter_markers("wrong_on"):
            if item.config.stash[ENGINE_KIND].is_of(**mark.kwargs):
                item.add_marker(pytest.mark.xfail(strict=True, reason=mark.args[0]))


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("engine") and (reason := why_there_is_none()):
        if item.config.getoption("--require-engine"):
            pytest.fail(f"--require-engine was given, but: {reason}", pytrace=False)
        pytest.skip(f"needs a real engine: {reason}")


@pytest.fixture(scope="session")
def shared_engine() -> Iterator[RealEngine]:
    """The engine of the session; a test takes ``engine``, which is this one, clean."""
    with real_engine(ENGINE_DISK_BYTES) as engine:
        yield engine


@pytest.fixture
def engine(shared_engine: RealEngine) -> Iterator[RealEngine]:
    """A real engine with nothing in it but ``busybox:latest``; what a test leaves is removed after it."""
    yield shared_engine
    shared_engine.wipe()


@pytest.fixture
def engine_factory() -> Iterator[Callable[[int], RealEngine]]:
    """Start further engines, each on a disk of as many bytes as it is called with; they end with the test."""
    with ExitStack() as engines:

        def start(size_bytes: int) -> RealEngine:
            return engines.enter_context(real_engine(size_bytes))

        yield start
