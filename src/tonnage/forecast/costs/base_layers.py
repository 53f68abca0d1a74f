"""The image below a stage as the cost model takes it, and which Python lies in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.lazily import regex
from tonnage.model.forecast.base_image import Distribution
from tonnage.model.forecast.estimate import NOTHING, Estimate, Grade, assumed, exactly
from tonnage.model.forecast.python_lock import Target
from tonnage.model.forecast.sized_effects import BaseLayerBytes, BaseLayers

if TYPE_CHECKING:
    from collections.abc import Collection

    from tonnage.model.forecast.base_image import BaseImage

# The C library of each system: it decides which wheels fit. Source: package lists of the distributions.
_GLIBC = {
    ("debian", "10"): 28, ("debian", "11"): 31, ("debian", "12"): 36, ("debian", "13"): 41,
    ("ubuntu", "18.04"): 27, ("ubuntu", "20.04"): 31, ("ubuntu", "22.04"): 35, ("ubuntu", "24.04"): 39,
}  # fmt: skip
# The Python that ``apt install python3`` or ``apk add python3`` brings.
_SYSTEM_PYTHON = {
    ("debian", "11"): "3.9", ("debian", "12"): "3.11", ("debian", "13"): "3.13", ("ubuntu", "20.04"): "3.8",
    ("ubuntu", "22.04"): "3.10", ("ubuntu", "24.04"): "3.12", ("alpine", "3.18"): "3.11", ("alpine", "3.19"): "3.11",
    ("alpine", "3.20"): "3.12", ("alpine", "3.21"): "3.12", ("alpine", "3.22"): "3.12",
}  # fmt: skip
_USUAL_GLIBC = 36
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64", "arm": "armv7l", "386": "i686", "riscv64": "riscv64"}
_TAGGED = regex(r"(?:^|/)python:([0-9]{1,3}\.[0-9]{1,3}(?:\.[0-9]{1,3})?)")
_IN_TAG = regex(r":(?:[^/@]*[-_.])?py(?:thon)?-?([0-9]{1,3}\.[0-9]{1,3}(?:\.[0-9]{1,3})?)")
# What tags call systems, and images that have the Python of their system and no other one.
_SUITES = {
    "buster": ("debian", "10"), "bullseye": ("debian", "11"), "bookworm": ("debian", "12"), "trixie": ("debian", "13"),
    "bionic": ("ubuntu", "18.04"), "focal": ("ubuntu", "20.04"), "jammy": ("ubuntu", "22.04"),
    "noble": ("ubuntu", "24.04"),
}  # fmt: skip
_SYSTEM = regex(r"(?P<name>ubuntu|debian|alpine)-?(?P<version>[0-9]{1,2}(?:\.[0-9]{1,2})?)?")
_PLAIN = frozenset({
    "alpine", "buildpack-deps", "cuda", "debian", "eclipse-temurin", "golang", "nginx", "node", "php", "python", "ruby",
    "rust", "ubuntu",
})  # fmt: skip
_VERSION = regex(r"(?P<major>[0-9])(?:(?P<joined>[0-9]{1,2})|\.(?P<minor>[0-9]{1,3})(?:\.(?P<rest>[0-9]{1,3}))?)?")
_PLATFORM = regex(r"[A-Za-z0-9_.-]{1,80}")
_NUMBERED = regex(r"(?<![0-9])([0-9]{1,3}\.[0-9]{1,3}(?:\.[0-9]{1,3})?)")


def ground_of(base: BaseImage, layers_there: Collection[str] | None, assume_bytes: int) -> BaseLayers:
    """Return an image as what a stage stands on.

    Args:
        layers_there: Layers that the engine has; None for one that has nothing, wherever the image was read.
    """
    whole_alone = base.image.known and not all(layer.image.known for layer in base.layers)
    layers = []
    for number, layer in enumerate(base.layers, 1):
        # A layer of which nobody tells anything may have any size; it must not take away what the others have.
        image = layer.image.or_assumed(assume_bytes)
        if whole_alone:
            # The engine tells the whole, though not the parts.
            image = base.image if number == len(base.layers) else NOTHING
        compressed = exactly(layer.compressed_bytes) if layer.compressed_bytes is not None else _compressed(image)
        layers.append(
            BaseLayerBytes(
                chain_id=layer.chain_id,
                image=image,
                disk=layer.disk if layer.disk.known else image,
                compressed=compressed,
                present=layers_there is not None and (base.local or layer.chain_id in layers_there),
            )
        )
    how = f"read from the {base.origin}"
    return BaseLayers(name=base.reference, layers=tuple(layers), identity=base.image_id or base.reference, how=how)


def unknown_ground(reference: str, assume_bytes: int, why: str) -> BaseLayers:
    """Return what is assumed of an image that could not be read."""
    bound = assumed(assume_bytes)
    layer = BaseLayerBytes(chain_id=f"unknown:{reference}", image=bound, disk=bound, compressed=bound)
    return BaseLayers(name=reference, layers=(layer,), identity=reference, how=f"assumed: {why}")


def target_of(
    python: str, platform: str, distribution: Distribution | None, *, chosen_platform: str = ""
) -> Target | None:
    """Return for which Python wheels are chosen; None where its version is not known, or what is named is none.

    Args:
        python: The version; empty for the system's own where there is one.
        chosen_platform: A platform that the install itself names, as its installer writes it; empty for the image's.
    """
    system = (distribution.name, distribution.version) if distribution else ("", "")
    told = _VERSION.fullmatch(python or _SYSTEM_PYTHON.get(system, ""))
    if told is None or (chosen_platform and not _PLATFORM.fullmatch(chosen_platform)):
        return None
    # pip also takes 311 for 3.11.
    python = ".".join(filter(None, (told["major"], told["minor"] or told["joined"] or "0", told["rest"])))
    machine = _MACHINES.get([*platform.split("/"), ""][1], "x86_64")
    if chosen_platform:
        return Target(python=python, platform=_chosen(chosen_platform, machine))
    if distribution is not None and distribution.musl:
        return Target(python=python, platform=f"{machine}-unknown-linux-musl")
    return Target(python=python, platform=f"{machine}-manylinux_2_{_GLIBC.get(system, _USUAL_GLIBC)}")


def python_named(text: str) -> str:
    """Return the version in the name of an interpreter or image; empty where there is none."""
    tagged = _TAGGED.search(text) or _IN_TAG.search(text)
    if tagged:
        return tagged[1]
    found = _NUMBERED.search(text.rpartition("/")[2])
    return found[1] if found and ":" not in text else ""


def distribution_named(reference: str) -> Distribution | None:
    """Return the system that the name of an image tells, where its Python is the system's or told by its tag."""
    path, _, tag = reference.partition("@")[0].rpartition("/")[2].partition(":")
    if path not in _PLAIN:
        return None
    if path in {"debian", "ubuntu", "alpine"}:
        tag = f"{path}{tag}" if tag[:1].isdigit() else f"{tag}-{path}"
    suite = next((_SUITES[part] for part in tag.split("-") if part in _SUITES), None)
    if suite is not None:
        return Distribution(name=suite[0], version=suite[1])
    found = _SYSTEM.search(tag)
    return None if found is None else Distribution(name=found["name"], version=found["version"] or "")


