"""What a build of a Dockerfile really does: the stages that the target needs, with every variable in its place."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct, field

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tonnage.model.forecast.dockerfile import Flag, Heredoc, Instruction
    from tonnage.model.stack import Place

SHELL = ("/bin/sh", "-c")


class Builder(StrEnum):
    """Which builder a recipe is for: they build other stages and give variables another precedence."""

    BUILDKIT = "buildkit"
    CLASSIC = "classic"


class FileSourceKind(StrEnum):
    """Where files come from."""

    SCRATCH = "scratch"
    IMAGE = "image"
    STAGE = "stage"
    CONTEXT = "context"
    NAMED = "named context"


class FileSource(Struct, frozen=True):
    """What a stage stands on, or where a ``COPY`` or a mount takes files from.

    Args:
        name: The image reference, the stage's name, or the named context's value such as ``/srv/x`` or an address;
            empty for the build's own context.
        stage: The number of the stage; None for what is no stage.
    """

    kind: FileSourceKind
    name: str = ""
    stage: int | None = None
    platform: str = ""


class BaseConfig(Struct, frozen=True, kw_only=True):
    """What an image gives to the stage that stands on it, as its configuration says.

    Args:
        working_directory: Its directory; empty for ``/``.
        user: Its user; empty for root.
        shell: Its ``SHELL``; empty for the usual one.
        onbuild: What its ``ONBUILD`` kept, as text.
        volumes: Its ``VOLUME``.
    """

    environment: Mapping[str, str] = field(default_factory=dict)
    working_directory: str = ""
    user: str = ""
    shell: tuple[str, ...] = ()
    onbuild: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()


class InstructionEnvironment(Struct, frozen=True, kw_only=True):
    """What is in force at one instruction.

    Args:
        environment: ``ENV`` so far, with the base image's where that is known.
        arguments: ``ARG`` that ``RUN`` sees beside them; they go before variables of the same name.
        unset: Names that an ``ARG`` declares without giving them a value.
        working_directory: Absolute.
        user: The user; empty for root.
        shell: What a ``RUN`` in shell form is given to.
        base_known: Whether the base image's variables are in ``environment``; if not, a variable that is missing
            there may still have a value.
        volumes: ``VOLUME`` so far, with the base image's.
    """

    environment: Mapping[str, str] = field(default_factory=dict)
    arguments: Mapping[str, str] = field(default_factory=dict)
    unset: tuple[str, ...] = ()
    working_directory: str = "/"
    user: str = ""
    shell: tuple[str, ...] = SHELL
    base_known: bool = True
    volumes: tuple[str, ...] = ()

    @property
    def variables(self) -> dict[str, str]:
        """The variables that a process of ``RUN`` is given."""
        return {**self.environment, **self.arguments}


class RunMount(Struct, frozen=True, kw_only=True):
    """One ``RUN --mount``.

    Args:
        kind: bind, cache, tmpfs, secret or ssh.
        target: Absolute path in the step; empty for a secret or ssh in its usual place.
        source: Path in the origin.
        origin: Where a bind or a cache begins from; None for an empty cache, and for the other kinds.
        identity: The cache's or secret's id; a cache without one has its target.
    """

    kind: str
    target: str = ""
    source: str = ""
    origin: FileSource | None = None
    identity: str = ""


class RunInstruction(Struct, frozen=True, kw_only=True):
    """A ``RUN``.

    Args:
        script: The shell script, here-documents put in as the shell gets them; empty in exec form.
        words: The exec form's words; None in shell form.
        network: ``none``, ``host`` or ``default``; empty where nothing is written.
        line_starts: Where in ``script`` each written line begins: offset and line of the file.
        reader: The shell that a here-document is for, such as ``bash``; empty for the usual one.
    """

    script: str = ""
    words: tuple[str, ...] | None = None
    mounts: tuple[RunMount, ...] = ()
    network: str = ""
    line_starts: tuple[tuple[int, int], ...] = ()
    reader: str = ""


class CopyInstruction(Struct, frozen=True, kw_only=True):
    """A ``COPY`` or an ``ADD``.

    Args:
        sources: Paths or patterns in the origin, addresses, git references; without the here-documents.
        destination: Absolute path; it ends in ``/`` where a directory is meant.
        origin: Where ``sources`` lie.
        adds: It is an ``ADD``: archives of the context are unpacked and addresses fetched.
        unpacks: Of ``ADD``: ``--unpack``; None for the usual, archives of the context alone.
        inline: The here-documents, as they are written into the destination.
    """

    sources: tuple[str, ...]
    destination: str
    origin: FileSource
    adds: bool = False
    unpacks: bool | None = None
    inline: tuple[Heredoc, ...] = ()
    owner: str = ""
    mode: str = ""
    link: bool = False
    parents: bool = False
    excludes: tuple[str, ...] = ()
    checksum: str = ""


class WorkdirInstruction(Struct, frozen=True, kw_only=True):
    """A ``WORKDIR``: the directory is made where it is missing."""

    directory: str


class MetadataInstruction(Struct, frozen=True, kw_only=True):
    """An instruction that writes no file: ``ENV``, ``LABEL``, ``CMD`` and the like."""


Action = RunInstruction | CopyInstruction | WorkdirInstruction | MetadataInstruction


class RecipeStep(Struct, frozen=True, kw_only=True):
    """One instruction of a stage, with what is in force when it begins.

    Args:
        text: One line, variables substituted as the builder does, as its step is named in the progress.
        surroundings: What is in force; of an ``ENV`` without what it sets itself.
        place: Where it is written; for what a base image's ``ONBUILD`` kept, the place of the ``FROM``.
        flags: Its flags, variables substituted.
        inherited: It was kept by an ``ONBUILD`` of what the stage stands on.
    """

    instruction: Instruction
    text: str
    action: Action
    surroundings: InstructionEnvironment
    place: Place
    flags: tuple[Flag, ...] = ()
    inherited: bool = False


class RecipeStage(Struct, frozen=True, kw_only=True):
    """A stage of which something is built.

    Args:
        index: Its number in the Dockerfile.
        name: Its name; empty without one.
        platform: The platform that it is built for, such as ``linux/amd64``.
        ending: What is in force after the last.
        needs: The numbers of the stages that it stands on or takes files from.
    """

    index: int
    name: str
    base: FileSource
    platform: str
    place: Place
    steps: tuple[RecipeStep, ...]
    ending: InstructionEnvironment
    needs: tuple[int, ...] = ()


class Recipe(Struct, frozen=True, kw_only=True):
    """What one build does.

    Args:
        file: How the Dockerfile is named in messages.
        target: The number of the stage that becomes the image.
        stages: The stages that are built, in an order in which each comes after those it needs.
        unused: Build arguments that no ``ARG`` takes.
    """

    file: str
    platform: str
    target: int
    stages: tuple[RecipeStage, ...]
    unused: tuple[str, ...] = ()

    @property
    def final(self) -> RecipeStage:
        """The stage that becomes the image."""
        return next(stage for stage in self.stages if stage.index == self.target)

    def stage(self, index: int) -> RecipeStage:
        """Return the stage with a number."""
        return next(stage for stage in self.stages if stage.index == index)
