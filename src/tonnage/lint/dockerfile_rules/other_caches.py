"""Package managers other than apt and pip leave their caches in the layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.lint.dockerfile_rules.cleaning import on_a_mount, removed_behind, runs_behind
from tonnage.lint.rule import DockerfileRule
from tonnage.model.forecast.effects import OtherInstall
from tonnage.model.forecast.finding import Fix, Safety
from tonnage.model.forecast.node_packages import NodeInstall

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tonnage.lint.reading import DockerfileReading, ReadCommand, ReadStep
    from tonnage.model.forecast.finding import Finding

NAME = "package-cache"


class _Manager(Struct, frozen=True):
    """Where a manager keeps its cache, the verbs that empty it, and what is added behind an install."""

    places: tuple[str, ...]
    verbs: tuple[str, ...]
    cleans: str
    programs: tuple[str, ...]


_RED_HAT = ("/var/cache/dnf", "/var/cache/yum", "/var/cache/libdnf5")
_CONDA = ("/opt/conda/pkgs", "/root/miniconda3/pkgs")
_MANAGERS = {
    "dnf": _Manager(_RED_HAT, ("clean",), "dnf clean all", ("dnf", "yum", "microdnf")),
    "yum": _Manager(_RED_HAT, ("clean",), "yum clean all", ("dnf", "yum", "microdnf")),
    "microdnf": _Manager(_RED_HAT, ("clean",), "microdnf clean all", ("dnf", "yum", "microdnf")),
    "zypper": _Manager(("/var/cache/zypp",), ("clean", "cc"), "zypper clean --all", ("zypper",)),
    "conda": _Manager(_CONDA, ("clean",), "conda clean -afy", ("conda", "mamba")),
    "mamba": _Manager(_CONDA, ("clean",), "mamba clean -afy", ("conda", "mamba")),
    "micromamba": _Manager(("/opt/conda/pkgs",), ("clean",), "micromamba clean -afy", ("micromamba",)),
    "yarn": _Manager(("/usr/local/share/.cache", "/root/.yarn"), ("clean",), "yarn cache clean", ("yarn", "yarnpkg")),
    "npm": _Manager(("/root/.npm",), ("clean",), "npm cache clean --force", ("npm",)),
}
_APK = ("/var/cache/apk", "/etc/apk/cache")


def _check(read: DockerfileReading) -> Iterator[Finding]:
    for step in read.runs:
        yield from _of_step(step)


def _of_step(step: ReadStep) -> Iterator[Finding]:
    told: set[str] = set()
    for command, effect in reversed(list(step.found)):
        if isinstance(effect, OtherInstall) and effect.manager == "apk":
            yield from _apk(step, command, effect)
            continue
        manager = effect.manager if isinstance(effect, OtherInstall | NodeInstall) else ""
        # What is cleaned behind the last install is cleaned for all.
        if manager not in _MANAGERS or manager in told:
            continue
        told.add(manager)
        known = _MANAGERS[manager]
        places = (effect.cache,) if isinstance(effect, NodeInstall) and effect.cache else known.places
        if on_a_mount(step, *places) or any(removed_behind(step, command, each) for each in places):
            continue
        if runs_behind(step, command, known.programs, known.verbs):
            continue
        edits = step.appended(known.cleans, command)
        yield step.finding(
            NAME,
            f"{manager} keeps what it fetched in the layer",
            command,
            why=f"It stays in {places[0]}, where nothing reads it again.",
            todo=f"End the instruction with\n  && {known.cleans}",
            fix=Fix(edits=edits, what=f"end with {known.cleans}") if edits else None,
        )


def _apk(step: ReadStep, command: ReadCommand, effect: OtherInstall) -> Iterator[Finding]:
    if not effect.keeps_cache or on_a_mount(step, *_APK) or any(removed_behind(step, command, each) for each in _APK):
        return
    edits = command.with_option("--no-cache", "add", "upgrade")
    todo, what = "Add --no-cache.", "add --no-cache"
    if effect.action == "update":
        edits, todo = step.appended("rm -rf /var/cache/apk/*", command), "Leave it out, and add --no-cache to apk add."
        what = "remove the lists at the end of the instruction"
    yield step.finding(
        NAME,
        f"apk {effect.action} keeps its lists in the layer",
        command,
        why="They are in /var/cache/apk, and are fetched again by every apk add --no-cache.",
        todo=todo,
        fix=Fix(edits=edits, what=what) if edits else None,
    )


RULE = DockerfileRule(
    name=NAME,
    aliases=(
        "DL3019", "DL3032", "DL3036", "DL3040", "DL3060", "DD010", "DD025", "DD031", "DD033", "DD034", "DS-0015",
        "DS-0019", "DS-0020", "DS-0025", "DS-0027", "DKL-DI-0004", "apk_add_using_local_cache_path",
        "missing_dnf_clean_all", "missing_zypper_clean",
    ),
    title="another package manager keeps its cache in the layer",
    why="apk keeps its lists, dnf, yum, microdnf, zypper and conda what they fetched, npm and yarn every archive."
    " Each has an option or a command that leaves none, which has to stand in the same instruction, behind the install."
    " Caches on a mount or tmpfs, and those that are removed behind it, are not found; one that is cleaned before"
    " the install is.",
    before="RUN apk add git\nRUN dnf install -y make",
    after="RUN apk add --no-cache git\nRUN dnf install -y make && dnf clean all",
    fixes=Safety.SAFE,
    check=_check,
)  # fmt: skip
