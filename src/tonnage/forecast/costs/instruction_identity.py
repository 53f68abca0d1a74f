"""What tells an instruction from others, for the builder that may have its layer and for what is learned of it.

Two builds share the layer of an instruction where what decides about its result is the same and what they stand on is:
a layer is shared where the builder finds it done already. Others learn from it by what came before it in its stage.

Source: measured with Docker 20.10.24; ``solver/llbsolver/ops`` of BuildKit 0.8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.model.forecast.estimate import EngineKind
from tonnage.model.forecast.learned import InstructionsBefore, learn_key
from tonnage.model.forecast.recipe import CopyInstruction, FileSourceKind, MetadataInstruction, RunInstruction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.forecast.recipe import FileSource, RecipeStep


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


class Before:
    """What a stage stands on and the instructions before the next one.

    Args:
        texts: As the Dockerfile has them.
        sees_files: Files of a context, or of another stage, were among them.
    """

    def __init__(self, texts: Sequence[str] | InstructionsBefore, *, sees_files: bool = False) -> None:
        self._texts = texts if isinstance(texts, InstructionsBefore) else InstructionsBefore(texts)
        self.sees_files = sees_files

    def above(self) -> Before:
        """Return what comes before in a stage that stands on this one."""
        return Before(self._texts.copied(), sees_files=self.sees_files)

    def learn_key(self, step: RecipeStep, service: str, engine: EngineKind = EngineKind.BUILDKIT) -> str:
        """Return the learn key of the next instruction, empty where it writes no file; then count it as one before."""
        action = step.action
        if isinstance(action, MetadataInstruction):
            return ""
        text = step.text
        mounted = False
        if isinstance(action, CopyInstruction):
            text = "\n".join((text, *(each.body for each in action.inline)))
            self.sees_files |= bool(action.sources) and not _is_same_everywhere(action.origin)
        elif isinstance(action, RunInstruction):
            if step.instruction.heredocs:
                values = sorted(step.surroundings.variables.items())
                named = "".join(f"\n{name}={value}" for name, value in values if name in action.script)
                text = f"{text}\n{action.script}{named}"
            mounted = any(
                mount.kind == "bind" and mount.origin is not None and not _is_same_everywhere(mount.origin)
                for mount in action.mounts
            )
        before = None if self.sees_files or mounted else self._texts
        store = engine.value if engine.is_beside or engine is EngineKind.CONTAINERD else ""
        writes = isinstance(action, CopyInstruction | RunInstruction)
        key = learn_key(service, text, before, store) if writes else ""
        self._texts.add(text)
        self.sees_files |= mounted
        return key


def _is_same_everywhere(origin: FileSource) -> bool:
    return origin.stage is None and origin.kind is FileSourceKind.IMAGE
