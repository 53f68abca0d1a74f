"""What the services of a plan share: chosen from their forecasts, which are made again with every shared wheel once."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tonnage.decide.share.images import shared_images
from tonnage.decide.share.offers import COPIED, offer_of
from tonnage.decide.share.works import with_shared, work_of
from tonnage.flows.agreements import with_agreements
from tonnage.forecast.costs.build_costs import forecast_service
from tonnage.forecast.costs.done_layers import DoneLayers, done_layers
from tonnage.forecast.costs.totals import without_unpacking
from tonnage.model.deploy.sharing import Apart, WheelOffer
from tonnage.model.forecast.estimate import MADE
from tonnage.model.stack import InstallerChoice, Share
from tonnage.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from tonnage.flows.ports import ForecastPorts
    from tonnage.flows.stack import DesiredState
    from tonnage.model.deploy.expected_build import ExpectedBuild
    from tonnage.model.deploy.run import History
    from tonnage.model.deploy.sharing import SharedImage, Sharing
    from tonnage.model.forecast.estimate import EngineKind, ServiceForecast
    from tonnage.model.inventory import Inventory
    from tonnage.model.stack import Service


class SharedForecasts(Struct, frozen=True, kw_only=True):
    """What services share, and their forecasts with it.

    Args:
        forecasts: Those of shared images come first, under their names.
        uv_directory: Where the program is that installs into them.
        stays: The instructions whose layers are those of shared images.
        notes: What uv does not install though that was asked for, and why.
    """

    sharing: Sharing | None = None
    forecasts: tuple[ServiceForecast, ...]
    uv_directory: str = ""
    stays: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()

    @property
    def of_services(self) -> tuple[ServiceForecast, ...]:
        """The forecasts of services alone, in each of which what it stands on is its first instruction."""
        images = {each.reference for each in self.sharing.images} if self.sharing is not None else set()
        return tuple(each for each in self.forecasts if each.service not in images)

    def builds(self, builds: Mapping[str, ExpectedBuild]) -> dict[str, ExpectedBuild]:
        """Return what builds are expected to do, with the images that they stand on."""
        if self.sharing is None:
            return dict(builds)
        offers = {offer.service: offer for offer in self.sharing.offers}
        passing = self.sharing.passing
        return {
            name: replace(
                build,
                base=offers[name].base if name in offers else "",
                base_line=offers[name].base_line if name in offers else 0,
                passes=name in passing,
                stands_on=self.sharing.below(name),
                uv_directory=self.uv_directory,
            )
            for name, build in builds.items()
        }


def shared(
    ports: ForecastPorts,
    wanted: DesiredState,
    kind: EngineKind,
    found: Sequence[ServiceForecast],
    inventory: Inventory,
    history: History,
    *,
    with_versions: Callable[[Service, Mapping[str, str]], ServiceForecast] | None = None,
    packed: Collection[str] = (),
) -> SharedForecasts:
    """Choose what services share.

    Args:
        found: The forecasts of what a plan builds and pulls.
        with_versions: Forecasts a service with other versions of packages, by name, where all is to be explained: also
            what is off, and what agreeing on versions would save.
        packed: Services whose images are only pushed.

    Returns:
        What is shared, and the forecasts of all services, made again where they share.
    """
    services = {each.name: each for each in wanted.stack.built}
    off = tuple(name for name, each in services.items() if (each.settings.share or wanted.policy.share) is Share.OFF)
    by_uv = tuple(name for name, each in services.items() if _is_by_uv(each, wanted))
    idle = {*off} - {*by_uv} if with_versions is None else set()
    looked_at = [each for each in found if each.service in services and each.service not in idle]
    if wanted.untrusted or not looked_at:
        return SharedForecasts(forecasts=tuple(found))
    machine = inventory.engine.architecture
    offers = [_offer(ports, services[each.service], each, kind, machine) for each in looked_at]
    sharing = shared_images(offers, inventory, off=off, by_uv=by_uv)
    # The program is put where builds find it, which is left out where nothing needs it.
    uv = ports.programs.uv(machine) if sharing.images else None
    if sharing.images:
        offers = offers if uv is not None else [_without_uv(each) for each in offers]
        once_bytes = uv[1] if uv is not None else 0
        sharing = shared_images(offers, inventory, off=off, by_uv=by_uv, once_bytes=once_bytes)
    if with_versions is not None:
        forecast_with = with_versions

        def offered(name: str, pins: Mapping[str, str]) -> tuple[ServiceForecast, WheelOffer]:
            made = forecast_with(services[name], pins)
            return made, _offer(ports, services[name], made, kind, machine)

        sharing = with_agreements(sharing, found, inventory, offered)
    told = [note for offer in sharing.offers if offer.service in by_uv for note in _not_by_uv(offer)]
    if uv is None or not sharing.images:
        return SharedForecasts(sharing=sharing, forecasts=tuple(found), notes=tuple(told))
    directory, uv_bytes = posixpath.dirname(uv[0]), uv[1]
    works = {each.service: each.work for each in found if each.work is not None}
    done = done_layers(history.built, inventory)
    stages = {offer.service: offer.stage for offer in sharing.offers}
    there: set[str] = set()
    of_images = []
    for image in sharing.images:
        below = [each for each in sharing.below(image.services[0]) if set(image.services) <= set(each.services)]
        chain = below[: below.index(image) + 1]
        work = work_of(chain, works[image.services[0]], stages[image.services[0]], uv_bytes)
        made = forecast_service(work, kind, DoneLayers(done.there | there, done.gone))
        if image.present:
            there.add(made.steps[-1].key)
            made = forecast_service(work, kind, DoneLayers(done.there | there, done.gone))
        of_images.append(made)
    again = DoneLayers(done.there | there, done.gone - there)
    forecasts = [_again(each, sharing, kind, again, stages.get(each.service, 0)) for each in found]
    forecasts = [without_unpacking(each) if each.service in packed else each for each in forecasts]
    stays = frozenset(step.key for made in of_images for step in made.steps if step.key.startswith(MADE))
    return SharedForecasts(
        sharing=sharing, forecasts=(*of_images, *forecasts), uv_directory=directory, stays=stays, notes=tuple(told)
    )


def _is_by_uv(service: Service, wanted: DesiredState) -> bool:
    return (service.settings.installer or wanted.policy.installer) is InstallerChoice.UV


def _not_by_uv(offer: WheelOffer) -> list[str]:
    """Say what of a service uv does not install, though it was asked to."""
    apart = [each for each in offer.apart if each.why != COPIED]
    return [f"{offer.service}: installer: uv does not install {_what(each.what)}: {each.why}" for each in apart]


def _what(what: str) -> str:
    return "its packages" if what == "everything" else f"what {what} installs" if " " in what else what


def _again(
    forecast: ServiceForecast, sharing: Sharing, kind: EngineKind, done: DoneLayers, stage: int
) -> ServiceForecast:
    below = sharing.below(forecast.service)
    if not below or forecast.work is None:
        return forecast
    again = forecast_service(with_shared(forecast.work, below, stage), kind, done)
    return replace(again, work=forecast.work, notes=(*again.notes, *map(_told, below)))


def _told(image: SharedImage) -> str:
    count = len(image.wheels)
    wheels = f"{count} wheel{'s' if count != 1 else ''} ({format_bytes(image.kept_bytes)})"
    alone = len(image.services) == 1
    new = "are installed by uv" if alone else f"are installed once, which saves {format_bytes(image.saved_bytes)}"
    there = "are there already" if image.present else new
    if alone:
        return f"{wheels} {there}"
    *most, last = image.services
    return f"{wheels} that {', '.join(most)} and {last} share {there}"


def _offer(
    ports: ForecastPorts,
    service: Service,
    forecast: ServiceForecast,
    kind: EngineKind,
    architecture: str,
) -> WheelOffer:
    spec, work = service.build, forecast.work
    if spec is None or work is None or not forecast.found_out:
        return WheelOffer(service=service.name, apart=(Apart("everything", "what it installs is not known"),))
    try:
        text = ports.files.dockerfile(spec)
    except OSError:
        return WheelOffer(service=service.name, apart=(Apart("everything", "its Dockerfile cannot be read"),))
    layers = {(step.stage, step.line): "" if step.present else step.key for step in forecast.steps}
    ignored_beside = _is_ignored_beside(ports, service)
    offer = offer_of(service.name, spec, text, work, kind, layers=layers, ignored_beside=ignored_beside)
    if offer.wheels and offer.architecture != architecture:
        why = f"it is built for {offer.architecture}, and the engine's machine is {architecture}"
        return WheelOffer(service=service.name, apart=(Apart("everything", why),))
    return offer


def _without_uv(offer: WheelOffer) -> WheelOffer:
    why = "the program uv of this machine does not run on the engine's"
    return WheelOffer(service=offer.service, apart=(Apart("everything", why),)) if offer.wheels else offer


def _is_ignored_beside(ports: ForecastPorts, service: Service) -> bool:
    """Return whether a file beside the Dockerfile says what is left out: it is not found by a build from a text."""
    if service.build is None or not service.build.dockerfile:
        return False
    try:
        ports.files.dockerfile(replace(service.build, dockerfile=f"{service.build.dockerfile}.dockerignore"))
    except OSError:
        return False
    return True
