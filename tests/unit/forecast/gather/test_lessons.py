"""What builds taught, from what they stored to the next forecast, without any outside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.forecasts.stacks import FactImage, FactLookups, Facts

from tonnage.forecast.gather.context import ForecastContext
from tonnage.forecast.gather.services import forecast_services
from tonnage.model.forecast.estimate import UNKNOWN, Estimate, Grade
from tonnage.model.forecast.learned import LearnedInstruction, lesson_keys
from tonnage.model.stack import BuildSpec, Service

if TYPE_CHECKING:
    from pathlib import Path

    from tonnage.model.forecast.estimate import InstructionForecast

BASE_BYTES = 120_000_007
MEASURED_BYTES = 31_000_003
FACTS = Facts(images={"debian:bookworm": FactImage(layers=[BASE_BYTES])})


class Stacks:
    """Forecasts services one at a time, and learns what they are told to have measured."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.taught: dict[str, LearnedInstruction] = {}

    def forecast(self, stack: str, name: str, dockerfile: str) -> tuple[InstructionForecast, ...]:
        context = self.directory / stack / name
        context.mkdir(parents=True, exist_ok=True)
        (context / "source.c").write_text(f"/* {stack} {name} */")
        (context / "Dockerfile").write_text(dockerfile)
        spec = BuildSpec(context=str(context), dockerfile=str(context / "Dockerfile"))
        service = Service(name=name, image=name, build=spec)
        around = ForecastContext(taught=self.taught, stack=stack)
        with FactLookups(FACTS, self.directory / "cache") as lookups:
            [found] = forecast_services([service], around, lookups)
        assert found.found_out, found.failures
        return found.steps

    def learn(self, step: InstructionForecast, image_bytes: int = MEASURED_BYTES) -> None:
        measured = Estimate(image_bytes, image_bytes, image_bytes, Grade.LEARNED)
        for key in filter(None, lesson_keys(step.learn_key)):
            self.taught[key] = LearnedInstruction(image=measured, disk=UNKNOWN, transient=UNKNOWN, runs=1)


def test_what_a_service_was_measured_to_write_is_forecast_of_it_again(tmp_path: Path) -> None:
    stacks = Stacks(tmp_path)
    text = "FROM debian:bookworm\nCOPY . /src\nRUN make -C /src\n"
    stacks.learn(stacks.forecast("shop", "web", text)[-1])

    again = stacks.forecast("shop", "web", text.replace("COPY", "RUN mkdir /var/x\nCOPY"))[-1]

    assert again.image == Estimate(MEASURED_BYTES, MEASURED_BYTES, MEASURED_BYTES, Grade.LEARNED)


def test_a_command_beside_other_files_is_a_guess_and_stays_unknown(tmp_path: Path) -> None:
    for number, command in enumerate(("make -C /src", "npm ci", "python setup.py install", "sh /src/build.sh")):
        stacks = Stacks(tmp_path / str(number))
        text = f"FROM debian:bookworm\nCOPY . /src\nWORKDIR /src\nRUN {command}\n"
        stacks.learn(stacks.forecast("shop", "web", text)[-1])

        for stack, service in (("shop", "worker"), ("blog", "web")):
            step = stacks.forecast(stack, service, text)[-1]
            assert step.image == Estimate(0, MEASURED_BYTES, 500_000_000, Grade.UNKNOWN)
            assert any("guess" in each.source for each in step.contributors)


def test_a_command_after_other_commands_is_a_guess_and_stays_unknown(tmp_path: Path) -> None:
    stacks = Stacks(tmp_path)
    text = "FROM debian:bookworm\nRUN git clone https://example.org/one /src\nRUN make -C /src\n"
    stacks.learn(stacks.forecast("shop", "web", text)[-1])

    step = stacks.forecast("shop", "worker", text.replace("/one", "/two"))[-1]

    assert step.image.grade is Grade.UNKNOWN


def test_a_command_that_sees_no_files_is_learned_by_every_service_after_the_same_commands(tmp_path: Path) -> None:
    stacks = Stacks(tmp_path)
    text = "FROM debian:bookworm\nENV A=1\nRUN install-the-tool 3.1\n"
    stacks.learn(stacks.forecast("shop", "web", text)[-1])

    step = stacks.forecast("blog", "worker", text.replace("A=1", "B=2") + "COPY . /src\n")[2]

    assert step.image.grade is Grade.LEARNED
    assert step.image.likely_bytes == MEASURED_BYTES
    assert step.image.low_bytes < MEASURED_BYTES < step.image.high_bytes


def test_what_is_mounted_counts_as_seen(tmp_path: Path) -> None:
    stacks = Stacks(tmp_path)
    text = "FROM debian:bookworm\nRUN --mount=type=bind,target=/src make -C /src\n"
    stacks.learn(stacks.forecast("shop", "web", text)[-1])

    assert stacks.forecast("shop", "worker", text)[-1].image.grade is Grade.UNKNOWN


def test_scripts_in_the_dockerfile_itself_are_told_apart(tmp_path: Path) -> None:
    stacks = Stacks(tmp_path)
    text = "FROM debian:bookworm\nRUN <<EOF\nmake one\nEOF\nRUN <<EOF\nmake two\nEOF\n"
    steps = stacks.forecast("shop", "web", text)
    stacks.learn(steps[-2])

    one, two = stacks.forecast("shop", "web", text)[-2:]

    assert one.image.grade is Grade.LEARNED
    assert two.image.grade is Grade.UNKNOWN


def test_another_build_argument_is_another_command(tmp_path: Path) -> None:
    stacks = Stacks(tmp_path)
    text = "FROM debian:bookworm\nARG V=1\nRUN fetch-it $V\n"
    stacks.learn(stacks.forecast("shop", "web", text)[-1])

    assert stacks.forecast("shop", "web", text.replace("V=1", "V=2"))[-1].image.grade is Grade.UNKNOWN


def test_what_is_copied_from_another_stage_is_learned(tmp_path: Path) -> None:
    stacks = Stacks(tmp_path)
    text = "FROM debian:bookworm AS made\nRUN make all\nFROM scratch\nCOPY --from=made /out /out\n"
    copied = stacks.forecast("shop", "web", text)[-1]
    assert copied.image.grade is Grade.UNKNOWN
    stacks.learn(copied)

    again = stacks.forecast("shop", "web", text)[-1]

    assert again.image.likely_bytes == MEASURED_BYTES
    assert again.image.grade is Grade.LEARNED
