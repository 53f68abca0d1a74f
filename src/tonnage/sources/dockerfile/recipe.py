"""A Dockerfile and what it is built with to a ``Recipe``: the stages that are built, every variable in its place.

Source: ``frontend/dockerfile/dockerfile2llb`` of BuildKit, read in version 0.26.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.errors import UsageError
from tonnage.model.forecast.recipe import BaseConfig, Builder, FileSourceKind, Recipe
from tonnage.model.stack import Place
from tonnage.sources.dockerfile.lines import definitions
from tonnage.sources.dockerfile.origins import Names
from tonnage.sources.dockerfile.parser import read_instructions
from tonnage.sources.dockerfile.stage_reader import StageInputs, StageReader, expanded
from tonnage.sources.substitution import Growth, Lexer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tonnage.model.forecast.dockerfile import Dockerfile, Instruction, Stage
    from tonnage.model.forecast.recipe import FileSource, RecipeStage

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")
_GIVEN = frozenset({*_PROXIES, *(name.lower() for name in _PROXIES), "SOURCE_DATE_EPOCH"})


def recipe(
    dockerfile: Dockerfile,
    *,
    build_args: Mapping[str, str] | None = None,
    target: str = "",
    platform: str = "linux/amd64",
    build_platform: str = "",
    contexts: Mapping[str, str] | None = None,
    base_config: Callable[[FileSource], BaseConfig | None] | None = None,
    builder: Builder = Builder.BUILDKIT,
) -> Recipe:
    """Work out what a build does.

    Args:
        base_config: Says what an image or named context gives to the stage on it; None for what is not known.
            It is asked once for each.

    Raises:
        UsageError: A stage is not there, a variable cannot be put in, or an instruction makes no sense so.
    """
    values = dict(build_args or {})
    names = Names(dockerfile, dict(contexts or {}))
    wanted = names.target(target)
    lexer = Lexer(dockerfile.escape, growth=Growth())
    predefined = _platforms(platform, build_platform or platform, target) if builder is Builder.BUILDKIT else {}
    shared = _globals(dockerfile, lexer, predefined, values)
    work = _StageQueue(
        dockerfile,
        names,
        StageInputs(
            names=names,
            lexer=lexer,
            globals=shared,
            build_args=values,
            builder=builder,
            file=dockerfile.file,
            platform=platform,
            proxies={name: value for name, value in values.items() if name.upper() in _PROXIES},
        ),
        base_config or (lambda _: None),
    )
    if builder is Builder.CLASSIC:
        for index in range(wanted + 1):
            work.visit(index)
    work.visit(wanted)
    stages = tuple(work.done[index] for index in sorted(work.done))
    written = (each for each in dockerfile.instructions if each.keyword == "ARG")
    taken = {name for each in written for name, _ in definitions(each.body, dockerfile.escape)}
    unused = tuple(n for n in values if n not in taken | set(predefined) | _GIVEN and not n.startswith("BUILDKIT_"))
    return Recipe(file=dockerfile.file, platform=platform, target=wanted, stages=stages, unused=unused)


def _platforms(platform: str, build_platform: str, target: str) -> dict[str, str]:
    """Return the arguments that BuildKit defines."""
    found: dict[str, str] = {}
    for prefix, value in (("BUILD", build_platform), ("TARGET", platform)):
        system, architecture, variant = (*value.split("/"), "", "")[:3]
        found |= {
            f"{prefix}PLATFORM": value,
            f"{prefix}OS": system,
            f"{prefix}OSVERSION": "",
            f"{prefix}ARCH": architecture,
            f"{prefix}VARIANT": variant,
        }
    return {**found, "TARGETSTAGE": target or "default"}


def _globals(
    dockerfile: Dockerfile, lexer: Lexer, predefined: dict[str, str], build_args: Mapping[str, str]
) -> dict[str, str]:
    """Return the arguments of ``FROM``; one without a value is not among them."""
    found = {name: build_args.get(name, value) for name, value in predefined.items()}
    for instruction in dockerfile.globals:
        for name, default in definitions(instruction.body, dockerfile.escape):
            if name in build_args:
                found[name] = build_args[name]
            elif default is not None:
                found[name] = expanded(lexer, default, found, f"{dockerfile.file}:{instruction.line}")
    return found


class _StageQueue:
    """Stages as they are worked out, each after those that it needs."""

    def __init__(
        self,
        dockerfile: Dockerfile,
        names: Names,
        outside: StageInputs,
        base_config: Callable[[FileSource], BaseConfig | None],
    ) -> None:
        self.done: dict[int, RecipeStage] = {}
        self._dockerfile = dockerfile
        self._names = names
        self._outside = outside
        self._base_config = base_config
        self._configs: dict[FileSource, BaseConfig | None] = {}

    def visit(self, index: int) -> None:
        """Work out a stage and those that it needs, which stand before it."""
        under_way = [index]
        while under_way:
            needed = [each for each in self._needed(under_way[-1]) if each not in self.done]
            if needed:
                under_way += needed
            else:
                under_way.pop()

    def _needed(self, index: int) -> tuple[int, ...]:
        """Work out a stage where what it needs is worked out; return that."""
        if index in self.done:
            return ()
        stage = self._dockerfile.stages[index]
        place = Place(self._dockerfile.file, stage.opening.line)
        platform = self._platform(stage, place)
        reference = expanded(self._outside.lexer, stage.base, self._outside.globals, str(place))
        if not reference:
            raise UsageError(
                f"the base image {stage.base} is empty",
                why="No argument before the first FROM gives it a value.",
                todo=f"Give it a default before the first FROM:\n  ARG {stage.base.strip('${}')}=IMAGE",
                place=str(place),
            )
        base = self._names.base(reference, index, platform)
        below = None
        config: BaseConfig | None = BaseConfig()
        if base.stage is not None:
            if base.stage not in self.done:
                return (base.stage,)
            below = self.done[base.stage]
        elif base.kind is not FileSourceKind.SCRATCH:
            if base not in self._configs:
                self._configs[base] = self._base_config(base)
            config = self._configs[base]
        if below is not None and not stage.platform:
            platform = below.platform
        reader = StageReader(self._outside, stage, platform=platform, config=config, below=below)
        kept = self._kept(base, config)
        needed = reader.needs((*kept, *stage.instructions))
        if any(each not in self.done for each in needed):
            return needed
        replaced = bool(stage.name) and stage.name in self._names.contexts
        instructions = () if replaced else stage.instructions
        self.done[index] = reader.read(base, kept, instructions, place)
        return needed

    def _kept(self, base: FileSource, config: BaseConfig | None) -> tuple[Instruction, ...]:
        if base.stage is not None:
            below = self._dockerfile.stages[base.stage].instructions
            return tuple(each.trigger for each in below if each.keyword == "ONBUILD" and each.trigger is not None)
        kept = config.onbuild if config is not None else ()
        return tuple(each for text in kept for each in read_instructions(text, self._outside.file)[1])

    def _platform(self, stage: Stage, place: Place) -> str:
        if not stage.platform:
            return self._outside.platform
        value = expanded(self._outside.lexer, stage.platform, self._outside.globals, str(place))
        if not value:
            raise UsageError(
                f"the platform {stage.platform} is empty",
                todo="Write one, or leave it out:\n  FROM --platform=linux/amd64 IMAGE",
                place=str(place),
            )
        return value if "/" in value else f"linux/{value}"
