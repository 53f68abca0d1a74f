"""What packages get besides the files of ``src``: version and addresses, manual pages and scripts for shells.

The version is that of ``src/tonnage/__init__.py``; ``script/package`` puts that of a tag there. Manual pages are in a
wheel where ``script/package`` has made them.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.metadata.plugin.interface import MetadataHookInterface

_VERSION = re.compile(r'^__version__ = "([^"]+)"$', re.MULTILINE)
_MADE = ".build/package"


class Metadata(MetadataHookInterface):
    """Sets what changes with a release, or with the place of the repository."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set version and addresses."""
        root = Path(self.root)
        found = _VERSION.search((root / "src" / "tonnage" / "__init__.py").read_text())
        if found is None:
            raise ValueError("src/tonnage/__init__.py names no version")
        repository = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["tonnage"]["repository"]
        metadata["version"] = found[1]
        metadata["urls"] = {
            "Homepage": repository,
            "Documentation": f"{repository}/tree/main/docs",
            "Changelog": f"{repository}/blob/main/CHANGELOG.md",
            "Issues": f"{repository}/issues",
            "Source": repository,
        }


class MadeFiles(BuildHookInterface):  # type: ignore[type-arg]
    """Adds files that are installed below the prefix, such as ``share/man``."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add those that were made; none in an editable installation."""
        made = Path(self.root, _MADE)
        if version == "standard" and made.is_dir():
            for file in sorted(made.rglob("*")):
                if file.is_file():
                    build_data["shared_data"][str(file)] = str(file.relative_to(made))
