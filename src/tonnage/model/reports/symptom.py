"""What a log shows to have gone wrong, and what explains it."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class SymptomKind(StrEnum):
    """What a line is a sign of."""

    DISK_FULL = "disk-full"
    QUOTA = "quota"
    SIGBUS = "sigbus"
    LAYER = "layer-not-registered"
    RUNNER_LOST = "runner-lost"
    LOW_DISK = "low-disk"
    IMAGE_MISSING = "image-missing"
    MEMORY = "memory"
    KERNEL_LIMIT = "kernel-limit"
    PIP = "pip-install"
    BUILD = "docker-build"
    ACCESS = "registry-access"


FULL_DISK_FOR_SURE = frozenset({SymptomKind.DISK_FULL})
FULL_DISK_PERHAPS = frozenset(
    {SymptomKind.SIGBUS, SymptomKind.LAYER, SymptomKind.RUNNER_LOST, SymptomKind.LOW_DISK, SymptomKind.IMAGE_MISSING}
)


class Symptom(Struct, frozen=True, kw_only=True):
    """One sign in a log.

    Args:
        line: Its line in the log, from 1.
        text: The line, without colours and without the time in front.
        told_by: The program that says it, as far as it can be told.
        path: The path that could not be written; empty where the line names none.
        when: The time in front of the line, as it is written there; empty when there is none.
        in_build: Whether the line comes out of an image's build: its paths are paths inside of the image.
        named_bytes: A number of bytes that the line names as missing or left.
        subject: What it is about: an image, a package, a step of a Dockerfile.
    """

    kind: SymptomKind
    line: int
    text: str
    told_by: str = ""
    path: str = ""
    when: str = ""
    in_build: bool = False
    named_bytes: int | None = None
    subject: str = ""


class Explanation(Struct, frozen=True, kw_only=True):
    """One cause, and the lines of the log that show it.

    Args:
        why: Sentences with figures.
        todo: What to do; commands stand alone on a line, indented by two spaces.
        symptoms: Where the log shows it.
        mount: The filesystem that it is about; empty for none.
        missing_bytes: Measured or named by the log: what was missing; None when that is not known.
        forecast_missing_bytes: Forecast: what is missing for the largest build; None when that is not known.
    """

    kind: SymptomKind
    what: str
    why: tuple[str, ...]
    todo: str
    symptoms: tuple[Symptom, ...]
    mount: str = ""
    missing_bytes: int | None = None
    forecast_missing_bytes: int | None = None
