"""pip leaves every wheel that it fetched in its cache, in the layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.lint.dockerfile_rules.cleaning import removed_behind
from tonnage.lint.rule import DockerfileRule
from tonnage.model.forecast.effects import PythonRemove
from tonnage.model.forecast.finding import Fix, Safety
from tonnage.model.forecast.installs import CacheKind, Installer, PythonInstall

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tonnage.lint.reading import DockerfileReading
    from tonnage.model.forecast.finding import Finding

NAME = "pip-cache"


def _check(read: DockerfileReading) -> Iterator[Finding]:
    for step in read.runs:
        for command, effect in step.found:
            if not isinstance(effect, PythonInstall) or effect.installer is not Installer.PIP:
                continue
            if effect.cache.kind is not CacheKind.IN_LAYER or removed_behind(step, command, effect.cache.directory):
                continue
            emptied = (
                isinstance(each, PythonRemove) and each.cache_of is Installer.PIP
                for later in step.behind(command)
                for each in later.effects
            )
            if any(emptied):
                continue
            edits = command.with_option("--no-cache-dir", "install", "download", "wheel")
            yield step.finding(
                NAME,
                "pip keeps what it fetched in the layer",
                command,
                why=f"The wheels stay in {effect.cache.directory}, where nothing reads them again.",
                todo="Add --no-cache-dir.",
                fix=Fix(edits=edits, what="add --no-cache-dir") if edits else None,
            )


RULE = DockerfileRule(
    name=NAME,
    aliases=("DL3042", "DD009", "pip_install_keeping_cached_packages", "DKL-LI-0003"),
    title="pip keeps its cache in the layer",
    why="pip keeps a copy of every wheel that it fetched, so that the next install is faster; in an image there is"
    " none. The price is the sum of all wheels, 2.85 GB for PyTorch 2.3.1 with CUDA. An install with a cache mount,"
    " with `PIP_NO_CACHE_DIR`, or whose cache the same instruction removes behind it is not found.",
    before="RUN pip install -r requirements.txt",
    after="RUN pip install --no-cache-dir -r requirements.txt",
    fixes=Safety.SAFE,
    check=_check,
)
