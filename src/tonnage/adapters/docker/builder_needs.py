"""What a build asks of its builder: refused before anything begins where the builder that was found cannot do it.

The reason names what decided: a setting of the user's, or a program that is not installed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.adapters.context.dockerfiles import dockerfile_text
from tonnage.adapters.docker.tools import BuilderKind
from tonnage.errors import EngineLacksError
from tonnage.sources.dockerfile.buildkit_needs import buildkit_needs

if TYPE_CHECKING:
    from tonnage.adapters.docker.tools import BuildTool
    from tonnage.model.stack import BuildSpec
    from tonnage.sources.dockerfile.buildkit_needs import BuildKitNeed

_INSTALL_BUILDX = (
    "Install buildx, on Debian and Ubuntu whichever is there:\n  apt-get install -y docker-buildx\n"
    "  apt-get install -y docker-buildx-plugin"
)


def refuse_what_it_lacks(tool: BuildTool, spec: BuildSpec) -> None:
    """Refuse a build that a builder cannot carry out.

    Raises:
        EngineLacksError: Its section, or its Dockerfile, asks for something that this builder cannot do.
    """
    legacy = tool.kind is BuilderKind.LEGACY
    needs_buildx = {
        "additional_contexts": bool(spec.additional_contexts),
        "several platforms": len(spec.platforms) > 1,
    }
    needs_buildkit = {"secrets": bool(spec.secrets), "ssh": bool(spec.ssh)}
    asked = (needs_buildx if not tool.buildx else {}) | (needs_buildkit if legacy else {})
    lacking = [name for name, wanted in asked.items() if wanted]
    if lacking:
        raise EngineLacksError(
            f"this builder cannot do what the build section asks for: {', '.join(lacking)}",
            why=_why(tool),
            todo=_todo(tool, buildx=any(needs_buildx.values())),
            place=str(spec.place) if spec.place else "",
        )
    written = _written(spec) if legacy else ()
    if written:
        lines = len({need.line for need in written}) - 1
        more = f", and {lines} further line{'s' if lines > 1 else ''} of this Dockerfile" if lines else ""
        place = f"{spec.dockerfile}:{written[0].line}" if spec.dockerfile else str(spec.place or "")
        raise EngineLacksError(
            f"this builder cannot do what the Dockerfile asks for: {written[0].what}{more}",
            why=_why(tool),
            todo=_todo(tool, buildx=False),
            place=place,
        )


def refuse_what_is_out_of_reach(builder: str, spec: BuildSpec) -> None:
    """Refuse a build on the image of another service, which a builder beside the engine cannot read there.

    Raises:
        EngineLacksError: Its section names one.
    """
    if spec.built_on:
        raise EngineLacksError(
            f"the builder {builder} cannot build on the image of {', '.join(spec.built_on)}",
            why="It runs in a container of its own, and sees no image that only the engine has.",
            todo="Build in the engine itself, which sees them:\n  export BUILDX_BUILDER=default",
            place=str(spec.place) if spec.place else "",
        )


def _written(spec: BuildSpec) -> tuple[BuildKitNeed, ...]:
    """Return what in the Dockerfile needs BuildKit; nothing for one that cannot be read here."""
    if spec.dockerfile and ("://" in spec.context or spec.context.startswith("git@")):
        return ()
    try:
        text = dockerfile_text(spec)
    except OSError:
        return ()
    return buildkit_needs(text, [name for name, _ in spec.args])


def _why(tool: BuildTool) -> str:
    if tool.switched_off_by:
        return f"{tool.switched_off_by} is set, so the classic builder builds; only BuildKit can do that."
    how = tool.kind.value if tool.buildx else f"{tool.kind.value} without buildx"
    return f"{tool.program} {tool.version} builds as {how}."


def _todo(tool: BuildTool, *, buildx: bool) -> str:
    """Say how to have a builder that can.

    Args:
        buildx: Whether BuildKit alone, as it is inside older programs, is too little.
    """
    steps = []
    if tool.switched_off_by:
        steps.append("Let BuildKit build:\n  unset DOCKER_BUILDKIT")
    if not tool.has_buildx and (buildx or not tool.has_buildkit):
        steps.append(_INSTALL_BUILDX)
    return "\n".join(steps)
