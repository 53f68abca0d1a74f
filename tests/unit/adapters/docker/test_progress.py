from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tonnage.adapters.docker.progress import BuildFailure, LegacyOutput, PlainOutput, RawJsonOutput

if TYPE_CHECKING:
    from tonnage.adapters.docker.progress import BuildOutput

RECORDED = Path(__file__).parents[3] / "wire" / "progress"
OUTPUTS: dict[str, type[PlainOutput | LegacyOutput | RawJsonOutput]] = {
    "plain": PlainOutput,
    "legacy": LegacyOutput,
    "rawjson": RawJsonOutput,
}
REST_OF_ONE = " && sleep 1 && echo second line >&2 && dd if=/dev/zero of=/one bs=1000003 count=1"


def _read(name: str) -> tuple[list[str], list[str], BuildFailure]:
    output: BuildOutput = OUTPUTS[name.partition("-")[0]]()
    where: list[str] = []
    lines: list[str] = []
    for line in (RECORDED / f"{name}.txt").read_bytes().decode().replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        heard = output.hear(line)
        where += [heard.where] if heard.where else []
        lines += heard.lines
    return where, lines, output.failure()


def test_plain_tells_each_step_once_and_nothing_of_the_builders_own() -> None:
    where, lines, failure = _read("plain-success")
    assert where == [
        "[one 1/2] FROM docker.io/library/busybox",
        "[stage-1 2/5] WORKDIR /app",
        "[stage-1 3/5] COPY greeting.txt /app/",
        f'[one 2/2] RUN echo "hi from one"{REST_OF_ONE}',
        "[stage-1 4/5] COPY --from=one /one /one",
        (
            r"[stage-1 5/5] RUN printf 'progress 10%%\rprogress 100%%\n'     && printf '\033[31mred\033[0m\n'"
            " && sleep 1     && echo done"
        ),
        "exporting to image",
    ]
    assert lines == [
        "hi from one",
        "second line",
        "1+0 records in",
        "1+0 records out",
        "progress 10%",
        "progress 100%",
        "red",
        "done",
    ]
    assert failure.step == ""


def test_legacy_tells_each_step_and_leaves_bookkeeping_out() -> None:
    where, lines, _ = _read("legacy-success")
    assert where[0] == "sending the build context 8.192kB"
    assert where[1:4] == [
        "[1/8] FROM busybox AS one",
        "[2/8] ARG GREETING=hi",
        f'[3/8] RUN echo "$GREETING from one"{REST_OF_ONE}',
    ]
    assert [line for line in lines if "record" not in line] == [
        "hi from one",
        "second line",
        "progress 10%",
        "progress 100%",
        "red",
        "done",
    ]


def test_rawjson_puts_torn_lines_and_characters_together() -> None:
    where, lines, _ = _read("rawjson-success")
    assert where == [
        "[one 1/2] FROM docker.io/library/busybox:latest",
        "[stage-1 2/3] COPY greeting.txt /app/ (cached)",
        "[stage-1 3/3] RUN pip install",
        "exporting to image",
    ]
    assert lines == [
        "one",
        "Collecting foo",
        " 10%",
        " 100%",
        "warning: FromAsCasing: 'as' and 'FROM' keywords' casing do not match (line 1)",
        "━ red",
    ]


@pytest.mark.parametrize("name", ["plain-cached", "legacy-cached"])
def test_a_cached_step_is_told_as_cached(name: str) -> None:
    where, lines, _ = _read(name)
    assert sum(text.endswith("(cached)") for text in where) >= 5
    assert lines == []


