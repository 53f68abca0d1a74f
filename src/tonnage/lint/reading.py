"""A Dockerfile as rules look at it: every stage, every command with what it does, and where all of it is written.

Stages that no target needs are read as well. What a base image brings is not known here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.forecast.commands.effects import effects_by_command
from tonnage.forecast.gather.build_files import follow
from tonnage.forecast.gather.visible_files import StageFiles, TextFile
from tonnage.lazily import regex
from tonnage.lint.cutting import cut_out
from tonnage.lint.written_lines import JoinedText, WrittenLines
from tonnage.model.forecast.finding import Edit, Finding
from tonnage.model.forecast.recipe import CopyInstruction, FileSourceKind, RunInstruction
from tonnage.model.stack import Place
from tonnage.sources.dockerfile.lines import definitions
from tonnage.sources.dockerfile.parser import read_dockerfile
from tonnage.sources.dockerfile.recipe import recipe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tonnage.forecast.gather.visible_files import Reader
    from tonnage.model.forecast.dockerfile import Dockerfile, Instruction
    from tonnage.model.forecast.effects import AnyEffect
    from tonnage.model.forecast.recipe import FileSource, Recipe, RecipeStage, RecipeStep
    from tonnage.model.forecast.shell_script import ShellCommand

_NOT_SAID = "not-said"
_SETTINGS = (".conf", ".cfg", ".ini")
# At the end of a script it takes in what is written behind it.
_COMMENT = regex(r"(?<=[\s;&|])#")
_SUDO = regex(r"(?:\w+=\S*\s+)*sudo\s")
_ENDS = regex(r"exec\b")
_KEYWORD = regex(r"\s*(?:ONBUILD\s+)?[A-Za-z]+")


class ReadCommand(Struct, frozen=True, kw_only=True, eq=False):
    """One command of a ``RUN``, with what it does.

    Args:
        command: None for what no command of the script does.
        step: The instruction that it stands in.
    """

    command: ShellCommand | None
    effects: tuple[AnyEffect, ...]
    step: ReadStep

    @property
    def program(self) -> str:
        """The program; empty where it is not known."""
        return self.command.program if self.command is not None else ""

    @property
    def words(self) -> tuple[str, ...]:
        """What stands behind the program."""
        return tuple(word.text for word in self.command.words[1:]) if self.command is not None else ()

    @property
    def span(self) -> tuple[int, int] | None:
        """From where to where it stands in the script; None where it stands inside of another text."""
        command = self.command
        if command is None or self.step.script is None or not command.text:
            return None
        begin, text = command.offset, self.step.script.text
        return (begin, begin + len(command.text)) if text.startswith(command.text, begin) else None

    def behind_word(self, *words: str) -> int | None:
        """Return the place in the file behind the first of some words that stands there unquoted."""
        span = self.span
        if span is None or self.command is None or self.step.script is None:
            return None
        any_word = "|".join(map(re.escape, words))
        found = re.search(rf"(?<![^\s])(?:\S*/)?(?:{any_word})(?=\s|$)", self.command.text)
        return None if found is None else self.step.script.behind(span[0] + found.end())

    def with_option(self, option: str, *words: str) -> tuple[Edit, ...]:
        """Return the edit that puts an option behind the first of some words; none where that has no place."""
        at = self.behind_word(*words)
        return () if at is None else (Edit(at, at, f" {option}"),)


class ReadStep(Struct, kw_only=True, eq=False):
    """One instruction of a stage.

    Args:
        number: Which one of the stage it is, counted from 0.
        script: The script of a ``RUN`` in shell form, with its place in the file; None for everything else.
    """

    step: RecipeStep
    stage: ReadStage
    number: int
    lines: WrittenLines
    script: JoinedText | None = None
    commands: tuple[ReadCommand, ...] = ()

    @property
    def instruction(self) -> Instruction:
        """The instruction as it is written."""
        return self.step.instruction

    @property
    def run(self) -> RunInstruction | None:
        """What it does as a ``RUN``; None for any other."""
        return self.step.action if isinstance(self.step.action, RunInstruction) else None

    @property
    def copy(self) -> CopyInstruction | None:
        """What it does as a ``COPY`` or ``ADD``; None for any other."""
        return self.step.action if isinstance(self.step.action, CopyInstruction) else None

    @property
    def found(self) -> Iterator[tuple[ReadCommand, AnyEffect]]:
        """Everything that it does, command by command."""
        return ((command, effect) for command in self.commands for effect in command.effects)

    @property
    def behind_keyword(self) -> int:
        """The place in the file behind its keyword."""
        first = self.instruction.line
        found = _KEYWORD.match(self.lines.line(first))
        return self.lines.begin(first) + (found.end() if found else 0)

    def behind(self, command: ReadCommand) -> tuple[ReadCommand, ...]:
        """Return the commands behind one of them."""
        return self.commands[self.commands.index(command) + 1 :]

    def appended(self, command: str, by: ReadCommand | None = None) -> tuple[Edit, ...]:
        """Return the edit that adds a command at the end of the script, in the style of its lines; none without place.

        What could not be read might swallow it, and an exec form has no end to add something to.

        Args:
            by: The command behind which it cleans up: where that needs ``sudo``, so does this.
        """
        if self.script is None or not self.script.text.strip():
            return ()
        # Behind a last semicolon it would hide that what stands before it failed.
        text = self.script.text.rstrip().removesuffix(";").rstrip()
        at = self.script.behind(len(text))
        if at is None or text.endswith(("&", "|", "\\", ";")) or _COMMENT.search(text, self._last_end()):
            return ()
        if any(each.command is not None and _ENDS.match(each.command.text) for each in self.commands[-1:]):
            return ()
        if by is not None and by.command is not None and _SUDO.match(by.command.text):
            command = f"sudo {command}"
        joint = "&& "
        last, _ = self.lines.position(at - 1)
        if self.instruction.heredocs or last == self.instruction.line:
            return (Edit(at, at, f" {joint}{command}"),)
        begins_with_joint = self.lines.line(last).lstrip().startswith(("&&", ";"))
        indent = self.lines.indent(last) if begins_with_joint else "    "
        escape = self.stage.read.dockerfile.escape
        return (Edit(at, at, f" {escape}{self.lines.newline}{indent}{joint}{command}"),)

    def _last_end(self) -> int:
        """Return where in the script its last command ends; its length where that is not known."""
        ends = [each.span[1] for each in self.commands if each.span is not None]
        return max(ends, default=len(self.script.text) if self.script is not None else 0)

    def without(self, command: ReadCommand) -> tuple[Edit, ...]:
        """Return the edits that take a command and what joins it to its neighbours away; none without a place.

        Where nothing else is left the whole instruction goes.
        """
        if len(self.commands) == 1 or all(each is command for each in self.commands if each.command is not None):
            return (self.removed(),)
        return cut_out(self, command)

    def removed(self) -> Edit:
        """Return the edit that takes the whole instruction away."""
        return Edit(*self.lines.whole(self.instruction.line, self.instruction.end_line))

    def finding(self, rule: str, text: str, command: ReadCommand | None = None, **more: object) -> Finding:
        """Return a finding about the instruction, or about one of its commands."""
        place, column, end_line = self.step.place, 0, self.instruction.end_line
        at = None
        if command is not None and command.span is not None and self.script is not None:
            at = self.script.at(command.span[0])
        if at is not None:
            line, column = self.lines.position(at)
            place, end_line = Place(place.file, line), line
        return Finding(rule=rule, place=place, text=text, column=column, end_line=end_line, **more)  # type: ignore[arg-type]


class ReadStage(Struct, kw_only=True, eq=False):
    """One stage.

    Args:
        final: It becomes the image.
    """

    stage: RecipeStage
    read: DockerfileReading
    final: bool
    opening: Instruction
    steps: tuple[ReadStep, ...] = ()

    @property
    def runs(self) -> Iterator[ReadStep]:
        """Its own ``RUN`` instructions."""
        return (step for step in self.steps if step.run is not None)

    @property
    def in_image(self) -> bool:
        """Whether the image has its layers: it becomes the image, or that stands on it."""
        index: int | None = self.read.target
        bases = {each.stage.index: each.stage.base.stage for each in self.read.stages}
        while index is not None:
            if index == self.stage.index:
                return True
            index = bases.get(index)
        return False


class DockerfileReading(Struct, kw_only=True, eq=False):
    """A Dockerfile.

    Args:
        target: The number of the stage that becomes the image.
    """

    file: str
    lines: WrittenLines
    dockerfile: Dockerfile
    target: int
    stages: tuple[ReadStage, ...] = ()

    @property
    def steps(self) -> Iterator[ReadStep]:
        """Every instruction of every stage, without those that a base image kept."""
        return (step for stage in self.stages for step in stage.steps)

    @property
    def runs(self) -> Iterator[ReadStep]:
        """Every ``RUN``."""
        return (step for step in self.steps if step.run is not None)


def read_for_rules(
    text: str,
    file: str,
    *,
    build_args: Mapping[str, str] | None = None,
    target: str = "",
    context_text: Callable[[str], str | None] | None = None,
) -> DockerfileReading:
    """Read a Dockerfile.

    Args:
        build_args: What the build gives its arguments; one of a ``FROM`` that nothing gives a value stays unknown.
        target: The stage that becomes the image; empty for the last.
        context_text: Returns the text of a file of the context, which settings of pip are copied from; None for none.

    Raises:
        UsageError: It is none, or says what no builder accepts.
    """
    lines = WrittenLines(text)
    parsed = read_dockerfile(text, file)
    args = dict(build_args or {})
    for instruction in parsed.globals:
        for name, default in definitions(instruction.body, parsed.escape):
            if default is None:
                args.setdefault(name, _NOT_SAID)
    main = recipe(parsed, build_args=args, target=target)
    found = {stage.index: (stage, main) for stage in main.stages}
    for index in range(len(parsed.stages)):
        if index not in found:
            other = recipe(parsed, build_args=args, target=str(index))
            found |= {stage.index: (stage, other) for stage in other.stages if stage.index not in found}
    read = DockerfileReading(file=file, lines=lines, dockerfile=parsed, target=main.target)
    files: dict[int, StageFiles] = {}
    read.stages = tuple(_stage(read, *found[index], files, context_text) for index in sorted(found))
    return read


def _stage(
    read: DockerfileReading,
    stage: RecipeStage,
    made: Recipe,
    files: dict[int, StageFiles],
    context_text: Callable[[str], str | None] | None,
) -> ReadStage:
    opening = read.dockerfile.stages[stage.index].opening
    result = ReadStage(stage=stage, read=read, final=stage.index == made.target == read.target, opening=opening)
    remembered: dict[str, str] = {}
    steps = []
    below = files.get(stage.base.stage) if stage.base.stage is not None else None
    own = files[stage.index] = below.above() if below is not None else StageFiles()

    def reader(origin: FileSource) -> Reader:
        return _read_by(context_text if origin.kind is FileSourceKind.CONTEXT else None)

    for number, step in enumerate(stage.steps):
        own.take(step, reader, files)
        seen = own.seen_by(step, reader, files)
        done = effects_by_command(step, platform=stage.platform, remembered=remembered, files=_settings_in(seen))
        for each in (effect for _, effects in done for effect in effects):
            follow(own, each)
        if step.inherited:
            continue
        found = ReadStep(step=step, stage=result, number=number, lines=read.lines)
        if isinstance(step.action, RunInstruction) and step.action.words is None:
            found.script = JoinedText(read.lines, step.action.script, step.action.line_starts)
        found.commands = tuple(ReadCommand(command=command, effects=effects, step=found) for command, effects in done)
        steps.append(found)
    result.steps = tuple(steps)
    return result


def _settings_in(files: StageFiles) -> Callable[[str], str | None]:
    """Return what reads files of settings; scripts that commands run have no place in the Dockerfile."""
    return lambda path: files.text(path) if path.endswith(_SETTINGS) else None


def _read_by(context_text: Callable[[str], str | None] | None) -> Reader:
    def read(path: str) -> TextFile | None:
        text = context_text(path) if context_text is not None and path.endswith(_SETTINGS) else None
        return None if text is None else TextFile(text, path)

    return read
