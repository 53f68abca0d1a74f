"""What lies in an image, from what its name, its configuration and its history tell. Pure: data in, data out.

Nothing here is certain in the way a file would be: a later layer can have replaced anything. It is what is known of
an image that is not on this machine.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tonnage.lazily import regex
from tonnage.model.forecast.base_image import AptState, Distribution
from tonnage.model.forecast.image_reference import image_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_PYTHON = regex(r"(\d+\.\d+(?:\.\d+)?)(?![\d.])")
_PYTHON_SET = regex(r"\bPYTHON_VERSION=(\d+\.\d+(?:\.\d+)?)")
_DEBIAN_MADE = regex(r"debian\.sh\b.*?'([a-z]+)'(?:\s|$)|debuerreotype.*?\b([a-z]{4,})\b")
_ALPINE_MADE = regex(r"alpine-minirootfs-(\d+\.\d+)(?:\.\d+)?")
_ALPINE_TAG = regex(r"\balpine(?:(\d+\.\d+)(?:\.\d+)?)?\b")
_UBUNTU_TAG = regex(r"\bubuntu[-:]?(\d\d\.\d\d)\b")
_DEBIAN = {"buster": "10", "bullseye": "11", "bookworm": "12", "trixie": "13", "forky": "14", "sid": ""}
_UBUNTU = {
    "focal": "20.04", "jammy": "22.04", "noble": "24.04", "oracular": "24.10", "plucky": "25.04", "questing": "25.10",
}  # fmt: skip


def python_version(reference: str, environment: Mapping[str, str], history: Sequence[str]) -> str:
    """Return the version of the Python that an image starts; empty where nothing tells it.

    Args:
        environment: Its variables: the official images set ``PYTHON_VERSION``.
        history: What made it, oldest first.

    Source: the Dockerfiles of the official image ``python``.
    """
    told = _PYTHON.match(environment.get("PYTHON_VERSION", ""))
    if told:
        return told[1]
    for text in reversed(history):
        if set_there := _PYTHON_SET.search(text):
            return set_there[1]
    name = image_name(reference)
    if name and name.path.rpartition("/")[2] == "python" and (tagged := _PYTHON.match(name.tag)):
        return tagged[1]
    return ""


def distribution(reference: str, labels: Mapping[str, str], history: Sequence[str]) -> Distribution | None:
    """Return the system in an image; None where nothing tells it.

    Args:
        history: What made it, oldest first.

    Source: histories of the official images of debian (``debian.sh``), alpine (``alpine-minirootfs``), and labels of
    ubuntu.
    """
    for text in history[:2]:
        if made := _DEBIAN_MADE.search(text):
            suite = made[1] or made[2]
            return _of_suite(suite) or Distribution(name="debian", suite=suite)
        if alpine := _ALPINE_MADE.search(text):
            return Distribution(name="alpine", version=alpine[1])
    if labels.get("org.opencontainers.image.ref.name") == "ubuntu":
        version = labels.get("org.opencontainers.image.version", "")
        return _of_version(version) or Distribution(name="ubuntu", version=version)
    name = image_name(reference)
    if name is None:
        return None
    return _of_tag(name.path.rpartition("/")[2], name.tag)


def usual_apt(system: Distribution | None) -> AptState | None:
    """Return how apt is set up in the official image of a system; None where it has no apt, or is not known.

    Source: ``/etc/apt/apt.conf.d/docker-*`` of the images debian and ubuntu, made by debuerreotype.
    """
    if system is None or system.name not in {"debian", "ubuntu"}:
        return None
    return AptState(keeps_debs=False, keeps_caches=False, lists_compressed=True, translations=False)


def _of_tag(repository: str, tag: str) -> Distribution | None:
    if repository == "alpine" or _ALPINE_TAG.search(tag):
        numbers = re.match(r"\d+\.\d+", tag) if repository == "alpine" else None
        found = _ALPINE_TAG.search(tag)
        return Distribution(name="alpine", version=numbers[0] if numbers else (found[1] or "" if found else ""))
    for word in re.split(r"[^a-z]+", tag.lower()):
        if known := _of_suite(word):
            return known
    if numbered := _UBUNTU_TAG.search(tag):
        return _of_version(numbered[1]) or Distribution(name="ubuntu", version=numbered[1])
    if repository == "ubuntu":
        return _of_version(tag)
    if repository == "debian":
        return next((_of_suite(suite) for suite, version in _DEBIAN.items() if version and version == tag), None)
    return None


def _of_suite(suite: str) -> Distribution | None:
    if suite in _DEBIAN:
        return Distribution(name="debian", version=_DEBIAN[suite], suite=suite)
    if suite in _UBUNTU:
        return Distribution(name="ubuntu", version=_UBUNTU[suite], suite=suite)
    return None


def _of_version(version: str) -> Distribution | None:
    return next((_of_suite(suite) for suite, number in _UBUNTU.items() if number == version), None)
