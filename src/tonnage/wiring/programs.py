"""The real programs that read stacks and act on an engine."""

from __future__ import annotations

import contextlib
import threading
from functools import cached_property
from typing import TYPE_CHECKING

from tonnage.errors import TonnageError
from tonnage.flows.state import cache_directory

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tonnage.adapters.docker.tools import Tools
    from tonnage.runtime.load_stack import ComposeConfig


class FoundPrograms:
    """Satisfies ``Programs``; each is looked for when first asked for."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    @cached_property
    def tools(self) -> Tools:
        """What was found."""
        from tonnage.adapters.docker.tool_versions_cache import ToolVersionsCache  # noqa: PLC0415
        from tonnage.adapters.docker.tools import find_tools  # noqa: PLC0415

        known = ToolVersionsCache(cache_directory(self._environment) / "programs.json", self._environment)
        return find_tools(self._environment, known)

    def look_ahead(self) -> None:
        """Begin to look for those that act on an engine, while there is still something else to do."""
        from tonnage.adapters.process import dying_with_us  # noqa: PLC0415

        tools = self.tools

        def look() -> None:
            # What is wrong with them is told where they are needed.
            with contextlib.suppress(TonnageError):
                _ = tools.compose_2, tools.build, dying_with_us()

        threading.Thread(target=look, name="look-ahead", daemon=True).start()

    def compose(self) -> ComposeConfig | None:
        """Return Compose as a reader of compose files, or None when it is not installed or too old for that."""
        tool = self.tools.compose_2
        if tool is None:
            return None
        from tonnage.adapters.docker.compose.command import ComposeText  # noqa: PLC0415

        return ComposeText(tool, self._environment)

    def builder_found(self) -> str:
        """Say which builder was found."""
        tool = self.tools.need_build()
        return f"{tool.program} {tool.version}, progress {tool.kind}"

    def compose_found(self) -> str:
        """Say which Compose was found."""
        tool = self.tools.need_compose()
        return f"{' '.join(tool.command)} {tool.version}"
