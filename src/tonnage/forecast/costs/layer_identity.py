"""What decides about the result of an instruction besides what it stands on, as the builders see it.

Two builds share the layer of an instruction where this is the same and what they stand on is: a layer is shared where
the builder finds it done already.

Source: measured with Docker 20.10.24; ``solver/llbsolver/ops`` of BuildKit 0.8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.model.forecast.estimate import EngineKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.forecast.recipe import CopyInstruction, RecipeStep, RunInstruction


def copy_identity(action: CopyInstruction, contents: str) -> str:
    """Return the identity of a ``COPY`` or an ``ADD``."""
    kind = "ADD" if action.adds else "COPY"
    how = (str(action.unpacks), str(action.link), str(action.parents), action.checksum)
    return "\0".join((kind, action.destination, action.owner, action.mode, *how, *action.excludes, "", contents))


def run_identity(step: RecipeStep, action: RunInstruction, mounted: Sequence[str]) -> str:
    """Return the identity of a ``RUN``.

    Args:
        mounted: For each mount what tells its contents from others; empty for what the builder does not look at.
    """
    around = step.surroundings
    variables = (f"{name}={value}" for name, value in sorted(around.variables.items()))
    mounts = (
        f"{mount.kind}:{mount.source}:{mount.target}:{mount.identity}:{contents}"
        for mount, contents in zip(action.mounts, mounted, strict=True)
    )
    words = (action.script, *(action.words or ()), around.working_directory, around.user, *around.shell)
    return "\0".join(("RUN", action.network, *words, *variables, *mounts))


def looks_at_paths(engine: EngineKind) -> bool:
    """Return whether a builder tells copied files from others also by where they lie in the context."""
    return engine is EngineKind.CLASSIC
