"""What came before an instruction of a stage, as far as it decides whether others learn from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.model.forecast.learned import learn_key
from tonnage.model.forecast.recipe import CopyInstruction, FileSourceKind, MetadataInstruction, RunInstruction

if TYPE_CHECKING:
    from tonnage.model.forecast.recipe import FileSource, RecipeStep


class Before(Struct):
    """What a stage stands on and the instructions before the next one.

    Args:
        texts: The image, and the instructions that write files.
        sees_files: Files of a context, or of another stage, were among them.
    """

    texts: list[str]
    sees_files: bool = False

    def above(self) -> Before:
        """Return what comes before in a stage that stands on this one."""
        return Before(list(self.texts), sees_files=self.sees_files)

    def learn_key(self, step: RecipeStep, service: str) -> str:
        """Return the learn key of the next instruction, which then is among those before.

        Returns:
            The key; empty for an instruction that writes no file of its own.
        """
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
        before = None if self.sees_files or mounted else tuple(self.texts)
        self.texts.append(text)
        self.sees_files |= mounted
        return learn_key(service, text, before) if isinstance(action, CopyInstruction | RunInstruction) else ""


def _is_same_everywhere(origin: FileSource) -> bool:
    return origin.stage is None and origin.kind is FileSourceKind.IMAGE
