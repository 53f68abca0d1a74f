"""Asks registries which images they have now, where a deploy depends on it. Nothing is pulled for that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.decide.deploy.planning import worked_on
from tonnage.decide.deploy.pulls import asked_for_offers, why_not_asked
from tonnage.model.deploy.plan import Purpose

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.adapters.interface import EngineFacts
    from tonnage.errors import CannotFetchError
    from tonnage.flows.ports import DeployPorts
    from tonnage.flows.stack import DesiredState
    from tonnage.model.forecast.base_image import BaseImage
    from tonnage.model.inventory import Inventory
    from tonnage.model.offer import OfferedImage
    from tonnage.model.stack import Service


def with_offers(ports: DeployPorts, facts: EngineFacts, wanted: DesiredState, inventory: Inventory) -> Inventory:
    """Return an inventory that also knows what registries have, of the images that a deploy may have to pull."""
    meant = worked_on(Purpose.DEPLOY, wanted.stack, inventory, wanted.services)
    services = tuple(asked_for_offers(meant, inventory, ports.clock.time()))
    return replace(inventory, offers=_asked(ports, facts, wanted, inventory, services)) if services else inventory


def _asked(
    ports: DeployPorts, facts: EngineFacts, wanted: DesiredState, inventory: Inventory, services: Sequence[Service]
) -> tuple[OfferedImage, ...]:
    from tonnage.flows.forecast import PLAN_WITHIN_S, platform_of_engine  # noqa: PLC0415 - only where something is asked
    from tonnage.flows.requests import LookupScope  # noqa: PLC0415
    from tonnage.forecast.gather.context import ForecastContext  # noqa: PLC0415
    from tonnage.forecast.gather.services import offered_images  # noqa: PLC0415
    from tonnage.model.offer import OfferedImage  # noqa: PLC0415

    elsewhere = {each.image: why for each in services if (why := why_not_asked(each.image, inventory.engine))}
    here = [each for each in services if each.image not in elsewhere]
    scope = LookupScope(
        untrusted=wanted.untrusted,
        ask_hosts=wanted.ask_hosts,
        from_registries=tuple(dict.fromkeys(each.image for each in here)),
    )
    around = ForecastContext(platform=platform_of_engine(inventory), ask_hosts=wanted.ask_hosts)
    found = [OfferedImage(reference=name, trouble=why) for name, why in elsewhere.items()]
    opened = ports.lookups(facts, inventory.images, scope) if here else None
    if opened is not None:
        with opened as lookups:
            told = offered_images(here, around, lookups, within_s=PLAN_WITHIN_S)
        found += [_offer(each.image, answer) for each, answer in zip(here, told, strict=True)]
    else:
        found += [OfferedImage(reference=each.image, trouble="no registry was asked") for each in here]
    return tuple({each.reference: each for each in found}.values())


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
    return OfferedImage(reference=reference, digests=tuple(each for each in digests if each))
