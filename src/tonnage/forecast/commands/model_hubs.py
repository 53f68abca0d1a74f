"""What programs fetch that get models from a hub: ``hf download``, ``huggingface-cli download``, ``ollama pull``.

Source: ``hf download --help`` of huggingface_hub 1.0 and ``ollama pull --help`` of Ollama 0.12.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.forecast.commands.context import table
from tonnage.model.forecast.effects import OtherInstall

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.forecast.commands.context import Context
    from tonnage.model.forecast.effects import AnyEffect
    from tonnage.model.forecast.shell_script import Word

_OPTIONS = table(
    "--repo-type --revision --include --exclude --cache-dir --local-dir --local-dir-use-symlinks --token --max-workers "
    "--type",
    "--force-download --resume-download --quiet --dry-run --insecure",
)
_FETCHES = frozenset({"download", "pull"})


def model_hub(context: Context, words: Sequence[Word]) -> tuple[AnyEffect, ...]:
    """Read the words after such a program."""
    action = words[0].text if words else ""
    if action not in _FETCHES:
        return (context.opaque(f"what {context.command.program} {action} writes is not known"),)
    options = _OPTIONS.read(words[1:])
    home = context.setting("HOME") or "/root"
    place = options.last("--local-dir") or options.last("--cache-dir")
    kept = f"{home}/.ollama" if action == "pull" else context.setting("HF_HOME") or f"{home}/.cache/huggingface"
    name = options.positional[0].text if options.positional else ""
    return (
        OtherInstall(
            **context.shared,
            manager=context.command.program,
            action=action,
            packages=(name,) if name else (),
            directory=context.absolute(place) if place else kept,
        ),
    )
