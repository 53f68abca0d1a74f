"""Which versions of a service are known: by names of ours on the engine, and by the journal, which only adds to them.

Whoever proved a version named its image, and wrote down beside it how it was configured; so every machine that deploys
to the engine knows the same. See docs/adr/0025.
"""

from __future__ import annotations

import base64
import zlib
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from tonnage.lazily import learned
from tonnage.model.deploy.image_names import (
    LABEL_VERSION,
    is_config,
    is_record,
    numbers_of,
    repository,
    version_name,
    version_names,
)
from tonnage.model.deploy.plan import Version
from tonnage.model.deploy.versions import KnownVersion, same_image

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tonnage.model.deploy.image_names import VersionName
    from tonnage.model.deploy.run import History
    from tonnage.model.inventory import Container, Image, Inventory
    from tonnage.model.stack import Service, Stack

# A line of what an image is made from may have 64 KiB.
_PIECE = 30_000
_LONGEST_RECORD_BYTES = 8 << 20


def record_labels(version: Version) -> dict[str, str]:
    """Return what an engine keeps of a version, as labels of an empty image."""
    packed = zlib.compress(msgspec.json.encode(version), 9)
    text = base64.urlsafe_b64encode(packed).decode().rstrip("=")
    pieces = [text[start : start + _PIECE] for start in range(0, len(text), _PIECE)]
    return {f"{LABEL_VERSION}.{number}": piece for number, piece in enumerate(pieces)}


def read_record(labels: Mapping[str, str]) -> Version | None:
    """Return the version that an image tells of; None when it tells of none that can be understood."""
    pieces: list[str] = []
    while (piece := labels.get(f"{LABEL_VERSION}.{len(pieces)}")) is not None:
        pieces.append(piece)
    text = "".join(pieces)
    try:
        packed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        unpacked = zlib.decompressobj().decompress(packed, _LONGEST_RECORD_BYTES)
        return msgspec.json.decode(unpacked, type=learned(Version))
    except (ValueError, zlib.error, msgspec.MsgspecError):
        return None


def records_on(inventory: Inventory, stack: Stack) -> tuple[Version, ...]:
    """Return every version of a stack that the engine tells of."""
    mine = {repository(stack.name, service.name) for service in stack.services}
    found = [
        read_record(image.labels)
        for image in inventory.images
        if any(is_record(each) and each.rpartition(":")[0] in mine for each in image.references)
    ]
    return tuple(version for version in found if version is not None)


def next_number(stack: Stack, inventory: Inventory, history: History) -> int:
    """Return the number of the next version of a stack."""
    named = (number for image in inventory.images for number in numbers_of(stack.name, image.references))
    recorded = (version.number for version in (*history.versions, *history.withdrawn))
    return 1 + max((*named, *recorded), default=0)


def known_versions(stack: Stack, service: Service, inventory: Inventory, history: History) -> tuple[KnownVersion, ...]:
    """Return the versions of a service, the oldest first. What names on the engine say goes before the journal."""
    named: dict[tuple[int, str], KnownVersion] = {}
    mine = repository(stack.name, service.name)
    for image in inventory.images:
        for reference, name in version_names(mine, image.references):
            key = (name.number, name.config)
            known = named.get(key) or KnownVersion(number=name.number, config=name.config)
            named[key] = _with_name(known, name, reference, image)
    good = [each for each in history.versions if each.service == service.name]
    withdrawn = [each for each in history.withdrawn if each.service == service.name]
    found = [_completed(known, (*good, *withdrawn), inventory) for known in named.values()]
    added = [
        *(_of_journal(version, inventory, withdrawn=False) for version in good),
        *(_of_journal(version, inventory, withdrawn=True) for version in withdrawn),
    ]
    found += [each for each in added if not any(_is_version(known, each) for known in found)]
    # The journal's own order stands where there are no numbers.
    return tuple(sorted(_latest(found), key=lambda each: each.number))


def running_version(
    versions: Sequence[KnownVersion], container: Container, inventory: Inventory
) -> KnownVersion | None:
    """Return the good version that a container runs; None when it is not known to be good."""
    config = container.config_digest
    for known in reversed(versions):
        same_image = (known.image is not None and inventory.runs(container, known.image)) or (
            known.version is not None and known.version.image_id == container.image_id
        )
        if not known.withdrawn and same_image and (is_config(known.config, config) or not (known.config or config)):
            return known
    return None


def outside_of_window(good: Sequence[KnownVersion], most: int) -> tuple[KnownVersion, ...]:
    """Return those of the good versions before the one that runs that are not kept.

    The last ones stay, and the last ones with an image each: a change of the configuration alone takes no bytes, and is
    not to cost the image that was there before.
    """
    kept = list(good[len(good) - most :]) if most else []
    images: list[Image] = []
    for known in reversed(good):
        if (
            len(images) < most
            and known.image is not None
            and not any(same_image(known.image, image) for image in images)
        ):
            images.append(known.image)
            kept.append(known)
    return tuple(known for known in good if known not in kept)


def _with_name(known: KnownVersion, name: VersionName, reference: str, image: Image) -> KnownVersion:
    if name.is_record:
        told = read_record(image.labels)
        known = replace(known, records=(*known.records, reference), version=told or known.version)
    else:
        known = replace(known, references=(*known.references, reference), image=image)
    return replace(known, withdrawn=known.withdrawn or name.withdrawn)


def _completed(known: KnownVersion, recorded: Iterable[Version], inventory: Inventory) -> KnownVersion:
    """Return a version that has a name, with what the journal knows of it where the engine does not tell."""
    if known.version is None and known.config:
        same = (
            each
            for each in recorded
            if is_config(known.config, each.config_digest)
            and known.image is not None
            and (each.image_id == known.image.image_id or each.content_digest == known.image.content_digest != "")
        )
        known = replace(known, version=next(same, None))
    if known.image is None and known.version is not None:
        known = replace(known, image=_image_of(known.version, inventory))
    return known


def _of_journal(version: Version, inventory: Inventory, *, withdrawn: bool) -> KnownVersion:
    return KnownVersion(
        number=version.number,
        config=version_name(0, version.config_digest).config,
        version=version,
        image=_image_of(version, inventory),
        withdrawn=withdrawn,
    )


def _image_of(version: Version, inventory: Inventory) -> Image | None:
    return inventory.with_content(version.image_id, version.content_digest) if version.image_id else None


def _is_version(known: KnownVersion, added: KnownVersion) -> bool:
    """Whether names on the engine tell of what the journal would add, be it as good or as withdrawn."""
    if known.config != added.config:
        return False
    if known.image is not None and added.image is not None:
        return same_image(known.image, added.image)
    own, others = known.version, added.version
    return own is not None and others is not None and own.image_id == others.image_id


def _latest(found: Iterable[KnownVersion]) -> Iterator[KnownVersion]:
    """Yield each version once: proven again it has another number, and what was said of it before is over."""
    ordered = sorted(found, key=lambda each: each.number)
    for position, known in enumerate(ordered):
        later = [each for each in ordered[position + 1 :] if _is_version(known, each)]
        if not later:
            earlier = [each for each in ordered[:position] if _is_version(known, each)]
            told = (each.version for each in reversed(earlier) if each.version is not None)
            yield replace(
                known,
                version=known.version or next(told, None),
                references=(*known.references, *(name for each in earlier for name in each.references)),
                records=(*known.records, *(name for each in earlier for name in each.records)),
            )
