"""Files that a shell sources and nobody has read: those that set variables write nothing, others may do anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.lazily import regex
from tonnage.model.forecast.effects import Nothing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.forecast.commands.context import Context
    from tonnage.model.forecast.effects import AnyEffect
    from tonnage.model.forecast.shell_script import Word

# Environments of Python, Rust, Conda, Node.js, ROS, Intel and the like; what the system and shells read at their start.
_SETS_VARIABLES = regex(
    r"(?:.*/)?(?:activate|env|\.env|environment|os-release|lsb-release|[\w.-]*bashrc|[\w.-]*profile|\.zshrc"
    r"|(?:nvm|conda|mamba|micromamba|asdf|sdkman-init|gvm|setvars|envvars|vars|environment|functions|vulkan)\.(?:sh|env)"
    r"|[\w.-]+\.env)"
    r"|/etc/.*|/opt/ros/.*|/opt/intel/.*"
)


def sourced(context: Context, words: Sequence[Word]) -> AnyEffect:
    """Read ``.`` and ``source``; ``words`` are those after them."""
    if not words or _SETS_VARIABLES.fullmatch(words[0].text):
        return Nothing(**context.shared)
    return context.opaque(f"what {words[0].text} does is not known")
