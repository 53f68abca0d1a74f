"""Which images are pulled, and why: what is written or asked for, compared with the engine and the registries.

``pull_policy`` means what it means to Compose. A service that is built is pulled in place of that only where it is said
that its image is pulled, and where its registry has it. See docs/adr/0027.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.errors import UsageError
from tonnage.model.deploy.image_names import how_to_get, is_of_this_machine
from tonnage.model.deploy.plan import Purpose
from tonnage.model.references import tagged
from tonnage.model.stack import PullPolicy, PullWhen

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tonnage.decide.deploy.service_context import ServiceContext
    from tonnage.model.deploy.policy import Policy
    from tonnage.model.inventory import Engine, Image, Inventory
    from tonnage.model.offer import OfferedImage
    from tonnage.model.stack import Service, Stack

_NO_BUILD = "--no-build"
_ASKING = frozenset({PullWhen.ALWAYS, PullWhen.REFRESH})
_SHORT = 12


def with_pulls(stack: Stack, policy: Policy, purpose: Purpose) -> Stack:
    """Return the stack as images are pulled for it: by what was typed, which goes before what is written."""
    if purpose is not Purpose.DEPLOY:
        # To build is to build, whatever a deploy would do.
        return replace(stack, services=tuple(replace(each, pull=None) for each in stack.services))
    return replace(stack, services=tuple(_with_pull(each, policy) for each in stack.services))


def _with_pull(service: Service, policy: Policy) -> Service:
    if policy.pull is not None:
        service = replace(service, pull=PullPolicy(when=policy.pull, said=f"--pull {policy.pull}"))
    if service.build is None:
        return service
    if policy.no_build:
        marked = replace(service.marked, build=None) if service.marked is not None else None
        return replace(service, build=None, marked=marked, pull=_instead_of_building(service))
    return service if service.names_image else replace(service, pull=None)


def _instead_of_building(service: Service) -> PullPolicy:
    if not service.names_image:
        return PullPolicy(when=PullWhen.NEVER, said=_NO_BUILD, spares_own=True)
    if service.pull is None or service.pull.when is PullWhen.BUILD:
        return PullPolicy(when=PullWhen.ALWAYS, said=_NO_BUILD, spares_own=True)
    return replace(service.pull, spares_own=True)


def origin_matters(service: Service, engine: Engine) -> bool:
    """Return whether it matters for pulling whether an image came from a registry or was built on the engine.

    Of a name that holds a value of the environment it is not asked.
    """
    policy = service.pull
    may_be_own = policy is not None and (policy.spares_own or service.build is not None) and policy.when in _ASKING
    return may_be_own and service.marked is None and not why_not_asked(service.image, engine)


def asked_for_offers(
    services: Iterable[Service], built: Iterable[str], inventory: Inventory, now_s: float
) -> Iterator[tuple[Service, str]]:
    """Yield the images of which registries are asked what they have now, each with the service that needs it.

    That is not done for what is missing and pulled in any case: its registry is asked for its size.

    Args:
        built: The images that services of the stack build; no registry knows them better.
    """
    own = frozenset(map(tagged, built))
    for service in services:
        base = _base_to_ask(service, inventory)
        if base and tagged(base) not in own:
            yield service, base
        policy, image = service.pull, inventory.image(service.image)
        if policy is None or is_of_this_machine(service.image):
            continue
        if image is None:
            pulled = policy.when in {*_ASKING, PullWhen.MISSING}
            if pulled and (service.build is not None or policy.spares_own):
                yield service, service.image
        elif _is_asked_again(policy, image, service.image, now_s):
            yield service, service.image


def _base_to_ask(service: Service, inventory: Inventory) -> str:
    """Return the image that a build stands on, where it is to be the newest of its name; empty where it is not."""
    inputs = inventory.inputs_of(service.name)
    if service.build is None or not service.build.pull or inputs is None:
        return ""
    fixed = "@" in inputs.base_reference or is_of_this_machine(inputs.base_reference)
    return "" if fixed else inputs.base_reference


def _is_asked_again(policy: PullPolicy, image: Image, reference: str, now_s: float) -> bool:
    """Return whether the registry of an image that the engine has is asked for another one: no digest ever moves."""
    if policy.when not in _ASKING or "@" in reference or (policy.spares_own and not image.pullable):
        return False
    return policy.when is PullWhen.ALWAYS or now_s - image.named_s >= policy.every_s


def why_not_asked(reference: str, engine: Engine) -> str:
    """Return why a registry is not asked from this machine; empty where it is: an address may mean another machine."""
    host = reference.partition("/")[0]
    if engine.endpoint.startswith("unix://") or not is_loopback(host):
        return ""
    return f"the registry {host} is one of the engine's own machine, which is not asked from here"


def is_loopback(host: str) -> bool:
    """Return whether a registry's address means each machine itself."""
    name = host.removeprefix("[").partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def why_pull(service: Service, image: Image | None, inventory: Inventory) -> str:
    """Return why a service's image is pulled; empty where it is not.

    Args:
        image: What has its name on the engine.
    """
    policy, offer = service.pull, inventory.offer(service.image)
    if service.build is not None:
        if offer is None or not (offer.known or offer.withheld):
            return ""
        if image is None:
            return f"no image {service.image} on this engine, and it is not built: {_said(policy)}"
    if image is None:
        return f"no image {service.image} on this engine" if _may_come(policy, offer) else ""
    if offer is None or (policy is not None and policy.spares_own and not (offer.known or offer.withheld)):
        return ""
    if not offer.known:
        return f"{_said(policy)}, and which image its registry has is not known: {offer.trouble}"
    if offer.is_of(image):
        return ""
    return f"its registry has another {service.image} now: {_short(offer.digests[0])} ({_said(policy)})"


