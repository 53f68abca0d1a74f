"""Rules about several services of one stack."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tonnage.lint.fixing import with_edits
from tonnage.lint.reading import read_for_rules
from tonnage.lint.rule import LintedService
from tonnage.lint.rules import STACK_RULES
from tonnage.model.stack import Place

if TYPE_CHECKING:
    from tonnage.lint.rule import StackFinding

SLIM = "FROM python:3.12-slim\n"


def service(name: str, text: str, **more: object) -> LintedService:
    path = f"/shop/{name}/Dockerfile"
    read = read_for_rules(text, f"{name}/Dockerfile")
    more = {"has_health_check": True, **more}
    return LintedService(name=name, place=Place("compose.yaml", 3), dockerfile=read, path=path, **more)  # type: ignore[arg-type]


def found(*services: LintedService) -> list[StackFinding]:
    return [each for rule in STACK_RULES for each in rule.check(services)]


def rules_in(*services: LintedService) -> list[str]:
    return [each.finding.rule for each in found(*services)]


def test_services_on_two_tags_could_stand_on_the_one_that_most_have() -> None:
    texts = ("FROM python:3.11-slim\n", SLIM, SLIM)
    [each] = found(*(service(f"s{number}", text) for number, text in enumerate(texts)))
    assert each.finding.rule == "different-bases"
    assert "s0 uses python:3.11-slim, and s1, s2 python:3.12-slim" in each.finding.text
    assert with_edits(texts[0], each.edits) == SLIM
    assert each.services == ("s0", "s1", "s2")


@pytest.mark.parametrize(
    "other", [SLIM, "FROM debian:bookworm\n", "FROM python@sha256:" + "a" * 64 + "\n", "FROM scratch\n"]
)
def test_the_same_base_another_name_or_a_digest_is_no_finding(other: str) -> None:
    assert "different-bases" not in rules_in(service("a", SLIM), service("b", other))


def test_the_same_steps_in_another_order_are_found_and_put_in_one_for_the_price() -> None:
    one = f"{SLIM}RUN a\nRUN b \\\n  && c\nENV X=1\nRUN mine\n"
    other = f"{SLIM}RUN b && c\nENV X=1\nRUN a\nRUN other\n"
    [each] = found(service("one", one), service("other", other))
    assert each.finding.rule == "different-order"
    assert "other begins with the same 3 steps as one" in each.finding.text
    assert with_edits(other, each.edits) == f"{SLIM}RUN a\nRUN b && c\nENV X=1\nRUN other\n"


@pytest.mark.parametrize("other", ["RUN a\nRUN b\nRUN x\n", "RUN b\nRUN x\nRUN a\n", "ENV A=1\n", "RUN b\n"])
def test_the_same_order_and_other_steps_are_no_finding(other: str) -> None:
    assert "different-order" not in rules_in(service("a", f"{SLIM}RUN a\nRUN b\n"), service("b", SLIM + other))


def test_other_versions_of_a_heavy_package_are_found_at_their_line() -> None:
    pins = [{"torch": (version, Place(f"{version}.txt", 4))} for version in ("2.3.1", "2.3.0", "2.3.1")]
    [each] = found(*(service(f"s{number}", SLIM, pins=each) for number, each in enumerate(pins)))
    assert (each.finding.rule, str(each.finding.place)) == ("different-versions", "2.3.0.txt:4")


def test_all_of_a_context_without_an_ignore_file_is_found_with_its_bytes() -> None:
    text = f"{SLIM}WORKDIR /srv\nCOPY . .\n"
    [each] = found(service("web", text, has_ignore_file=False, unneeded=((".git", 70_000_001), (".venv", 7))))
    assert (each.finding.rule, each.unneeded_bytes) == ("no-ignore-file", 70_000_008)
    assert ".git (70.0 MB)" in each.finding.text
    assert not found(service("web", text))
    assert not found(service("web", f"{SLIM}COPY app /srv\n", has_ignore_file=False))


def test_a_health_check_may_stand_in_either_file() -> None:
    assert rules_in(service("web", SLIM, has_health_check=False)) == ["no-health-check"]
    assert not rules_in(service("web", f"{SLIM}HEALTHCHECK CMD true\n", has_health_check=False))
    assert not rules_in(service("web", f"{SLIM}HEALTHCHECK NONE\n", has_health_check=False))


REQUIREMENTS = "torch==2.3.1\nflask\n"
SPLIT = f"{SLIM}WORKDIR /srv\nCOPY requirements.txt .\nRUN pip install --no-cache-dir -r requirements.txt\nCOPY . .\n"


def with_requirements(text: str, requirements: str, **more: object) -> LintedService:
    held = {"/shop/web/requirements.txt": ("web/requirements.txt", requirements)}
    return service("web", text, requirements=held, **more)


def test_heavy_packages_are_split_off_before_their_file_is_copied() -> None:
    requirements = "# all\n--extra-index-url https://example.org/simple\ntorch == 2.3.1  # big\nflask\n"
    [each] = [one for one in found(with_requirements(SPLIT, requirements)) if one.finding.rule == "split-install"]
    assert "torch and 1 other package are installed by one instruction" in each.finding.text
    assert each.finding.changes_at == (3, 4)
    new = (
        "WORKDIR /srv\nRUN pip install --no-cache-dir --extra-index-url https://example.org/simple torch==2.3.1\nCOPY r"
    )
    assert with_edits(SPLIT, each.edits) == SPLIT.replace("WORKDIR /srv\nCOPY r", new)


@pytest.mark.parametrize(
    ("text", "requirements"),
    [
        (SPLIT, "torch>=2\nflask\n"),
        (SPLIT, "torch==2.3.1\n"),
        (SPLIT, "flask\nrequests\n"),
        (SPLIT, "torch==2.3.1 --hash=sha256:00\nflask\n"),
        (SPLIT, "-r base.txt\ntorch==2.3.1\nflask\n"),
        (SPLIT.replace("COPY r", "RUN pip install torch==2.3.1\nCOPY r"), REQUIREMENTS),
        (SPLIT.replace("-r requirements.txt", "."), REQUIREMENTS),
        (SPLIT.replace("-r requirements.txt", '"$(cat requirements.txt)"'), REQUIREMENTS),
    ],
)
def test_what_cannot_be_split_or_is_split_is_no_finding(text: str, requirements: str) -> None:
    assert "split-install" not in rules_in(with_requirements(text, requirements))


def test_pytorch_that_only_runs_a_model_is_priced_as_a_runtime() -> None:
    requirements = "flask\r\ntorch==2.3.1\r\ntorchvision==0.18.1\r\n"
    web = with_requirements(SLIM, requirements, only_infers=True)
    [each] = found(web)
    assert each.finding.rule == "torch-for-inference"
    assert (each.path, str(each.finding.place)) == ("/shop/web/requirements.txt", "web/requirements.txt:2")
    assert with_edits(requirements, each.edits) == "flask\r\nonnxruntime\r\n\r\n"
    assert not found(with_requirements(SLIM, requirements))
    assert not found(with_requirements(SLIM, "flask\ntorchmetrics\n", only_infers=True))
