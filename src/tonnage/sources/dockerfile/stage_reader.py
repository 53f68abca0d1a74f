"""The instructions of one stage, each with what is in force at it.

Source: ``frontend/dockerfile/dockerfile2llb`` of BuildKit, read in version 0.26.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tonnage.errors import UsageError
from tonnage.lazily import regex
from tonnage.model.forecast.dockerfile import Flag
from tonnage.model.forecast.recipe import (
    SHELL,
    BaseConfig,
    Builder,
    CopyInstruction,
    FileSource,
    FileSourceKind,
    InstructionEnvironment,
    MetadataInstruction,
    RecipeStage,
    RecipeStep,
    RunInstruction,
    WorkdirInstruction,
)
from tonnage.model.stack import Place
from tonnage.sources.dockerfile.lines import definitions, pairs
from tonnage.sources.dockerfile.origins import read_mount
from tonnage.sources.dockerfile.shell_wrappers import SHELLS
from tonnage.sources.substitution import Lexer, SubstitutionError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tonnage.model.forecast.dockerfile import Instruction, Stage
    from tonnage.model.forecast.recipe import Action
    from tonnage.sources.dockerfile.origins import Names

    Expand = Callable[[str], str]

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_FED_PROGRAM = regex(r"(?P<heading>\d*<<-?\S+)\s+(?P<words>(?:[^&|;<()]|>&)+)(?P<rest>[^<]*)")
_MOST_NAMES = 1_000
_MOST_SCRIPT_BYTES, _MOST_CHARACTER_BYTES = 131_071, 4
_SHEBANG = regex(r"#!\s*(?P<words>\S[^\n]*)")
_HEADING = regex(r"\d*<<-?[^<\s]+")
_FROM = regex(r"(?:^|,)\s*from=(?P<name>[^,]*)")


class StageInputs(Struct, frozen=True, kw_only=True):
    """What every stage of one Dockerfile is given."""

    names: Names
    lexer: Lexer
    globals: Mapping[str, str]
    build_args: Mapping[str, str]
    builder: Builder
    file: str
    platform: str
    proxies: Mapping[str, str]


def expanded(lexer: Lexer, word: str, values: Mapping[str, str], place: str) -> str:
    """Put variables into a word.

    Raises:
        UsageError: The builder would refuse it.
    """
    try:
        return lexer.expand(word, values)
    except SubstitutionError as error:
        raise UsageError(
            f"{word} cannot be read",
            why=f"{error}.",
            todo="Put it into single quotes where it is to stay as it is, or write it in a way that builders know.",
            place=place,
        ) from error


class StageReader:
    """Reads one stage from its first instruction to its last."""

    def __init__(
        self, outside: StageInputs, stage: Stage, *, platform: str, config: BaseConfig | None, below: RecipeStage | None
    ) -> None:
        self._outside = outside
        self._stage = stage
        self._platform = platform
        if below is not None:
            inherits = outside.builder is Builder.BUILDKIT
            self._now = below.ending if inherits else replace(below.ending, arguments={})
            return
        given = config or BaseConfig()
        self._now = InstructionEnvironment(
            environment={"PATH": _PATH, **given.environment},
            working_directory=posixpath.join("/", given.working_directory),
            user=given.user,
            shell=given.shell or SHELL,
            base_known=config is not None,
            volumes=given.volumes,
        )

    def needs(self, instructions: Sequence[Instruction]) -> tuple[int, ...]:
        """Return the stages that instructions take files from."""
        found: dict[int, None] = {}
        for instruction in instructions:
            place = self._place(instruction)
            named = [flag.value for flag in instruction.flags if flag.name == "from" and instruction.keyword == "COPY"]
            for flag in instruction.flags:
                if flag.name == "mount":
                    named += [match["name"] for match in _FROM.finditer(flag.value)]
            stages = (self._origin(name, str(place)).stage for name in named)
            found |= {stage: None for stage in stages if stage is not None}
        return tuple(found)

    def read(
        self, base: FileSource, kept: Sequence[Instruction], instructions: Sequence[Instruction], place: Place
    ) -> RecipeStage:
        """Read the whole stage.

        Raises:
            UsageError: A variable cannot be put in, or an instruction makes no sense so.
        """
        steps = [self._step(each, place, inherited=True) for each in kept]
        steps += [self._step(each, self._place(each), inherited=False) for each in instructions]
        own = () if base.stage is None else (base.stage,)
        return RecipeStage(
            index=self._stage.index,
            name=self._stage.name,
            base=base,
            platform=self._platform,
            place=place,
            steps=tuple(steps),
            ending=self._now,
            needs=tuple(dict.fromkeys((*own, *self.needs((*kept, *instructions))))),
        )

    def _place(self, instruction: Instruction) -> Place:
        return Place(self._outside.file, instruction.line)

    def _origin(self, name: str, place: str) -> FileSource:
        return self._outside.names.copied(name, self._stage.index, self._platform, place)

    def _step(self, instruction: Instruction, place: Place, *, inherited: bool) -> RecipeStep:
        before = self._now
        values = before.variables
        if instruction.keyword == "RUN" and self._outside.proxies:
            before = replace(before, arguments={**self._outside.proxies, **before.arguments})

        def expand(word: str) -> str:
            return expanded(self._outside.lexer, word, values, str(place))

        action = self._act(instruction, expand, str(place))
        if len(self._now.environment) + len(self._now.arguments) > _MOST_NAMES:
            raise UsageError(
                f"more than {_MOST_NAMES:,} variables are in force here",
                todo="Write them into a file that is copied into the image.",
                place=str(place),
            )
        written = instruction.flags if instruction.keyword in {"RUN", "COPY", "ADD"} else ()
        flags = (each if each.name in {"from", "mount"} else Flag(each.name, expand(each.value)) for each in written)
        return RecipeStep(
            instruction=instruction,
            text=self._text(instruction, values),
            action=action,
            surroundings=before,
            place=place,
            flags=tuple(flags),
            inherited=inherited,
        )

    def _text(self, instruction: Instruction, values: Mapping[str, str]) -> str:
        quotes = instruction.keyword in {"RUN", "ONBUILD", "CMD", "ENTRYPOINT", "HEALTHCHECK", "SHELL"}
        lexer = replace(self._outside.lexer, raw_quotes=quotes, raw_escapes=quotes, keep_unset=quotes)
        try:
            text = lexer.expand(instruction.text, values)
        except SubstitutionError:
            text = instruction.text
        return f"{instruction.keyword} {text}"

    def _act(self, instruction: Instruction, expand: Expand, place: str) -> Action:
        keyword = instruction.keyword
        if keyword == "RUN":
            return self._run(instruction, expand, place)
        if keyword in {"COPY", "ADD"}:
            return self._copy(instruction, expand, place)
        if keyword == "WORKDIR":
            directory = posixpath.normpath(posixpath.join(self._now.working_directory, expand(instruction.body)))
            self._now = replace(self._now, working_directory=directory)
            return WorkdirInstruction(directory=directory)
        if keyword == "ENV":
            self._env(instruction, expand)
        elif keyword == "ARG":
            self._arg(instruction, place)
        elif keyword == "USER":
            self._now = replace(self._now, user=expand(instruction.body))
        elif keyword == "SHELL":
            self._now = replace(self._now, shell=instruction.words or SHELL)
        elif keyword == "VOLUME":
            named = instruction.words if instruction.words is not None else instruction.body.split()
            places = (posixpath.normpath(posixpath.join("/", expand(each))) for each in named)
            self._now = replace(self._now, volumes=tuple(dict.fromkeys((*self._now.volumes, *places))))
        return MetadataInstruction()

    def _env(self, instruction: Instruction, expand: Expand) -> None:
        written = pairs(instruction.body, self._outside.lexer.escape)
        new = {expand(name): expand(value) for name, value in written}
        arguments = {name: value for name, value in self._now.arguments.items() if name not in new}
        self._now = replace(self._now, environment={**self._now.environment, **new}, arguments=arguments)

    def _arg(self, instruction: Instruction, place: str) -> None:
        for name, default in definitions(instruction.body, self._outside.lexer.escape):
            value = self._outside.build_args.get(name)
            if value is None and default is not None:
                value = expanded(self._outside.lexer, default, self._now.variables, place)
            elif value is None:
                value = self._outside.globals.get(name)
            if value is None:
                self._now = replace(self._now, unset=(*self._now.unset, name))
                continue
            # The classic builder lets ENV go before ARG; to BuildKit what stands last counts.
            if self._outside.builder is Builder.BUILDKIT or name not in self._now.environment:
                self._now = replace(self._now, arguments={**self._now.arguments, name: value})

    def _run(self, instruction: Instruction, expand: Expand, place: str) -> RunInstruction:
        mounts = tuple(
            read_mount(
                flag.value,
                expand=expand,
                origin=lambda name: self._origin(name, place),
                directory=self._now.working_directory,
                place=place,
            )
            for flag in instruction.flags
            if flag.name == "mount"
        )
        network = expand(instruction.flag("network") or "")
        if instruction.words is not None:
            return RunInstruction(words=instruction.words, mounts=mounts, network=network)
        _refuse_what_cannot_start(instruction, place)
        script, starts, reader = _script(instruction)
        return RunInstruction(script=script, mounts=mounts, network=network, line_starts=starts, reader=reader)

    def _copy(self, instruction: Instruction, expand: Expand, place: str) -> CopyInstruction:
        written = instruction.words if instruction.words is not None else tuple(instruction.body.split())
        *sources, destination = (
            word if instruction.heredocs and _HEADING.fullmatch(word) else expand(word) for word in written
        )
        named = [word for word in sources if not (instruction.heredocs and _HEADING.fullmatch(word))]
        values = self._now.variables
        inline = tuple(
            replace(each, body=expanded(Lexer(skip_quotes=True), each.body, values, place)) if each.expands else each
            for each in instruction.heredocs
        )
        is_directory = destination.endswith(("/", "/.")) or destination in {".", ".."} or len(sources) > 1
        path = posixpath.normpath(posixpath.join(self._now.working_directory, destination))
        from_ = instruction.flag("from") if instruction.keyword == "COPY" else None
        unpack = instruction.flag("unpack")
        return CopyInstruction(
            sources=tuple(named),
            destination=f"{path.rstrip('/')}/" if is_directory else path,
            origin=self._origin(from_, place) if from_ else FileSource(FileSourceKind.CONTEXT),
            adds=instruction.keyword == "ADD",
            unpacks=None if unpack is None else unpack.lower() not in {"false", "0"},
            inline=inline,
            owner=expand(instruction.flag("chown") or ""),
            mode=expand(instruction.flag("chmod") or ""),
            link=_on(instruction, "link"),
            parents=_on(instruction, "parents"),
            excludes=tuple(expand(flag.value) for flag in instruction.flags if flag.name == "exclude"),
            checksum=expand(instruction.flag("checksum") or ""),
        )


def _on(instruction: Instruction, name: str) -> bool:
    value = instruction.flag(name)
    return value is not None and value.lower() not in {"false", "0"}


def _refuse_what_cannot_start(instruction: Instruction, place: str) -> None:
    """Refuse a script that Linux starts no shell with: builders hand it over as one argument.

    Source: ``MAX_ARG_STRLEN`` of Linux, 32 pages with the end of the text; ``dispatchRun`` of BuildKit, which makes a
    file only of a document that begins with ``#!``.
    """
    documents = [each.body for each in instruction.heredocs]
    written = documents or [instruction.body.strip()]
    if sum(map(len, written)) <= _MOST_SCRIPT_BYTES // _MOST_CHARACTER_BYTES or written[0].startswith("#!"):
        return
    size_bytes = sum(len(each.encode(errors="surrogatepass")) for each in written)
    if size_bytes > _MOST_SCRIPT_BYTES:
        raise UsageError(
            f"this RUN has {size_bytes:,} bytes, and no build can start it",
            why=f"A shell gets it as one argument, and Linux takes {_MOST_SCRIPT_BYTES:,} bytes for one.",
            todo="Put it into a file, copy that into the image, and run it.",
            place=place,
        )


def _script(instruction: Instruction) -> tuple[str, tuple[tuple[int, int], ...], str]:
    """Return the script that a shell gets, where each line of it is written, and that shell if it is not the usual."""
    documents = instruction.heredocs
    body = instruction.body
    if not documents:
        return body, instruction.line_starts, ""
    text = body
    if len(documents) == 1:
        fed = _FED_PROGRAM.fullmatch(body)
        if fed is not None and not (_is_shell(fed["words"]) and not fed["rest"]):
            # The same to a shell, with the program first.
            text = f"{fed['words'].rstrip()} {fed['heading']} {fed['rest']}".rstrip()
        elif fed is not None or _HEADING.fullmatch(body):
            shebang = _SHEBANG.match(documents[0].body)
            if fed is not None or shebang is None or _is_shell(shebang["words"]):
                words = fed["words"] if fed is not None else shebang["words"] if shebang is not None else ""
                return documents[0].body, _starts(documents[0].body, 0, documents[0].line), _shell_in(words)
            # A builder runs it as a program: what the interpreter gets is no shell script.
            text = f"{shebang['words']} <<'{documents[0].name}'"
    starts = list(instruction.line_starts)
    for document in documents:
        text += "\n"
        starts += _starts(document.body, len(text), document.line)
        text += document.body + document.name
    return text, tuple(starts), ""


def _is_shell(words: str) -> bool:
    """Return whether what these words start reads shell scripts."""
    return bool(_shell_in(words))


def _shell_in(words: str) -> str:
    """Return the shell that these words start; empty for none."""
    return next((name for word in words.split() if (name := posixpath.basename(word)) in SHELLS), "")


def _starts(body: str, offset: int, line: int) -> tuple[tuple[int, int], ...]:
    found: list[tuple[int, int]] = []
    for number, each in enumerate(body.splitlines(keepends=True)):
        found.append((offset, line + number))
        offset += len(each)
    return tuple(found)
