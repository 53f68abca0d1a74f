"""The page about JSON names every field, and no other, of every form."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

from tests.forecasts.stacks import forecast_of
from tests.unit.views.samples import EVENTS, INVENTORY, LINES, PLAN, RUN, STACK

from tonnage.decide.reclaim.garbage_collection import modelled_policy
from tonnage.decide.reports.diagnosis import explain
from tonnage.decide.reports.log_patterns import find_symptoms
from tonnage.decide.reports.machine_figures import Machine
from tonnage.errors import UsageError
from tonnage.model.deploy.plan import Action
from tonnage.model.deploy.policy import Setting
from tonnage.model.deploy.run import Outcome, Pruned
from tonnage.model.forecast.estimate import Estimate, Grade, exactly
from tonnage.model.forecast.finding import Edit, Finding, Fix
from tonnage.model.inventory import Filesystem
from tonnage.model.reclaim.candidate import Findings
from tonnage.model.reclaim.garbage_collection import CollectionLoss, CollectionReport, CollectionSettings
from tonnage.model.reclaim.outcome import ReclaimChoice
from tonnage.model.reports.lint import LintedFile, LintedKind, LintReport
from tonnage.model.reports.symptom import Diagnosis
from tonnage.model.reports.torch import PackageChange, ServiceTorch, TorchReport, TorchVariant
from tonnage.model.reports.traces import TraceReport
from tonnage.model.ship import ShipLook, ShipReport
from tonnage.model.stack import Place
from tonnage.views.json.forms import (
    EVENT_NAMES,
    estimate_form,
    event_form,
    forecast_form,
    outcome_form,
    plan_form,
    run_form,
    step_form,
)
from tonnage.views.json.lint import lint_form
from tonnage.views.json.torch import torch_form
from tonnage.views.text.checks import Check, Verdict, checks_form, settings_form, verification_form
from tonnage.views.text.error import failure_form
from tonnage.views.text.explanations import diagnosis_form
from tonnage.views.text.garbage_collection import block_form, collection_form
from tonnage.views.text.reclaim import reclaim_form
from tonnage.views.text.runs import Comparison, accuracy_form, pruned_form
from tonnage.views.text.ship import ship_form
from tonnage.views.text.status import status_form
from tonnage.views.text.uninstall import uninstall_form

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "json.md").read_text()
CODE = re.compile(r"`([a-z_-]+)`")


NOTHING_CHOSEN = ReclaimChoice(available_bytes=1, target_bytes=1, chosen=(), freed_bytes=0, findings=Findings())


SHIP = ShipReport(
    stack="hello",
    endpoint="ssh://vm.example.org",
    services={},
    looked=ShipLook(ships=(), engine=INVENTORY.engine, disk=INVENTORY.filesystems[0], reserve_bytes=1),
)


def documented(name: str) -> set[str]:
    """Return the fields that the page names in the table row of a form."""
    rows = [line for line in PAGE.splitlines() if re.match(rf"\| `?{name}(?![\w-])", line)]
    assert len(rows) == 1, name
    return set(CODE.findall(rows[0].split("|")[-2]))


def documented_forms() -> dict[str, dict[str, object]]:
    """Return one form of each sort that needs nothing but samples."""
    setting = Setting(key="keep-free", value="2GB", origin="default", meaning="The line.")
    return {
        "plan": plan_form(PLAN),
        "ship": ship_form(SHIP),
        "verification": verification_form("hello", [Verdict(service="web", healthy=True)]),
        "status": status_form(INVENTORY, reserves=LINES, stack=STACK),
        "runs": {"runs": [run_form(RUN)]},
        "checks": checks_form([Check(name="engine", state="ok", found="20.10")]),
        "builder-gc": block_form({"enabled": True}, path=None, state="shown"),
        "settings": settings_form([setting]),
        "reclaim": reclaim_form(NOTHING_CHOSEN, mount="/", done=None),
        "uninstall": uninstall_form(TraceReport(endpoint="", traces=())),
        "explanations": diagnosis_form(Diagnosis(source="build.log")),
    }


def test_documents_have_the_documented_fields() -> None:
    for name, form in documented_forms().items():
        assert set(form) == documented(name), name


def test_an_explanation_and_its_symptoms_have_the_documented_fields() -> None:
    found = explain(find_symptoms("tar: x: Cannot write: No space left on device"), Machine())
    form: Any = diagnosis_form(Diagnosis(source="build.log", explanations=found))

    assert set(form["explanations"][0]) == documented("explanation")
    assert set(form["explanations"][0]["symptoms"][0]) == documented("symptom")


def test_a_forecast_has_the_documented_fields(tmp_path: Path) -> None:
    case = Path(__file__).resolve().parents[1] / "forecasts" / "index-on-a-requirement-line"
    form: Any = forecast_form(*forecast_of(case, tmp_path))
    [service], [fit] = form["services"], form["fits"]

    assert set(form) == documented("forecast`")
    assert set(form["stack"]) == documented("stack of a forecast")
    assert set(form["stack"]["filesystems"][0]) == documented("filesystem of a forecast")
    assert set(service) == documented("service of a forecast")
    assert set(service["steps"][0]) == documented("instruction of a forecast")
    assert set(service["steps"][-1]["contributors"][0]) == documented("contributor")
    assert set(service["findings"][0]) == documented("finding")
    assert set(service["image_bytes"]) == documented("figures of `forecast`")
    assert set(fit) == documented("fit ")


def test_what_lint_finds_has_the_documented_fields() -> None:
    fix = Fix(edits=(Edit(0, 0, "x"),), what="write x")
    found = Finding(rule="pip-cache", place=Place("Dockerfile", 3), text="it is wrong", fix=fix, price=exactly(7))
    file = LintedFile(path="/a/Dockerfile", shown="Dockerfile", kind=LintedKind.DOCKERFILE)
    form: Any = lint_form(LintReport(files=(file,), findings=(found,), removable=exactly(7)))

    assert set(form) == documented("lint`")
    assert set(form["findings"][0]) | {"what", "safety"} == documented("lint finding")


def test_what_torch_says_has_the_documented_fields() -> None:
    change = PackageChange(name="torch", before="2.3.1", after="2.3.1+cpu", expected=True)
    found = ServiceTorch(service="web", wanted=TorchVariant.CPU, changes=(change,), saved=exactly(7))
    form: Any = torch_form(TorchReport(services=(found,)), written=True)

    assert set(form) == documented("torch`")
    assert {*form["services"][0], *form["services"][0]["changes"][0]} == documented("service of `torch`")


def test_accuracy_has_the_documented_fields() -> None:
    comparison = Comparison(7, "web", "RUN make", "disk", Estimate(7, 11, 13, Grade.UNKNOWN), 12)
    form: Any = accuracy_form([comparison])

    assert set(form) == documented("accuracy`")
    assert set(form["figures"][0]) == documented("accuracy figure")


def test_a_pruned_journal_has_the_documented_fields() -> None:
    done = Pruned(runs=3, left=5, before_bytes=7, after_bytes=7)
    for form in (pruned_form("/a", done), pruned_form("/a", None)):
        assert set(form) == documented("pruned`")


def test_the_error_has_the_documented_fields() -> None:
    row = next(line for line in PAGE.splitlines() if line.startswith("| `error` | any"))

    assert set(CODE.findall(row.split("|")[-2])) == set(failure_form(UsageError("it is wrong")))


def test_every_event_is_documented_with_its_fields() -> None:
    assert {type(event) for event in EVENTS} == set(EVENT_NAMES)
    of_parts = {"step-finished": documented("outcome"), "run-finished": documented("run")}
    for event in EVENTS:
        form = event_form(event)
        name = str(form["event"])
        assert set(form) - {"format", "event"} == of_parts.get(name, documented(name)), name


def test_parts_have_the_documented_fields() -> None:
    step = step_form(PLAN.steps[0])
    measured = outcome_form(RUN.steps[0])["measured"]
    assert isinstance(measured, list)

    assert set(step) <= documented("step")
    assert set(estimate_form(PLAN.steps[0].kept)) == documented("forecast .`kept`")
    assert set(measured[0]) == documented("measured")


def test_garbage_collection_has_the_documented_fields() -> None:
    disk = Filesystem(mount="/", roles=("data-root",), size_bytes=20_461_731_840, available_bytes=7)
    policy = modelled_policy("28.5.2", disk.size_bytes, CollectionSettings())
    loss = CollectionLoss(after="web", free_bytes=1, removed_bytes=3, needed_bytes=2)
    form: Any = collection_form(
        CollectionReport(
            version="28.5.2", policy=policy, filesystem=disk, reserve_bytes=7, cache_bytes=11, losses=(loss,)
        )
    )

    assert set(form) == documented("garbage collection")
    assert set(form["rules"][0]) == documented("collection rule")
    assert set(form["losses"][0]) == documented("collection loss")


def test_every_kind_of_step_and_every_outcome_is_named() -> None:
    for action in get_args(Action):
        assert f"`{action.__struct_config__.tag}`" in PAGE
    for outcome in Outcome:
        assert f"`{outcome}`" in PAGE
