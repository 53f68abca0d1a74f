"""The checklist of a stack's way to production, verified from evidence instead of ticked. Pure.

An item passes only on evidence; where there is none to look at it is unknown, never passed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tonnage.lazily import regex
from tonnage.model.deploy.plan import Purpose
from tonnage.model.deploy.run import Outcome
from tonnage.model.reports.checklist import Item, ItemState
from tonnage.units import format_bytes, format_moment

if TYPE_CHECKING:
    from tonnage.model.deploy.run import Run
    from tonnage.model.reports.checklist import Evidence

_ACTION = r"\buses:\s*\S+/tonnage@\S+(?:(?!\buses:).)*?\bmode:\s*[\"']?(?:build|deploy)\b"
_BUILDS = regex(
    r"\b(?:docker|podman|buildah)(?:[ \t]+\S+)*?[ \t]+(?:build|bake|up)\b|docker/(?:build-push|bake)-action"
    rf"|\btonnage (?:build|deploy)\b|{_ACTION}",
    re.DOTALL,
)
_FREES = regex(
    r"\btonnage(?:\)\")? reclaim\b|--cleanup-disk\b|\bfree-disk-space\b|maximize-build-space"
    rf"|\bdocker (?:system|image|builder)\s+prune\b|\brm -rf? /usr/share/dotnet\b|{_ACTION}",
    re.DOTALL,
)
_COMMENT = regex(r"^[ \t]*#.*$", re.MULTILINE)


def checklist(evidence: Evidence) -> tuple[Item, ...]:
    """Return every item in the order of the way: disk, installs, deploy, variant, watching, cleaning, going back."""
    return (
        _cleanup_in_workflows(evidence),
        _installs(evidence),
        _rehearsed(evidence),
        _torch(evidence),
        _monitored(evidence),
        _documented(evidence),
        _rolled_back(evidence),
    )


def _cleanup_in_workflows(evidence: Evidence) -> Item:
    name = "disk cleanup in the workflows"
    write = "Write workflows that free what a plan needs:\n  tonnage ci github --write"
    if not evidence.workflows:
        return Item(name=name, state=ItemState.UNKNOWN, found="there are no workflows", todo=write)
    said = [(file, _COMMENT.sub("", text)) for file, text in evidence.workflows]
    building = [(file, text) for file, text in said if _BUILDS.search(text)]
    if not building:
        return Item(name=name, state=ItemState.UNKNOWN, found="no workflow builds an image", todo=write)
    without = [file for file, text in building if not _FREES.search(text)]
    if without:
        return Item(
            name=name, state=ItemState.FAILED, found=f"{', '.join(without)}: builds, and frees nothing", todo=write
        )
    late = [file for file, text in building if _frees_too_late(text)]
    if late:
        found = f"{', '.join(late)}: builds, and frees only after it"
        return Item(name=name, state=ItemState.FAILED, found=found, todo=write)
    return Item(
        name=name, state=ItemState.PASSED, found=f"{', '.join(file for file, _ in building)}: frees before it builds"
    )


def _frees_too_late(text: str) -> bool:
    """Return whether the first thing that frees disk stands after the first one that builds."""
    builds, frees = _BUILDS.search(text), _FREES.search(text)
    return builds is not None and frees is not None and frees.start() > builds.start()


def _installs(evidence: Evidence) -> Item:
    name = "no-cache installs"
    if evidence.caches is None:
        return Item(name=name, state=ItemState.UNKNOWN, found="a Dockerfile cannot be read", todo="  tonnage forecast")
    if evidence.caches:
        todo = "Fix what is safe, or mount the cache:\n  tonnage lint --fix"
        found = f"a cache stays in the image: {', '.join(evidence.caches)}"
        return Item(name=name, state=ItemState.FAILED, found=found, todo=todo)
    return Item(name=name, state=ItemState.PASSED, found="no Dockerfile keeps the cache of an installer")


def _rehearsed(evidence: Evidence) -> Item:
    name = "sequential deployment rehearsed"
    size = format_bytes(evidence.disk_bytes).replace(" ", "") if evidence.disk_bytes else "14GB"
    todo = f"Rehearse it on a disk of the size that you have:\n  tonnage rehearse --disk {size}"
    rehearsals = [run for run in evidence.runs if _is_rehearsal(run, evidence)]
    if not rehearsals:
        return Item(name=name, state=ItemState.FAILED, found="never on this machine", todo=todo)
    last = rehearsals[0]
    found = f"{_when(last)}, {_disk(last)}"
    if last.outcome is Outcome.DONE:
        return Item(name=name, state=ItemState.PASSED, found=found)
    return Item(name=name, state=ItemState.FAILED, found=f"{found}: {last.outcome}", todo=todo)


def _torch(evidence: Evidence) -> Item:
    name = "PyTorch against the hardware"
    if evidence.torch is None:
        found = "what the services install could not be resolved"
        return Item(name=name, state=ItemState.UNKNOWN, found=found, todo="See why:\n  tonnage forecast")
    wrong = [each for each in evidence.torch if each.cuda and not each.device]
    if wrong:
        names = ", ".join(f"{each.service} ({format_bytes(each.bytes_of_cuda)}, forecast)" for each in wrong)
        todo = (
            "Ask for the device in the compose file, or have PyTorch without CUDA written:"
            f"\n  tonnage torch cpu {' '.join(each.service for each in wrong)}"
        )
        return Item(name=name, state=ItemState.FAILED, found=f"installs CUDA, but requests no GPU: {names}", todo=todo)
    lacking = [each.service for each in evidence.torch if each.device and not each.cuda]
    if lacking:
        found = f"requests a GPU, but installs PyTorch without CUDA: {', '.join(lacking)}"
        return Item(name=name, state=ItemState.FAILED, found=found, todo="Unset it for these:\n  unset TORCH_CPU_ONLY")
    found = "every service has the variant of its hardware" if evidence.torch else "no service installs PyTorch"
    return Item(name=name, state=ItemState.PASSED, found=found)


def _monitored(evidence: Evidence) -> Item:
    name = "disk recorded during deploys"
    seen = next((run for run in evidence.runs if any(step.measured for step in run.steps)), None)
    if seen is None:
        found = "no run was measured yet"
        return Item(name=name, state=ItemState.UNKNOWN, found=found, todo="Deploy, or watch:\n  tonnage watch")
    samples = sum(each.samples for step in seen.steps for each in step.measured)
    return Item(name=name, state=ItemState.PASSED, found=f"{_when(seen)}: {samples} samples")


def _documented(evidence: Evidence) -> Item:
    name = "cleanup documented"
    if evidence.documents:
        return Item(name=name, state=ItemState.PASSED, found=", ".join(evidence.documents))
    todo = "Write a script that has it in its help, or say it in your README:\n  tonnage ci deploy-script --write"
    found = "no document or script of the stack says how disk is freed"
    return Item(name=name, state=ItemState.FAILED, found=found, todo=todo)


def _rolled_back(evidence: Evidence) -> Item:
    name = "rollback tested"
    runs = [run for run in evidence.runs if run.purpose is Purpose.ROLLBACK and run.steps]
    todo = "Go back, and deploy the same again:\n  tonnage rollback\n  tonnage deploy --again"
    if not runs:
        return Item(name=name, state=ItemState.FAILED, found="never on this machine", todo=todo)
    if runs[0].outcome is Outcome.DONE:
        return Item(name=name, state=ItemState.PASSED, found=_when(runs[0]))
    return Item(name=name, state=ItemState.FAILED, found=f"{_when(runs[0])}: {runs[0].outcome}", todo=todo)


def _is_rehearsal(run: Run, evidence: Evidence) -> bool:
    return bool(evidence.rehearsals) and run.filesystem.startswith(evidence.rehearsals.rstrip("/") + "/")


def _disk(run: Run) -> str:
    measured = next((step.measured[0] for step in run.steps if step.measured), None)
    return (
        "disk not measured" if measured is None else f"{format_bytes(measured.before_bytes)} available at its beginning"
    )


def _when(run: Run) -> str:
    return f"run {run.run_id}, {format_moment(run.started_s)}"