def _may_come(policy: PullPolicy | None, offer: OfferedImage | None) -> bool:
    if policy is not None and policy.when in {PullWhen.NEVER, PullWhen.BUILD}:
        return False
    return not (offer is not None and offer.absent)


def is_registrys(service: Service, image: Image | None, inventory: Inventory) -> bool:
    """Return whether a service that could be built runs what its registry has, and so is not built."""
    policy, offer = service.pull, inventory.offer(service.image)
    if policy is None or image is None or policy.when not in _ASKING:
        return False
    if offer is None:
        # It is not old enough to be asked for.
        return policy.when is PullWhen.REFRESH and image.pullable
    return offer.known and offer.is_of(image)


def check_image_comes(context: ServiceContext) -> None:
    """Refuse a deploy of a service whose image is not here and comes from nowhere.

    Raises:
        UsageError: Its image is missing, and may not or cannot be pulled.
    """
    service, inventory, change = context.service, context.inventory, context.change
    image, policy, offer = inventory.image(service.image), service.pull, inventory.offer(service.image)
    if service.build is not None or policy is None or not (change.switch or change.running):
        return
    if change.pull and offer is not None and offer.absent:
        raise UsageError(
            f"{service.name} is to have the image {service.image} pulled, which its registry does not have",
            why=f"{policy.said}, and {offer.trouble}.",
            todo="Push it, correct its name or tag, or deploy what is on this engine:\n  tonnage deploy --pull missing",
            place=str(service.place or ""),
        )
    if image is not None or change.pull:
        return
    if offer is not None and offer.absent:
        why = f"{offer.trouble}."
        todo = f"Push it first, or correct its name{'' if policy.spares_own else ' or tag'}."
    elif not service.names_image:
        why = "It is named after the stack, so no registry has it, and --no-build builds nothing."
        todo = "Name it with image:, and push it with\n  tonnage build --push"
    else:
        why, todo = f"{policy.said}: it is not pulled.", how_to_get(service.image)
    raise UsageError(
        f"{service.name} needs the image {service.image}, which is not on this engine",
        why=why,
        todo=todo,
        place=str(service.place or ""),
    )


def notes_of_pulls(contexts: Iterable[ServiceContext]) -> Iterator[str]:
    """Say of which services it is not known, or not asked, what their registries have."""
    for context in contexts:
        service, inventory = context.service, context.inventory
        image, policy, offer = inventory.image(service.image), service.pull, inventory.offer(service.image)
        if policy is None or image is None:
            continue
        if offer is not None and not offer.known and not context.change.pull:
            instead = "it is built here" if service.build is not None else "what is on this engine runs"
            yield f"{service.name}: {policy.said}, but {instead}: {offer.trouble}"
        elif offer is None and policy.spares_own and policy.when in _ASKING and not image.pullable:
            yield f"{service.name}: no registry is known to have what is here, so it runs as it is ({policy.said})"


def _said(policy: PullPolicy | None) -> str:
    return policy.said if policy is not None else ""


def _short(digest: str) -> str:
    return digest.removeprefix("sha256:")[:_SHORT]
