"""What the services of a plan share: chosen from their forecasts, which are made again with every shared wheel once."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tonnage.decide.share.images import shared_images
from tonnage.decide.share.offers import offer_of
from tonnage.decide.share.works import with_shared, work_of
from tonnage.forecast.costs.build_costs import forecast_service
from tonnage.forecast.costs.done_layers import DoneLayers, done_layers
from tonnage.forecast.costs.totals import without_unpacking
from tonnage.model.deploy.sharing import Apart, WheelOffer
from tonnage.model.forecast.estimate import MADE
from tonnage.model.stack import Share

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from tonnage.flows.ports import ForecastPorts
    from tonnage.flows.stack import DesiredState
    from tonnage.model.deploy.expected_build import ExpectedBuild
    from tonnage.model.deploy.run import History
    from tonnage.model.deploy.sharing import Sharing
    from tonnage.model.forecast.estimate import EngineKind, ServiceForecast
    from tonnage.model.inventory import Inventory
    from tonnage.model.stack import Service


class SharedForecasts(Struct, frozen=True, kw_only=True):
    """What services share, and their forecasts with it.

    Args:
        forecasts: Those of shared images come first, under their names.
        uv_directory: Where the program is that installs into them.
        stays: The instructions whose layers are those of shared images.
    """

    sharing: Sharing | None = None
    forecasts: tuple[ServiceForecast, ...]
    uv_directory: str = ""
    stays: frozenset[str] = frozenset()

    def builds(self, builds: Mapping[str, ExpectedBuild]) -> dict[str, ExpectedBuild]:
        """Return what builds are expected to do, with the images that they stand on."""
        if self.sharing is None:
            return dict(builds)
        bases = {offer.service: offer.base for offer in self.sharing.offers}
        return {
            name: replace(
                build,
                base=bases.get(name, ""),
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
    explains: bool = False,
    packed: Collection[str] = (),
) -> SharedForecasts:
    """Choose what services share.

    Args:
        found: The forecasts of what a plan builds and pulls.
        explains: Also look at services that share nothing because that is said.
        packed: Services whose images are only pushed.

    Returns:
        What is shared, and the forecasts of all services, made again where they share.
    """
    services = {each.name: each for each in wanted.stack.built}
    off = tuple(name for name, each in services.items() if (each.settings.share or wanted.policy.share) is Share.OFF)
    looked_at = [each for each in found if each.service in services and (explains or each.service not in off)]
    if wanted.untrusted or not looked_at:
        return SharedForecasts(forecasts=tuple(found))
    machine = inventory.engine.architecture
    uv = ports.programs.uv(machine)
    offers = [_offer(ports, services[each.service], each, kind, machine, has_uv=uv is not None) for each in looked_at]
    sharing = shared_images(offers, inventory, off=off)
    if uv is None or not sharing.images:
        return SharedForecasts(sharing=sharing, forecasts=tuple(found))
    directory, uv_bytes = posixpath.dirname(uv[0]), uv[1]
    works = {each.service: each.work for each in found if each.work is not None}
    done = done_layers(history.built, inventory)
    there: set[str] = set()
    of_images = []
    for image in sharing.images:
        below = [each for each in sharing.below(image.services[0]) if set(image.services) <= set(each.services)]
        chain = below[: below.index(image) + 1]
        work = work_of(chain, works[image.services[0]], uv_bytes)
        made = forecast_service(work, kind, DoneLayers(done.there | there, done.gone))
        if image.present:
            there.add(made.steps[-1].key)
            made = forecast_service(work, kind, DoneLayers(done.there | there, done.gone))
        of_images.append(made)
    again = DoneLayers(done.there | there, done.gone - there)
    forecasts = [_again(each, sharing, kind, again) for each in found]
    forecasts = [without_unpacking(each) if each.service in packed else each for each in forecasts]
    stays = frozenset(step.key for made in of_images for step in made.steps if step.key.startswith(MADE))
    return SharedForecasts(sharing=sharing, forecasts=(*of_images, *forecasts), uv_directory=directory, stays=stays)


def _again(forecast: ServiceForecast, sharing: Sharing, kind: EngineKind, done: DoneLayers) -> ServiceForecast:
    below = sharing.below(forecast.service)
    if not below or forecast.work is None:
        return forecast
    work = with_shared(forecast.work, below)
    return replace(forecast_service(work, kind, done), work=forecast.work)


def _offer(
    ports: ForecastPorts,
    service: Service,
    forecast: ServiceForecast,
    kind: EngineKind,
    architecture: str,
    *,
    has_uv: bool,
) -> WheelOffer:
    spec, work = service.build, forecast.work
    if spec is None or work is None or not forecast.found_out:
        return WheelOffer(service=service.name, apart=(Apart("everything", "what it installs is not known"),))
    if not has_uv:
        why = "the program uv of this machine does not run on the engine's"
        return WheelOffer(service=service.name, apart=(Apart("everything", why),))
    try:
        text = ports.files.dockerfile(spec)
    except OSError:
        return WheelOffer(service=service.name, apart=(Apart("everything", "its Dockerfile cannot be read"),))
    offer = offer_of(service.name, spec, text, work, kind, ignored_beside=_is_ignored_beside(ports, service))
    if offer.wheels and offer.architecture != architecture:
        why = f"it is built for {offer.architecture}, and the engine's machine is {architecture}"
        return WheelOffer(service=service.name, apart=(Apart("everything", why),))
    return offer


def _is_ignored_beside(ports: ForecastPorts, service: Service) -> bool:
    """Return whether a file beside the Dockerfile says what is left out: it is not found by a build from a text."""
    if service.build is None or not service.build.dockerfile:
        return False
    try:
        ports.files.dockerfile(replace(service.build, dockerfile=f"{service.build.dockerfile}.dockerignore"))
    except OSError:
        return False
    return True
