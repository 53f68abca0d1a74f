"""The images that hold shared wheels: their names, which tell their content, and how each is built.

uv installs them: it writes each file once, where pip keeps every archive beside them. It is the program that forecasts
with, sent by the machine that plans, and seen by the build alone. Every wheel is pinned with its hash, and comes from
the index that the user's own install names.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from typing import TYPE_CHECKING, NamedTuple

from tonnage.decide.share.choice import EARNS_BYTES, SharedSet, most_saved_bytes, saved_bytes_of, shared_sets
from tonnage.model.deploy.image_names import LABEL_SHARED, LABEL_WHEELS, is_shared, shared_reference
from tonnage.model.deploy.sharing import SharedImage, Sharing
from tonnage.model.stack import BuildSpec

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from tonnage.model.deploy.sharing import SharedWheel, WheelOffer
    from tonnage.model.inventory import Image, Inventory

_STILL_PERCENT = 90
"""An image that is there is taken for a new one when it holds so much of it."""
_PREFIX = "/usr/local"
_UV, _LOCK, _BEGAN, _OWN = "/dev/uv", "/tmp/lock.txt", "/tmp/began", "/tmp/own"  # noqa: S108 - inside
_CACHE = ".tonnage-uv"
_TIME = "touch --no-dereference --date=@315532800"
# What pip compiles: every file of Python that the record of a wheel names.
_SOURCES = (
    "import sys; from importlib.metadata import distribution as d;"
    " print(*(f.locate() for n in sys.argv[1:] for f in d(n).files or () if f.suffix == '.py'), sep=chr(10))"
)


def shared_images(
    offers: Sequence[WheelOffer],
    inventory: Inventory,
    *,
    off: Collection[str] = (),
    by_uv: Collection[str] = (),
    earns_bytes: int = EARNS_BYTES,
    once_bytes: int = 0,
) -> Sharing:
    """Choose the images that services of a stack share.

    Args:
        offers: What each service that is built could share.
        off: Services that share nothing because that is said.
        by_uv: Services whose own wheels are installed by uv as well, into an image of their own.
        earns_bytes: What each image has to save.
        once_bytes: What all that are new have to save together: what builds them is kept as well.
    """
    by_place: dict[tuple[str, str, bool], list[WheelOffer]] = {}
    for offer in offers:
        if offer.wheels and (offer.service not in off or offer.service in by_uv):
            by_place.setdefault(offer.place, []).append(offer)
    groups = list(by_place.values())
    said = _Said(frozenset(off), frozenset(by_uv))
    found = [each for group in groups for each in _images(group, inventory, said, earns_bytes=earns_bytes)]
    new = [each for each in found if not each.present]
    if sum(each.saved_bytes for each in new) < once_bytes:
        found = [each for group in groups for each in _images(group, inventory, said, earns_bytes=None)]
        found = [each for each in found if each.present or said.by_uv & {*each.services}]
    found = _earning_at_the_peak(found, offers, said, once_bytes)
    sharing = [said.sharing(group) for group in groups]
    most_bytes = sum(most_saved_bytes(_wheels(group), inner=_inner(group)) for group in sharing)
    return Sharing(images=tuple(found), offers=tuple(offers), off=tuple(off), most_bytes=most_bytes)


def _earning_at_the_peak(
    found: list[SharedImage], offers: Sequence[WheelOffer], said: _Said, once_bytes: int
) -> list[SharedImage]:
    """Return images without those that are needed only while services are built, where they would make that need more.

    Where the build cache is removed after each service, a stage is there once in any case. What such an image saves
    then are the archives of pip, and what builds it comes on top.
    """
    passing = Sharing(images=tuple(found), offers=tuple(offers)).passing
    new = [each for each in found if not each.present]
    only = [each for each in new if each.reference in passing and not said.by_uv & {*each.services}]
    archive_bytes = sum(wheel.archive_bytes for each in only for wheel in each.wheels)
    return (
        found if archive_bytes >= once_bytes or len(only) < len(new) else [each for each in found if each not in only]
    )


class _Said(NamedTuple):
    off: frozenset[str]
    by_uv: frozenset[str]

    def sharing(self, offers: Iterable[WheelOffer]) -> list[WheelOffer]:
        """Return the offers of services that may share."""
        return [each for each in offers if each.service not in self.off]


def _images(
    everybody: Sequence[WheelOffer], inventory: Inventory, said: _Said, *, earns_bytes: int | None
) -> list[SharedImage]:
    """Return the images of services on the same ground; those that are there alone without what they have to save."""
    there = list(_there(everybody[0].place, inventory))
    group = said.sharing(everybody)
    wheels, inner = _wheels(group), _inner(group)
    chosen = shared_sets(wheels, inner=inner, earns_bytes=earns_bytes) if earns_bytes is not None else ()
    sets = [_kept_still(each, there) if _is_lowest(each, chosen) else each for each in chosen]
    sharing = {service for each in sets for service in each.services}
    # What the engine has as it is written costs nothing.
    others = [offer for offer in group if offer.service not in sharing and any(offer.layers or offer.wheels)]
    sets += _alone(others, there)
    sets += _rest([offer for offer in everybody if offer.service in said.by_uv], sets)
    return _named(_once(sets), everybody, inventory)


def _wheels(group: Iterable[WheelOffer]) -> dict[str, dict[SharedWheel, str]]:
    """Return the wheels of services, each with the layer that has it otherwise; its own where none is said."""
    return {
        offer.service: dict(zip(offer.wheels, offer.layers or [offer.service] * len(offer.wheels), strict=True))
        for offer in group
    }


def _inner(group: Iterable[WheelOffer]) -> frozenset[str]:
    """Return the services whose images only have copies of what they install."""
    return frozenset(offer.service for offer in group if offer.inner)


def spec_of(image: SharedImage, directory: str) -> BuildSpec:
    """Return how an image is built.

    Args:
        directory: Where the program uv is; the builder is sent nothing else of it.
    """
    return BuildSpec(context=directory, dockerfile_inline=_dockerfile(image))


def labels_of(image: SharedImage) -> tuple[tuple[str, str], ...]:
    """Return what an image says of itself, so that a later plan finds it."""
    return ((LABEL_SHARED, image.place), (LABEL_WHEELS, " ".join(sorted(each.digest for each in image.wheels))))


def _place_key(place: tuple[str, str, bool], on: str) -> str:
    return hashlib.sha256(json.dumps([*place, on]).encode()).hexdigest()[:32]


def _there(place: tuple[str, str, bool], inventory: Inventory) -> Iterator[frozenset[str]]:
    """Yield the wheels of each image that is there and stands on the same ground, by their digests."""
    key = _place_key(place, "")
    for image in inventory.images:
        if any(is_shared(name) for name in image.references) and image.labels.get(LABEL_SHARED) == key:
            yield frozenset(image.labels.get(LABEL_WHEELS, "").split())


def _is_lowest(each: SharedSet, chosen: Iterable[SharedSet]) -> bool:
    return not any(set(each.services) < set(other.services) for other in chosen)


def _kept_still(each: SharedSet, there: Sequence[frozenset[str]]) -> SharedSet:
    """Return a set with the wheels of an image that is there, where that holds nearly all of them."""
    held = [[wheel for wheel in each.wheels if wheel.digest in known] for known in there]
    held = [its for its, known in zip(held, there, strict=True) if len(its) == len(known)]
    best = max(held, key=_bytes, default=[])
    return SharedSet(each.services, tuple(best)) if _bytes(best) * 100 >= _bytes(each.wheels) * _STILL_PERCENT else each


def _alone(offers: Iterable[WheelOffer], there: Sequence[frozenset[str]]) -> Iterator[SharedSet]:
    """Yield what services that share nothing among themselves have in common with what is there already."""
    for offer in offers:
        held = [[wheel for wheel in offer.wheels if wheel.digest in known] for known in there]
        held = [its for its, known in zip(held, there, strict=True) if its and len(its) == len(known)]
        best = max(held, key=_bytes, default=[])
        if best:
            yield SharedSet((offer.service,), tuple(best))


def _rest(offers: Iterable[WheelOffer], sets: Sequence[SharedSet]) -> list[SharedSet]:
    """Return for each service what of its wheels lies in none of the sets."""
    found = []
    for offer in offers:
        held = {wheel for each in sets if offer.service in each.services for wheel in each.wheels}
        if own := tuple(wheel for wheel in offer.wheels if wheel not in held):
            found.append(SharedSet((offer.service,), own))
    return found


def _once(sets: Iterable[SharedSet]) -> list[SharedSet]:
    """Return the sets, those with the same wheels as one."""
    found: dict[tuple[SharedWheel, ...], list[str]] = {}
    for each in sets:
        found.setdefault(tuple(sorted(each.wheels, key=lambda wheel: wheel.name)), []).extend(each.services)
    return [SharedSet(tuple(sorted(services)), wheels) for wheels, services in found.items()]


def _bytes(wheels: Iterable[SharedWheel]) -> int:
    return sum(wheel.kept_bytes for wheel in wheels)


def _named(sets: Iterable[SharedSet], everybody: Sequence[WheelOffer], inventory: Inventory) -> list[SharedImage]:
    found: list[SharedImage] = []
    ground, wheels, inner = everybody[0], _wheels(everybody), _inner(everybody)
    for each in sets:
        below = [image for image in found if set(each.services) <= set(image.services)]
        on = below[-1].reference if below else ""
        key = _place_key(ground.place, on)
        pins = sorted(f"{wheel.name}=={wheel.version} {wheel.digest}" for wheel in each.wheels)
        reference = shared_reference(hashlib.sha256("\n".join((key, *pins)).encode()).hexdigest()[:24])
        found.append(
            SharedImage(
                reference=reference,
                on=on or ground.base,
                services=each.services,
                wheels=each.wheels,
                saved_bytes=saved_bytes_of(each.services, each.wheels, wheels, inner=inner),
                place=key,
                environment=ground.environment,
                compiles=ground.compiles,
                present=_stands(inventory.image(reference), ground.ground),
            )
        )
    return found


def _stands(image: Image | None, ground: str) -> bool:
    """Return whether an image is there and stands on what it says."""
    return image is not None and (not image.chain or ground in image.chain)


def _dockerfile(image: SharedImage) -> str:
    by_index: dict[str, list[SharedWheel]] = {}
    for wheel in image.wheels:
        by_index.setdefault(wheel.index, []).append(wheel)
    prefix = image.environment or _PREFIX
    python, cache = shlex.quote(f"{prefix}/bin/python"), f"{prefix}/{_CACHE}"
    commands = ["set -e", f"touch {_BEGAN}", *_environment(image.environment)]
    for index, wheels in by_index.items():
        pins = (f"{wheel.name}=={wheel.version} --hash={wheel.digest}" for wheel in wheels)
        commands.append(f"printf '%s\\n' {' '.join(map(shlex.quote, pins))} >{_LOCK}")
        commands.append(shlex.join(_install(index, prefix, cache)))
    # uv makes directories that hold nothing, and pip does not.
    commands.append(f"find {shlex.quote(prefix)} -cnewer {_BEGAN} -type d -empty -delete")
    # The same wheels make the same layer: what is new gets one time; then .pyc files, which hold that of their source.
    settled = f"find {shlex.quote(image.environment or '/usr')} -cnewer {_BEGAN} -exec {_TIME} {{}} +"
    commands += [f"rm -rf {shlex.quote(cache)}", settled]
    if image.compiles:
        names = " ".join(shlex.quote(wheel.name) for wheel in image.wheels)
        commands.append(f"{python} -B -c {shlex.quote(_SOURCES)} {names} >{_LOCK}")
        # pip goes on where a file of a wheel cannot be compiled.
        commands += [f"PYTHONHASHSEED=0 {python} -B -m compileall -qq -i {_LOCK} || true", settled]
    if image.environment:
        commands += _left(image.environment)
    mounts = f"--mount=type=bind,source=uv,target={_UV} --mount=type=tmpfs,target=/tmp"
    script = json.dumps(["/bin/sh", "-c", "\n".join(commands)])
    return f"FROM {image.on}\nRUN {mounts} {script}\n"


def _environment(directory: str) -> list[str]:
    """Return the commands that make an environment to install into; its own files are noted."""
    if not directory:
        return []
    quoted = shlex.quote(directory)
    return [f"{_PREFIX}/bin/python -m venv --without-pip {quoted}", f"find {quoted} ! -type d -print0 >{_OWN}"]


def _left(directory: str) -> list[str]:
    """Return the commands that leave of an environment the wheels alone: the build makes it over them."""
    quoted, above = shlex.quote(directory), shlex.quote(directory.rpartition("/")[0] or "/")
    return [
        # uv locks an environment by a file in it.
        f"xargs -0 rm -f {shlex.quote(f'{directory}/.lock')} <{_OWN}",
        f"find {quoted} -type d -empty -delete",
        f"find {quoted} -type d -exec {_TIME} {{}} +",
        f"{_TIME} {above}",
    ]


def _install(index: str, prefix: str, cache: str) -> list[str]:
    options = ["--no-config", "--no-deps", "--require-hashes", "--no-build", "--link-mode=hardlink", "--no-progress"]
    options += [f"--cache-dir={cache}", f"--python={prefix}/bin/python", "--no-python-downloads"]
    options += [f"--index-url={index}"] if index else []
    return [_UV, "pip", "install", *options, "-r", _LOCK]
