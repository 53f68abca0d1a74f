"""Forecasting services as often as files change, with what each forecast looked up."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tonnage.errors import TonnageError, UsageError
from tonnage.flows.lint.fresh_forecasts import fresh_forecasts
from tonnage.flows.machine.architecture import platform_of_engine
from tonnage.forecast.gather.watched import LookedUp, watched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tonnage.flows.ports import DeployPorts
    from tonnage.flows.stack import DesiredState
    from tonnage.flows.torch.resolved import ResolvedTorch
    from tonnage.forecast.gather.lookups import Lookups
    from tonnage.model.forecast.estimate import EngineKind, ServiceForecast
    from tonnage.model.forecast.python_lock import ResolveRequest
    from tonnage.model.inventory import Engine
    from tonnage.model.reports.torch import TorchBuild
    from tonnage.model.stack import Service

_WITHIN_S = 60.0


class TorchLook(Struct):
    """Forecasts services with other files, and says what that looked up.

    Args:
        forecast: Forecasts one service with files as they would be, by path.
        hashes: Looks up the hashes of another build by name; none where that is not possible.
        engine: The one that is there; None without one.
        notes: What people should know, as far as it was found.
    """

    forecast: Callable[[Service, Mapping[str, str]], tuple[ServiceForecast, LookedUp]]
    hashes: Callable[[ResolveRequest, ResolvedTorch, TorchBuild], dict[str, tuple[str, ...]]]
    kind: EngineKind
    engine: Engine | None
    platform: str
    notes: list[str]


@contextlib.contextmanager
def opened_look(ports: DeployPorts, wanted: DesiredState, *, offline: bool) -> Iterator[TorchLook]:
    """Open what forecasts services, one at a time, for an engine that has nothing yet.

    Raises:
        UsageError: Nothing can be forecast from here.
        EngineUnreachableError: The engine that was named does not answer.
    """
    now = [LookedUp()]
    inner: list[Lookups] = []

    def watch(looked: Lookups) -> Lookups:
        inner[:] = [looked]
        return watched(looked, now[0])

    with fresh_forecasts(ports, wanted, wanted.stack.built, offline=offline, within_s=_WITHIN_S, watch=watch) as fresh:
        if fresh is None:
            raise UsageError("nothing can be forecast from here", todo="See why:\n  tonnage doctor")

        def forecast(service: Service, texts: Mapping[str, str]) -> tuple[ServiceForecast, LookedUp]:
            now[0] = LookedUp()
            [answer] = fresh.forecast((service,), texts)
            return answer, now[0]

        def hashes(request: ResolveRequest, torch: ResolvedTorch, build: TorchBuild) -> dict[str, tuple[str, ...]]:
            """Return the hashes of the wheels of another build; none where they cannot be looked up."""
            # Without a label "==" would match every build of the version, that of an index which is left among them.
            suffix, equals = (f"+{build.label}", "==") if build.label else ("", "===")
            lines = tuple(f"{name}{equals}{version}{suffix}" for name, version in torch.versions.items())
            extra = (*request.extra_index_urls, *((build.index_url,) if build.index_url else ()))
            asked = replace(
                request, requirements=lines, constraints=(), extra_index_urls=extra, dependencies=False,
                require_hashes=False, installed=(), best_of_all_indexes=True,
            )  # fmt: skip
            try:
                lock = inner[0].resolve(asked, torch.lock.target)
            except TonnageError:
                return {}
            return {each.name: (f"--hash={each.digest}",) for each in lock.wheels if each.digest.startswith("sha")}

        yield TorchLook(
            forecast=forecast,
            hashes=hashes,
            kind=fresh.kind,
            engine=fresh.inventory.engine if fresh.inventory is not None else None,
            platform=platform_of_engine(fresh.inventory),
            notes=[],
        )
