"""Forecasts of several services, looked up at the same time.

A service that cannot be forecast is a result with its reason; the others are forecast all the same. What takes longer
than it may is given up, and said to be.
"""

from __future__ import annotations

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from tonnage.addresses import redacted
from tonnage.errors import CannotFetchError, TonnageError, UsageError
from tonnage.forecast.costs.build_costs import forecast_service
from tonnage.forecast.costs.done_layers import DoneLayers
from tonnage.forecast.gather.build import built, platform_of, pulled
from tonnage.forecast.gather.context import in_one_line
from tonnage.forecast.gather.withheld import GuardedLookups, MarkedLookups
from tonnage.model.forecast.estimate import (
    DATA_ROOT,
    Contributor,
    EngineKind,
    Holding,
    InstructionForecast,
    ServiceForecast,
    assumed,
)
from tonnage.model.inventory import CONTAINERD
from tonnage.sources.outside import unquote

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future

    from tonnage.adapters.interface import Cancel
    from tonnage.forecast.gather.context import ForecastContext
    from tonnage.forecast.gather.lookups import Lookups
    from tonnage.model.forecast.base_image import BaseImage
    from tonnage.model.forecast.sized_effects import BuildWork
    from tonnage.model.stack import Service

_AT_ONCE = 8
_LOOK_S = 0.05
_ANY_PYTHON = "3.12"
_NONE_DONE = DoneLayers()


def forecast_services(
    services: Sequence[Service],
    around: ForecastContext,
    lookups: Lookups,
    *,
    done: DoneLayers = _NONE_DONE,
    cancel: Cancel | None = None,
    within_s: float | None = None,
) -> tuple[ServiceForecast, ...]:
    """Forecast services.

    Args:
        services: In the order of building.
        done: Layers that were built on the engine.
        cancel: Ends it; what is not there yet is given up.
        within_s: After so many seconds what is not there yet is given up; None for no limit.

    Returns:
        One forecast for each service, in the same order.
    """
    deadline = None if within_s is None else time.monotonic() + within_s
    pool = ThreadPoolExecutor(max_workers=_AT_ONCE, thread_name_prefix="forecast")
    try:
        waiting = [pool.submit(_forecast, service, around, lookups, done) for service in services]
        _wait(waiting, deadline, cancel)
        return tuple(
            future.result()
            if future.done()
            else _without(service, around, "looking it up took too long and was given up")
            for service, future in zip(services, waiting, strict=True)
        )
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def offered_images(
    questions: Sequence[tuple[Service, str]], around: ForecastContext, lookups: Lookups, *, within_s: float
) -> tuple[BaseImage | CannotFetchError, ...]:
    """Ask which images registries have under some names.

    Args:
        questions: The names, each with the service that needs it.
        lookups: Those that ask registries for these images.
        within_s: After so many seconds those that have not answered are given up.

    Returns:
        What each registry has, or why that is not known, in the same order.
    """
    pool = ThreadPoolExecutor(max_workers=_AT_ONCE, thread_name_prefix="registry")
    try:
        waiting = [pool.submit(_offered, service, name, around, lookups) for service, name in questions]
        _wait(waiting, time.monotonic() + within_s, None)
        late = CannotFetchError(f"its registry did not answer within {within_s:.0f} s", "unreachable")
        return tuple(future.result() if future.done() else late for future in waiting)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _offered(
    service: Service, reference: str, around: ForecastContext, lookups: Lookups
) -> BaseImage | CannotFetchError:
    if reference == service.image:
        # What it would be built from is no question here.
        marked = replace(service.marked, build=None) if service.marked is not None else None
        service = replace(service, build=None, marked=marked)
    try:
        return guarded(service, around, lookups).base_image(reference, platform_of(service, around))
    except CannotFetchError as error:
        return error
    except TonnageError as error:
        return CannotFetchError(error.what, "unreachable", why=error.why)


def _wait(waiting: Sequence[Future[Any]], deadline: float | None, cancel: Cancel | None) -> None:
    # One after the other: every look at all of them would grow with the square of the services.
    for future in waiting:
        while not future.done():
            if (deadline is not None and time.monotonic() >= deadline) or (cancel is not None and cancel.is_set()):
                return
            wait((future,), timeout=_LOOK_S)


def _forecast(service: Service, around: ForecastContext, lookups: Lookups, done: DoneLayers) -> ServiceForecast:
    try:
        work = _looked_up(service, around, guarded(service, around, lookups))
        return replace(forecast_service(work, around.engine, done), work=work)
    except TonnageError as error:
        unquote(error, around.root)
        return _without(service, around, in_one_line(str(error)), broken=isinstance(error, UsageError))
    except Exception as error:  # noqa: BLE001 - a defect here must not keep anyone from deploying
        return _without(service, around, redacted(f"an unexpected failure: {type(error).__name__}: {error}"))


def _looked_up(service: Service, around: ForecastContext, lookups: Lookups) -> BuildWork:
    return built(service, around, lookups) if service.build is not None else pulled(service, around, lookups)


def guarded(service: Service, around: ForecastContext, lookups: Lookups) -> Lookups:
    """Return lookups that ask nothing that holds a value of the environment.

    What the service asks is found out first, with marks on those values and for any Python: which one is no question.
    """
    involved = [each for each in (service, *around.builders) if each.marked is not None]
    if not involved:
        return lookups
    marked = MarkedLookups(lookups)
    builders = tuple(each.marked or each for each in around.builders)
    # What cannot be read with marks asks nothing more.
    with contextlib.suppress(TonnageError):
        _looked_up(
            service.marked or service, replace(around, builders=builders, python=around.python or _ANY_PYTHON), marked
        )
    held = dict.fromkeys(pair for each in involved for pair in each.held)
    return GuardedLookups(lookups, marked.questions, tuple(held), around.ask_hosts)


def _without(service: Service, around: ForecastContext, why: str, *, broken: bool = False) -> ServiceForecast:
    """Return what is assumed of a service that could not be forecast at all."""
    bound = assumed(around.assume_bytes)
    key = f"unknown:{service.name}"
    role = CONTAINERD if around.engine is EngineKind.CONTAINERD else DATA_ROOT
    step = InstructionForecast(
        stage="0",
        line=0,
        text=f"the image of {service.name}",
        image=bound,
        disk=bound,
        transient=bound,
        download=bound,
        holdings=(Holding(key=key, role=role, kept=bound, image=bound, download=bound, in_image=True),),
        contributors=(Contributor(name=f"the image of {service.name}", disk=bound, source="assumed"),),
        key=key,
        how="assumed",
        role=role,
    )
    return ServiceForecast(
        service=service.name,
        image=bound,
        disk=bound,
        transient=bound,
        download=bound,
        steps=(step,),
        failures=(why,),
        found_out=False,
        broken=broken,
    )
