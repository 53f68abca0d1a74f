"""What is written for GitHub holds nothing of a stranger's but text: comments, summaries, workflows and scripts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given, settings
from markdown_it import MarkdownIt
from ruamel.yaml import YAML
from tests.security.hostile import TEXTS, assert_text, unseen
from tests.unit.cli.simulated_ports import make_world

from tonnage.model.reports.ci_job import (
    Figures,
    ForecastOfService,
    ForecastOfStack,
    JobFit,
    JobForecast,
    JobRun,
    RunnerService,
    RunnerStack,
)
from tonnage.views.ci.job_summary import job_summary
from tonnage.views.ci.markdown import COMMENT_CHARACTERS, SUMMARY_BYTES, literal
from tonnage.views.ci.size_comment import marker, size_comment
from tonnage.views.ci.workflows import workflows

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Captured = pytest.CaptureFixture[str]


def markup(text: str) -> list[str]:
    """Return what a reader of Markdown finds in a text besides headings, tables, strong words and code."""
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    inline = [each for token in tokens for each in token.children or ()]
    plain = {"text", "softbreak", "strong_open", "strong_close"}
    html = {"<code>", "</code>", "<!-- -->"}
    blocks = [token.type for token in tokens if token.type in {"html_block", "list_item_open", "blockquote_open"}]
    if text.startswith("<!-- tonnage: "):
        blocks.remove("html_block")
    return blocks + [each.type for each in inline if each.type not in plain and each.content not in html]


def job(services: int, name: Callable[[int], str], *, stack: str = "shop", mounts: int = 1) -> JobForecast:
    figures = Figures(likely=7_000_003, grade="exact")
    return JobForecast(
        document="forecast",
        stack=ForecastOfStack(name=stack, image_bytes=figures, disk_bytes=figures),
        services=tuple(
            ForecastOfService(service=name(number), image_bytes=figures, disk_bytes=figures, transient_bytes=figures)
            for number in range(services)
        ),
        fits=tuple(
            JobFit(mount=name(number), available_bytes=1, reserve_bytes=1, fit=name(number)) for number in range(mounts)
        ),
    )


@settings(max_examples=40, deadline=None)
@given(text=TEXTS)
def test_markdown_holds_no_markup_of_a_stranger(text: str) -> None:
    here = job(2, lambda number: f"{text}{number}", stack=text)
    run = JobRun(purpose=text, outcome=text, failure=text)
    ending = JobRun(purpose=text, outcome=text)
    for told in (
        size_comment(here, here),
        size_comment(here, None),
        job_summary(here, run, None),
        job_summary(here, ending, None),
    ):
        assert not unseen(told)
        assert markup(told) == []
        assert "@" not in told
        assert "://" not in told
        assert "www." not in told.removeprefix(marker(text))
        rows = [line for line in told.splitlines() if line.startswith("|")]
        assert {line.count("|") for line in rows} in ({6}, {8})


@given(text=TEXTS)
def test_a_literal_names_no_character_that_cannot_be_seen(text: str) -> None:
    numbers = [int(each) for each in re.findall(r"&#(\d+);", literal(text))]
    assert not unseen("".join(map(chr, numbers)))


@pytest.mark.parametrize("services", [3, 900, 5_000, 30_000])
def test_a_comment_is_cut_at_what_github_takes(services: int) -> None:
    here = job(services, lambda number: f"service-{number}")
    told = size_comment(here, here)
    assert len(told) <= COMMENT_CHARACTERS
    shown = sum(line.startswith("| <code>service") for line in told.splitlines())
    left_out = [int(each) for each in re.findall(r"\.\.\. and (\d+) more services", told)]
    assert shown + sum(left_out) == services
    assert len(told) > COMMENT_CHARACTERS - 500 or not left_out
    assert "| **stack** |" in told
    assert "Peak of the stack" in told


@pytest.mark.parametrize("name", ["x", "\U0001f600", "\u00fc@", "|"])
def test_names_of_any_length_leave_room_for_the_others(name: str) -> None:
    here = job(20_000, lambda number: f"{number}{name * 1_000}", stack=name * 100_000, mounts=1_000)
    comment, run = size_comment(here, here), JobRun(purpose=name * 99_999, failure=name * 999_999)
    summary = job_summary(here, run, None)
    assert len(comment) <= COMMENT_CHARACTERS
    assert len(summary.encode()) <= SUMMARY_BYTES
    assert "| <code>1" in comment
    assert re.search(r"\.\.\. and \d+ more services", summary)
    assert "... and 980 more filesystems" in summary
    assert len(comment.splitlines()[0]) < 200


def runner_stack(**changes: str) -> RunnerStack:
    service = RunnerService(name="web", built=True, peak_bytes=99_000_000_000, registry="example.org", pushed=True)
    usual = RunnerStack(name="shop", directory="a/b", flags=("--file", "c.yaml"), services=(service,), install="pip")
    return msgspec.structs.replace(usual, **changes)


@settings(max_examples=15, deadline=None)
@given(text=TEXTS.filter(lambda text: not re.search("[\ud800-\udfff]", text)))
def test_no_name_of_a_stack_or_directory_adds_a_line_to_a_workflow(text: str) -> None:
    written, plain = (
        workflows(stack)["docker-deploy.yml"]
        for stack in (runner_stack(name=f"x{text}", directory=f"x{text}", branch=text), runner_stack())
    )
    assert written.count("\n") == plain.count("\n")
    assert not unseen(written)
    assert YAML(typ="safe").load(written)["jobs"].keys() == {"build", "deploy"}


@pytest.mark.parametrize("name", ["a\nb: c", "a\x1b[2J", "a\u202eb", "a\u2028b", "a\rb"])
def test_a_directory_with_a_line_break_is_refused_where_files_are_written(
    tmp_path: Path, capsys: Captured, name: str
) -> None:
    directory = tmp_path / name
    directory.mkdir()
    (tmp_path / ".git").mkdir()
    world = make_world(directory)
    (directory / "x\n.yaml").write_text((directory / "compose.yaml").read_text())
    for arguments in (("github",), ("deploy-script", "-f", "x\n.yaml")):
        assert world.run("ci", *arguments, "--write") == 2
        told = capsys.readouterr()
        assert "cannot stand in a file that is written" in told.err
        assert_text(told.err)
    assert not (tmp_path / ".github").exists()


def test_a_file_that_is_there_already_is_shown_as_text(tmp_path: Path, capsys: Captured) -> None:
    world = make_world(tmp_path)
    (tmp_path / ".git").mkdir()
    file = tmp_path / ".github" / "workflows" / "docker-deploy.yml"
    assert world.run("ci", "github", "--write") == 0
    hostile = "::stop-commands::x\n#\x1b[2J\x1b]0;x\x07 \u202e ##[error]x\n"
    mark = "# keep: environment\n"
    file.write_text(file.read_text().replace(mark, f"{mark}{hostile}"))
    assert world.run("ci", "github") == 0
    kept = capsys.readouterr()
    assert r"\::stop-commands::x" in kept.out
    assert_text(kept.out)
    file.write_text(f"{hostile}{file.read_text()}")
    assert world.run("ci", "github", "--write") == 2
    refused = capsys.readouterr()
    assert r"#\x1b[2J" in refused.err
    assert_text(refused.err)
