"""What in a Dockerfile only BuildKit can do: the classic builder refuses it, or does something else.

Nothing is refused here, and what cannot be read is left to the builder.

Source: ``builder/dockerfile/dispatchers.go`` of moby 20.10 to 28, and the release notes of the Dockerfile frontend.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.lazily import regex
from tonnage.sources.dockerfile.base_images import instructions
from tonnage.sources.dockerfile.lines import definitions

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from tonnage.model.forecast.dockerfile import Instruction

# Without --link, which newer ones take and leave out, the files are the same.
_FLAGS = {
    "RUN": frozenset({"mount", "network", "security", "device"}),
    "COPY": frozenset({"chmod", "parents", "exclude"}),
    "ADD": frozenset({"chmod", "keep-git-dir", "checksum", "exclude", "unpack"}),
}
_HEREDOCS = frozenset({"RUN", "COPY", "ADD"})
# With a default, as in ${BUILDPLATFORM:-linux/amd64}, a variable does without BuildKit.
_AUTOMATIC = regex(
    r"\$(?:\{(?P<braced>(?:BUILD|TARGET)(?:PLATFORM|OS|ARCH|VARIANT))\}"
    r"|(?P<bare>(?:BUILD|TARGET)(?:PLATFORM|OS|ARCH|VARIANT))(?!\w))"
)


class BuildKitNeed(Struct, frozen=True):
    """One thing that only BuildKit can do: as people know it, and the line that it stands on."""

    what: str
    line: int


def buildkit_needs(dockerfile: str, arguments: Collection[str] = ()) -> tuple[BuildKitNeed, ...]:
    """Return what in a Dockerfile needs BuildKit, in its order.

    Args:
        arguments: Names of the build arguments that are given: a variable of BuildKit's may be among them.
    """
    found: list[BuildKitNeed] = []
    given = set(arguments)
    before_first_stage = True
    for instruction in instructions(dockerfile):
        if instruction.keyword == "ARG" and before_first_stage:
            given |= {name for name, default in definitions(instruction.body, "\\") if default}
        before_first_stage = before_first_stage and instruction.keyword != "FROM"
        found += [BuildKitNeed(what, instruction.line) for what in _of(instruction, given)]
    return tuple(found)


def _of(instruction: Instruction, given: Collection[str]) -> Iterator[str]:
    keyword = instruction.keyword
    known = _FLAGS.get(keyword, frozenset())
    yield from dict.fromkeys(f"{keyword} --{flag.name}" for flag in instruction.flags if flag.name in known)
    if instruction.heredocs and keyword in _HEREDOCS:
        yield f"{keyword} <<{instruction.heredocs[0].name}"
    if keyword == "FROM":
        names = [match["braced"] or match["bare"] for match in _AUTOMATIC.finditer(instruction.text)]
        missing = next((name for name in names if name not in given), "")
        if missing:
            yield f"FROM with ${missing}"
