"""Poetry, PDM, Pipenv and pipx leave their caches in the layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.lint.dockerfile_rules.cleaning import removed_behind
from tonnage.lint.rule import DockerfileRule
from tonnage.model.forecast.finding import Fix, Safety
from tonnage.model.forecast.installs import CacheKind, Installer, PythonInstall

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tonnage.lint.reading import DockerfileReading
    from tonnage.model.forecast.finding import Finding

NAME = "installer-cache"
_INSTALLERS = frozenset({Installer.POETRY, Installer.PDM, Installer.PIPENV, Installer.PIPX})


def _check(read: DockerfileReading) -> Iterator[Finding]:
    for step in read.runs:
        for command, effect in step.found:
            if not isinstance(effect, PythonInstall) or effect.installer not in _INSTALLERS:
                continue
            directory = effect.cache.directory
            if effect.cache.kind is not CacheKind.IN_LAYER or not directory or removed_behind(step, command, directory):
                continue
            cleans = f"rm -rf {directory}"
            # Poetry puts environments into its cache where nothing else is said.
            holds_environment = effect.virtual_environment.startswith(f"{directory}/") or " " in directory
            edits = () if holds_environment else step.appended(cleans)
            yield step.finding(
                NAME,
                f"{effect.installer} keeps what it fetched in the layer",
                command,
                why=f"It stays in {directory}, where nothing reads it again.",
                todo="Have its environment elsewhere, and remove the cache at the end of the instruction."
                if holds_environment
                else f"End the instruction with\n  && {cleans}",
                fix=Fix(edits=edits, what="remove the cache at the end of the instruction", safety=Safety.DECISION)
                if edits
                else None,
            )


RULE = DockerfileRule(
    name=NAME,
    title="an installer keeps its cache in the layer",
    why="Poetry, PDM, Pipenv and pipx keep every archive that they fetched, and have no option against it that holds"
    " for one command. Where Poetry has its environments in the same directory, it is only told. An install with the"
    " cache on a mount, or that is removed behind it, is not found.",
    before="ENV POETRY_VIRTUALENVS_CREATE=false\nRUN poetry install --only main",
    after="ENV POETRY_VIRTUALENVS_CREATE=false\nRUN poetry install --only main && rm -rf /root/.cache/pypoetry",
    fixes=Safety.DECISION,
    check=_check,
)