def site_packages(python: str, environment: str) -> str:
    """Return where packages are installed to: below an environment or a user's own place, or the interpreter's."""
    minor = ".".join(python.split(".")[:2])
    return f"{environment.rstrip('/') or '/usr/local'}/lib/python{minor}/site-packages"


def _chosen(platform: str, machine: str) -> str:
    """Return a platform as pip (``manylinux2014_aarch64``) or uv (``aarch64-manylinux_2_28``) names it."""
    if "-" in platform:
        return platform
    for known in ("x86_64", "aarch64", "armv7l", "i686"):
        if platform.endswith(f"_{known}"):
            libc = platform.removesuffix(f"_{known}")
            libc = {"manylinux2014": "manylinux_2_17", "manylinux2010": "manylinux_2_12"}.get(libc, libc)
            return f"{known}-{'unknown-linux-musl' if 'musl' in libc else libc}"
    return {"linux": f"{machine}-manylinux_2_28"}.get(platform, platform)


def _compressed(image: Estimate) -> Estimate:
    """Return what a layer may take compressed: layers of base images were 0.25 to 0.5 of their bytes, here up to 1."""
    grade = Grade.DECLARED if image.grade is Grade.EXACT else image.grade
    return Estimate(image.low_bytes // 5, image.likely_bytes * 2 // 5, image.high_bytes, grade)
