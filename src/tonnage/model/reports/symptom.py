"""What a log shows to have gone wrong, and what explains it."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from tonnage.model.inventory import Filesystem


class SymptomKind(StrEnum):
    """What a line is a sign of."""

    DISK_FULL = "disk-full"
    CUT_SHORT = "disk-full-perhaps"
    QUOTA = "quota"
    READ_ONLY = "read-only"
    DISK_ERROR = "disk-error"
    REGISTRY_FULL = "registry-full"
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
    {
        SymptomKind.CUT_SHORT,
        SymptomKind.READ_ONLY,
        SymptomKind.DISK_ERROR,
        SymptomKind.SIGBUS,
        SymptomKind.LAYER,
        SymptomKind.RUNNER_LOST,
        SymptomKind.LOW_DISK,
        SymptomKind.IMAGE_MISSING,
    }
)


class Symptom(Struct, frozen=True, kw_only=True):
    """One sign in a log.

    Args:
        line: Its line in the log, from 1.
        text: The line, without colours and without the time in front.
        cause: Which of several causes of this kind, where the line tells: ``shared-memory``, ``thin-pool``.
        told_by: The program that says it, as far as it can be told.
        path: The path that could not be written; empty where the line names none.
        when: The time in front of the line, as it is written there; empty when there is none.
        in_build: Whether the line comes out of an image's build: its paths are paths inside of the image.
        named_bytes: A number of bytes that the line names as missing or left.
        subject: What it is about: an image, a package, a step of a Dockerfile.
        service: The service, or what stands in its place: a stage, a target.
    """

    kind: SymptomKind
    line: int
    text: str
    cause: str = ""
    told_by: str = ""
    path: str = ""
    when: str = ""
    in_build: bool = False
    named_bytes: int | None = None
    subject: str = ""
    service: str = ""


class LogOrigin(Struct, frozen=True, kw_only=True):
    """Where and when a log was written, as far as it says so.

    Args:
        machine: Which machine of elsewhere, for people: ``the GitHub runner``, ``Docker Desktop``; empty where the log
            has no sign of one.
        hosts: Names of machines in front of its lines.
        begin_s: Its first time, in seconds since the epoch; None where it has none.
        end_s: Its last one.
        services: Services that it names for sure.
        targets: What a builder of several targets calls them.
        heavy: Packages of CUDA that it downloads or installs.
    """

    machine: str = ""
    hosts: frozenset[str] = frozenset()
    begin_s: float | None = None
    end_s: float | None = None
    services: frozenset[str] = frozenset()
    targets: frozenset[str] = frozenset()
    heavy: tuple[str, ...] = ()


class ReadLog(Struct, frozen=True, kw_only=True):
    """What stands in a log."""

    symptoms: tuple[Symptom, ...] = ()
    origin: LogOrigin = LogOrigin()


class Here(Struct, frozen=True, kw_only=True):
    """This machine, as far as logs name machines and paths.

    Args:
        hostname: Its name.
        runner: Which runner of a continuous integration it is, as in ``LogOrigin.machine``; empty for none.
        absent: Paths of the log that begin with a directory which is not here.
        filesystems: Those under the other paths.
    """

    hostname: str = ""
    runner: str = ""
    absent: frozenset[str] = frozenset()
    filesystems: tuple[Filesystem, ...] = ()


class Explanation(Struct, frozen=True, kw_only=True):
    """One cause, and the lines of the log that show it.

    Args:
        why: Sentences with figures.
        todo: What to do; commands stand alone on a line, indented by two spaces.
        symptoms: Where the log shows it.
        cause: Which of several causes of this kind; empty where it has one.
        service: The service that it is about; empty where the log does not tell.
        elsewhere: The machine that the log is from; empty for this one.
        mount: The filesystem that it is about; empty for none.
        missing_bytes: Measured or named by the log: what was missing; None when that is not known.
        forecast_missing_bytes: Forecast: what is missing for the largest build; None when that is not known.
    """

    kind: SymptomKind
    what: str
    why: tuple[str, ...]
    todo: str
    symptoms: tuple[Symptom, ...]
    cause: str = ""
    service: str = ""
    elsewhere: str = ""
    mount: str = ""
    missing_bytes: int | None = None
    forecast_missing_bytes: int | None = None


class Diagnosis(Struct, frozen=True, kw_only=True):
    """What was explained.

    Args:
        source: What was read: a file, ``-`` for standard input, or a run of the journal.
        found_run: Whether there was a run, where no log was named.
    """

    source: str
    explanations: tuple[Explanation, ...] = ()
    found_run: bool = True