@pytest.mark.parametrize(
    ("name", "step", "reason", "last", "line"),
    [
        ("plain-failing", "[3/3] RUN echo before", "exit code: 17", "it breaks here", None),
        ("plain-failing-23", "[2/3] RUN echo before && exit 17", "exit code: 17", "before", 3),
        ("legacy-failing", "[3/3] RUN echo before", "returned a non-zero code: 17", "line 60", None),
        ("rawjson-failing", "[stage-1 3/3] RUN pip install", "exit code: 17", "it breaks here", 10),
        ("plain-absent-file", "[2/2] COPY absent.txt /", '"/absent.txt" not found', "", None),
        ("legacy-absent-file", "[2/2] COPY absent.txt /", "COPY failed: file not found", "", None),
        ("plain-missing-base", "[internal] load metadata for nothere.example.org/none:17", "no such host", "", None),
        ("legacy-missing-base", "[1/2] FROM nothere.example.org/none:17", "no such host", "", None),
        ("rawjson-missing-base", "[internal] load metadata for nothere.example.org/none:17", "no such host", "", 1),
        ("plain-unknown-instruction", "", "line 2: unknown instruction: RUNN", "", None),
        ("legacy-unknown-instruction", "", "line 2: unknown instruction: RUNN", "", None),
        ("plain-enospc", "[2/2] RUN dd", "exit code: 1", "277+0 records out", None),
        ("legacy-enospc", "[2/2] RUN dd", "non-zero code: 1", "277+0 records out", None),
        ("plain-enospc-context", "[internal] load build context", "no space left on device", "", None),
        ("legacy-enospc-context", "", "no space left on device", "", None),
    ],
)
def test_a_failure_names_its_step_its_reason_and_what_the_step_printed_last(
    name: str, step: str, reason: str, last: str, line: int | None
) -> None:
    failure = _read(name)[2]
    assert failure.step.startswith(step)
    assert bool(failure.step) == bool(step)
    assert reason in failure.reason
    assert (failure.log[-1] if failure.log else "") == last
    assert failure.line == line


@pytest.mark.parametrize("name", ["plain-failing", "legacy-failing", "rawjson-failing"])
def test_of_a_long_log_the_last_forty_lines_are_kept_and_all_are_told(name: str) -> None:
    _, lines, failure = _read(name)
    assert 39 <= len(failure.log) <= 40
    assert sum(line.startswith("line ") for line in lines) == 60


@pytest.mark.parametrize("kind", OUTPUTS)
def test_garbage_is_handed_on_and_stops_nothing(kind: str) -> None:
    output: BuildOutput = OUTPUTS[kind]()
    garbage = [
        "",
        "\x1b[31m",
        "{",
        '{"vertexes": 17}',
        "#",
        "#17",
        "# 17",
        "Step x/y : z",
        " ---> ",
        "------",
        "\ufffd\ufffd",
    ]
    for line in garbage:
        output.hear(line)
    assert output.hear("\x1b[1mplain words\x1b[0m").lines == ("plain words",)
    assert output.failure().step in {"", "17"}


def test_lines_of_interleaved_steps_go_to_their_own_step() -> None:
    output = PlainOutput()
    for line in (
        "#5 [a 2/2] RUN one",
        "#5 0.100 from one",
        "#5 ...",
        "",
        "#6 [b 2/2] RUN two",
        "#6 0.200 from two",
        "#6 ...",
        "",
        "#5 [a 2/2] RUN one",
        "#5 0.300 again one",
        "#5 ERROR: process failed: exit code: 17",
    ):
        output.hear(line)
    assert output.failure() == BuildFailure(
        "[a 2/2] RUN one", "process failed: exit code: 17", ("from one", "again one")
    )


def test_a_step_that_was_only_stopped_is_not_the_one_that_failed() -> None:
    output = PlainOutput()
    for line in ("#5 [a 2/2] RUN one", "#6 [b 2/2] RUN two", "#5 ERROR: context canceled", "#6 ERROR: exit code: 17"):
        output.hear(line)
    assert output.failure().step == "[b 2/2] RUN two"


def test_log_lines_that_buildkit_numbered_zero_belong_to_the_step_before() -> None:
    output = PlainOutput()
    output.hear("#5 [2/2] RUN echo 1")
    assert output.hear("#0 0.085 1").lines == ("1",)
