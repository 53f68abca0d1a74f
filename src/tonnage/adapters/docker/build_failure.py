"""What the failure of a build means, and what to do: told by the step that failed and by the builder's own reason.

Source of the forms: recorded from Docker 20.10.24, 28.2.2 and 28.5.2 in ``tests/wire/progress``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tonnage.adapters.context.dockerfiles import dockerfile_text
from tonnage.adapters.docker.progress import LegacyOutput
from tonnage.errors import EngineUnreachableError, ReserveCrossedError, StepFailedError
from tonnage.lazily import regex
from tonnage.model.deploy.image_names import how_to_get, is_of_this_machine
from tonnage.model.references import OWN_REGISTRY
from tonnage.sources.dockerfile.base_images import instructions, line_of

if TYPE_CHECKING:
    from tonnage.adapters.docker.progress import BuildFailure, PlainOutput, RawJsonOutput
    from tonnage.adapters.docker.tools import BuildTool
    from tonnage.errors import TonnageError
    from tonnage.model.stack import BuildSpec

_BASE = regex(
    r"(?:\[(?:internal|context [^\]]*)\] load metadata for|\[[^\]]*\] FROM(?: --platform=\S+)?) (?P<image>\S+).*",
    re.DOTALL,
)
_FRONTEND = regex(r"resolve image config for (?:docker-image://)?(?P<image>\S+)")
_SYNTAX = regex(r"\s*(?:#|//)\s*syntax\s*=", re.IGNORECASE)
_SYNTAX_ARGUMENT = "BUILDKIT_SYNTAX"
_PARSE_LINE = regex(r"parse error (?:on )?line (?P<line>\d{1,9})")
# What the classic builder says to what only BuildKit knows.
_ONLY_BUILDKIT = regex(r"requires BuildKit|unknown flag|unknown instruction|failed to parse platform", re.IGNORECASE)
_NOT_FOR_THIS = regex(r"no match(?:ing manifest)? for (?:platform|\w+/\w+)", re.IGNORECASE)
_NO_PLATFORM = "failed to parse platform"
_FULL = "no space left on device"
_NO_ENGINE = ("cannot connect to the docker daemon", "error during connect")
# The engine went away in the middle: so say it BuildKit's client and the classic builder's. What a registry or a
# command of the build says has not this form.
_CUT_OFF = "unexpected EOF"
_WENT_AWAY = regex(
    r"rpc error: code = Unavailable desc = (?:error reading from server|closing transport|transport is closing)"
)
_LOST_LAYER = regex(r"\bsnapshot \S+ does not exist: not found")
_SHOWN = 160


def lost_a_layer(output: RawJsonOutput | PlainOutput | LegacyOutput) -> bool:
    """Tell whether a build failed because a layer in containerd was gone when the next one was to be unpacked on it.

    It is a race of the engine, which the next build hardly meets. Source: moby/buildkit issue 6521; Docker 26.1, 29.
    """
    return _LOST_LAYER.search(output.failure().reason) is not None


def build_failure(
    output: RawJsonOutput | PlainOutput | LegacyOutput, tool: BuildTool, spec: BuildSpec, name: str, builder: str = ""
) -> TonnageError:
    """Return the failure of a build in the words of its case.

    Args:
        builder: The builder beside the engine that built; empty for the engine's own.
    """
    failure = output.failure()
    place = _place(failure, spec, output.instruction if isinstance(output, LegacyOutput) else None)
    log = "\n".join(failure.log)
    reason = failure.reason or "The builder gave no reason."
    step = failure.step if len(failure.step) <= _SHOWN else f"{failure.step[:_SHOWN]}..."
    where = f" at {step}" if step else ""
    if _FULL in f"{log}\n{reason}".lower():
        told = next(text for text in (*failure.log, reason) if _FULL in text.lower())
        return ReserveCrossedError(
            f"the disk filled while {name} was being built{where}",
            why=told,
            todo="See what can be freed:\n  tonnage reclaim",
            place=place,
            log=log,
        )
    if any(words in reason.lower() for words in _NO_ENGINE):
        return EngineUnreachableError("the engine does not answer the builder", why=reason)
    if _WENT_AWAY.search(reason) or (isinstance(output, LegacyOutput) and reason == _CUT_OFF):
        return EngineUnreachableError(
            f"the engine stopped while {name} was being built",
            why=reason,
            todo="See why:\n  sudo journalctl -u docker -n 50",
            log=log,
        )
    if tool.switched_off_by and _ONLY_BUILDKIT.search(reason):
        return StepFailedError(
            f"the build of {name} failed{where}",
            why=f"{tool.switched_off_by} is set, so the classic builder builds, which says: {reason}",
            todo="Let BuildKit build:\n  unset DOCKER_BUILDKIT",
            place=place,
            log=log,
        )
    frontend = _FRONTEND.fullmatch(failure.step)
    if frontend:
        return _frontend_failure(_short(frontend["image"]), reason, spec, place, log)
    base = _BASE.fullmatch(failure.step)
    if base:
        return StepFailedError(
            f"the base image {base['image']} could not be obtained",
            why=reason,
            todo=_todo_for_base(base["image"], reason, builder),
            place=place,
            log=log,
        )
    return StepFailedError(f"the build of {name} failed{where}", why=reason, place=place, log=log)


def _todo_for_base(image: str, reason: str, builder: str) -> str:
    if _NO_PLATFORM in reason.lower():
        return "Write the platform out, such as:\n  FROM --platform=linux/amd64 IMAGE"
    if _NOT_FOR_THIS.search(reason):
        return "Name a version of it that has this platform, or another one, by platforms or FROM --platform."
    if builder:
        return (
            f"Check the name and the network. Where only this engine has it, push it to a registry that the builder"
            f" {builder} reaches, since it sees no image of the engine, or build in the engine itself:\n"
            "  export BUILDX_BUILDER=default"
        )
    return f"Check the name{'' if is_of_this_machine(image) else ' and the network'}. {how_to_get(_short(image))}"


def _frontend_failure(image: str, reason: str, spec: BuildSpec, place: str, log: str) -> StepFailedError:
    """Return the failure for what reads the Dockerfile, an image that the builder could not fetch."""
    asked = f"The build argument {_SYNTAX_ARGUMENT}" if _SYNTAX_ARGUMENT in dict(spec.args) else "The line # syntax="
    return StepFailedError(
        f"the Dockerfile frontend {image} could not be fetched",
        why=reason,
        todo=f"{asked} asks for it. Take that away: the builder has a frontend of its own, which knows all but the"
        f" newest instructions. Or check its name, or bring it here:\n  docker pull {image}\nor, where a registry is"
        f" out of reach, from a machine that has it:\n  docker save {image} | ssh HOST docker load",
        place=place,
        log=log,
    )


def _place(failure: BuildFailure, spec: BuildSpec, instruction: int | None) -> str:
    """Return ``Dockerfile:line`` of what failed, as near as it is known."""
    text, file = spec.dockerfile_inline, str(spec.place) if spec.place else ""
    if spec.dockerfile:
        file = spec.dockerfile
        try:
            text = dockerfile_text(spec)
        except OSError:
            return file
    parsed = _PARSE_LINE.search(failure.reason)
    line = int(parsed["line"]) if parsed else failure.line
    if line is None and instruction is not None:
        known = instructions(text)
        line = known[instruction - 1].line if instruction <= len(known) else None
    if line is None and failure.step:
        base = _BASE.fullmatch(failure.step)
        line = line_of(text, f"FROM {_short(base['image'])}" if base else failure.step)
    if line is None and _FRONTEND.fullmatch(failure.step):
        written = (number for number, each in enumerate(text.split("\n"), 1) if _SYNTAX.match(each))
        line = next(written, None)
    # The lines of an inline Dockerfile are not those of the file that it is written in.
    return f"{file}:{line}" if line is not None and spec.dockerfile else file


def _short(image: str) -> str:
    """Return an image's name as people write it: BuildKit writes out what a short name stands for."""
    return image.removeprefix(f"{OWN_REGISTRY}/").removeprefix("library/")
