"""What a workflow is written for: the stack as a runner sees it."""

from __future__ import annotations

from msgspec import Struct


class RunnerService(Struct, frozen=True, kw_only=True):
    """One service.

    Args:
        registry: Host of the registry that its image belongs to; empty for the engine's default one.
        needs: The built services that it depends on, through others as well.
        peak_bytes: Forecast: what its build needs at its worst moment, alone on an empty disk; None when unknown.
        grade: How that is known.
    """

    name: str
    built: bool
    registry: str = ""
    image: str = ""
    pushed: bool = False
    needs: tuple[str, ...] = ()
    peak_bytes: int | None = None
    grade: str = "unknown"


class RunnerStack(Struct, frozen=True, kw_only=True):
    """A stack that is built and deployed by a runner.

    Args:
        directory: Where its compose files are, relative to the repository; ``.`` for its root.
        flags: What says which stack it is, as typed in ``directory``: ``--file`` and the like; none for the usual one.
        services: All its services, dependencies first.
        runner: Labels of the runner, at least one.
        runner_bytes: What is available on its disk at the least.
        install: The command that installs Tonnage there.
        written_by: The command that writes the workflows anew.
    """

    name: str
    directory: str
    flags: tuple[str, ...]
    services: tuple[RunnerService, ...]
    runner: tuple[str, ...] = ("ubuntu-24.04",)
    runner_bytes: int = 14_000_000_000
    install: str = ""
    branch: str = "main"
    written_by: str = "tonnage ci github --write"

    @property
    def built(self) -> tuple[RunnerService, ...]:
        """The services that are built."""
        return tuple(service for service in self.services if service.built)

    def done_with(self, turn: str) -> tuple[str, ...]:
        """Return the built services that nothing needs any more after the turn of one of them."""
        order = [service.name for service in self.built]
        at = order.index(turn)
        later = [service for service in self.built if order.index(service.name) > at]
        free = [name for name in order[: at + 1] if not any(name in each.needs for each in later)]
        before = [service for service in self.built if order.index(service.name) >= at]
        return tuple(name for name in free if name == turn or any(name in each.needs for each in before))

    @property
    def registries(self) -> tuple[str, ...]:
        """The registries that built images belong to, each once; the default one is an empty text."""
        return tuple(dict.fromkeys(service.registry for service in self.built if service.pushed))

    @property
    def too_large(self) -> tuple[RunnerService, ...]:
        """The services that the runner cannot hold even alone."""
        return tuple(
            service
            for service in self.built
            if service.peak_bytes is not None and service.peak_bytes > self.runner_bytes
        )
