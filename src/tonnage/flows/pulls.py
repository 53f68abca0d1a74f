"""Asks registries which images they have now, where a deploy depends on it. Nothing is pulled for that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.decide.deploy.planning import worked_on
from tonnage.decide.deploy.pulls import asked_for_offers, origin_matters, why_not_asked
from tonnage.model.deploy.plan import Purpose
from tonnage.model.offer import names_by_digest, with_registries

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tonnage.adapters.interface import EngineFacts
    from tonnage.errors import CannotFetchError
    from tonnage.flows.ports import DeployPorts
    from tonnage.flows.stack import DesiredState
    from tonnage.model.forecast.base_image import BaseImage
    from tonnage.model.inventory import Inventory
    from tonnage.model.offer import OfferedImage
    from tonnage.model.stack import Service


def with_offers(
    ports: DeployPorts, facts: EngineFacts, purpose: Purpose, wanted: DesiredState, inventory: Inventory
) -> Inventory:
    """Return an inventory that also knows what registries have, of the images that a plan may have to pull."""
    if purpose is Purpose.ROLLBACK:
        return inventory
    meant = worked_on(purpose, wanted.stack, inventory, wanted.services)
    inventory = inventory if wanted.untrusted else _with_origins(ports, facts, meant, inventory)
    built = [each.image for each in wanted.stack.built]
    asked = asked_for_offers(meant, built, inventory, ports.clock.time())
    questions = {reference: service for service, reference in asked}
    return replace(inventory, offers=_asked(ports, facts, wanted, inventory, questions)) if questions else inventory


def _with_origins(
    ports: DeployPorts, facts: EngineFacts, services: Iterable[Service], inventory: Inventory
) -> Inventory:
    """Return an inventory that tells what came from a registry from what was built here, where that matters.

    In containerd every image has digests, so registries are asked whether they have them.
    """
    names = [
        name
        for service in services
        if origin_matters(service, inventory.engine)
        and (image := inventory.image(service.image)) is not None
        and image.only_here
        for name in names_by_digest(image, service.image)
    ]
    if not names:
        return inventory
    from tonnage.flows.forecast import PLAN_WITHIN_S  # noqa: PLC0415 - only where something is asked

    return with_registries(inventory, ports.in_registries(facts, names, within_s=PLAN_WITHIN_S))


def _asked(
    ports: DeployPorts,
    facts: EngineFacts,
    wanted: DesiredState,
    inventory: Inventory,
    questions: Mapping[str, Service],
) -> tuple[OfferedImage, ...]:
    from tonnage.flows.forecast import PLAN_WITHIN_S  # noqa: PLC0415 - only where something is asked
    from tonnage.flows.machine.architecture import platform_of_engine  # noqa: PLC0415
    from tonnage.flows.requests import LookupScope  # noqa: PLC0415
    from tonnage.forecast.gather.context import ForecastContext  # noqa: PLC0415
    from tonnage.forecast.gather.services import offered_images  # noqa: PLC0415
    from tonnage.model.offer import OfferedImage  # noqa: PLC0415

    elsewhere = {name: why for name in questions if (why := why_not_asked(name, inventory.engine))}
    here = [(service, name) for name, service in questions.items() if name not in elsewhere]
    scope = LookupScope(
        untrusted=wanted.untrusted, ask_hosts=wanted.ask_hosts, from_registries=tuple(name for _, name in here)
    )
    around = ForecastContext(platform=platform_of_engine(inventory), ask_hosts=wanted.ask_hosts)
    found = [OfferedImage(reference=name, trouble=why) for name, why in elsewhere.items()]
    opened = ports.lookups(facts, inventory.images, scope) if here else None
    if opened is None:
        return (*found, *(OfferedImage(reference=name, trouble="no registry was asked") for _, name in here))
    with opened as lookups:
        told = offered_images(here, around, lookups, within_s=PLAN_WITHIN_S)
    return (*found, *(_offer(name, answer) for (_, name), answer in zip(here, told, strict=True)))


def _offer(reference: str, answer: BaseImage | CannotFetchError) -> OfferedImage:
    from tonnage.forecast.gather.context import in_one_line  # noqa: PLC0415 - as above
    from tonnage.model.forecast.base_image import BaseImage, ReadFrom  # noqa: PLC0415
    from tonnage.model.offer import OfferedImage  # noqa: PLC0415

    if not isinstance(answer, BaseImage):
        told = ". ".join(part.rstrip(".") for part in (answer.what, answer.why) if part)
        return OfferedImage(
            reference=reference,
            trouble=in_one_line(told),
            absent=answer.cause == "not found",
            withheld=answer.cause == "withheld",
        )
    if answer.origin is not ReadFrom.REGISTRY:
        # What was told some time ago says nothing of now.
        return OfferedImage(reference=reference, trouble="; ".join(answer.notes))
    digests = dict.fromkeys((answer.named_digest, answer.digest, answer.image_id))
    return OfferedImage(reference=reference, digests=tuple(each for each in digests if each), chain=answer.chain)
