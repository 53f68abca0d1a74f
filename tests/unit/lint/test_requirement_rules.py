from __future__ import annotations

import pytest

from tonnage.lint.fixing import with_fixes
from tonnage.lint.rules import REQUIREMENT_RULES
from tonnage.lint.text_files import text_findings

CPU = "https://download.pytorch.org/whl/cpu"


def rules_in(text: str) -> list[str]:
    return [each.rule for each in text_findings(text, "requirements.txt", REQUIREMENT_RULES)]


def fix(text: str) -> str:
    return with_fixes(
        text, lambda each: text_findings(each, "requirements.txt", REQUIREMENT_RULES), lambda _: True
    ).text


@pytest.mark.parametrize("rule", REQUIREMENT_RULES, ids=lambda rule: rule.name)
def test_a_rule_finds_what_its_page_shows_and_makes_what_it_advises(rule: object) -> None:
    name, before, after = rule.name, rule.before, rule.after  # type: ignore[attr-defined]
    assert name in rules_in(before)
    assert fix(f"{before}\n") == f"{after}\n"
    assert not rules_in(after)


@pytest.mark.parametrize(
    ("text", "fixed"),
    [
        (
            f"flask\ntorch==2.3.1 --index-url {CPU}\ntorchvision==0.18.1 -i {CPU}  # small\n",
            (
                f"flask\n--extra-index-url {CPU}\ntorch==2.3.1+cpu\n"
                f"--extra-index-url {CPU}\ntorchvision==0.18.1+cpu  # small\n"
            ),
        ),
        (
            'torch==2.3.1 ; python_version < "3.13"\r\ntorchvision==0.18.1\r\n',
            f'--extra-index-url {CPU}\r\ntorch==2.3.1+cpu ; python_version < "3.13"\r\ntorchvision==0.18.1+cpu\r\n',
        ),
        (
            f"--extra-index-url {CPU}\ntorch == 2.3.1  # pinned",
            f"--extra-index-url {CPU}\ntorch == 2.3.1+cpu  # pinned",
        ),
    ],
)
def test_only_the_lines_of_pytorch_change(text: str, fixed: str) -> None:
    assert fix(text) == fixed
    assert fix(fixed) == fixed


@pytest.mark.parametrize(
    "text",
    [
        "torchmetrics==1.0\ntorch-geometric==2.5\n",
        f"--index-url {CPU}\ntorch==2.3.1\n",
        "-f https://example.org/wheels\ntorch==2.3.1\n",
        f"--extra-index-url {CPU}\ntorch==2.3.1+cpu\n",
        "torch @ https://example.org/torch-2.3.1%2Bcpu-cp311-cp311-linux_x86_64.whl\n",
        "torch==2.3.1 --hash=sha256:00\n",
        "# torch==2.3.1 --index-url https://example.org\n",
        "torch==2.3.1  # tonnage: ignore=torch-cuda\n",
        "# tonnage: ignore\ntorch==2.3.1\n",
        "torch==2.3.1+cu121\n",
        "",
    ],
)
def test_what_says_what_it_wants_is_no_finding(text: str) -> None:
    assert not rules_in(text)


def test_a_version_that_is_not_exact_is_told_and_stays() -> None:
    assert rules_in("torch>=2.3\n") == ["torch-cuda"]
    assert fix("torch>=2.3\n") == "torch>=2.3\n"


def test_a_line_of_blanks_takes_no_time_by_its_square() -> None:
    assert not rules_in("a ;" + " " * 200_000 + "x\n" + "torch" + " " * 200_000 + "\n")


@pytest.mark.parametrize(
    ("text", "finds"),
    [
        ("torch==2.3.1 \\\n   --index-url https://example.org/whl/cpu\nflask\n", True),
        ("torch==2.3.1 \\\n  --hash=sha256:00 \\\n  -i https://example.org/whl/cpu\n", True),
        ("torch==2.3.1 \\\n  --hash=sha256:00\n-i https://example.org/whl/cpu\n", False),
        ("--extra-index-url \\\n  https://example.org/whl/cpu\ntorch==2.3.1\n", False),
        ("torch==2.3.1 \\", False),
    ],
)
def test_a_requirement_over_several_lines_is_told_and_left(text: str, *, finds: bool) -> None:
    found = [each for each in text_findings(text, "r.txt", REQUIREMENT_RULES) if each.rule == "index-on-requirement"]
    assert [(each.place.line, each.fix) for each in found] == ([(1, None)] if finds else [])
