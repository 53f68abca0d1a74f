"""What each instruction of a build writes, fetches and removes, as far as it was found out. Figures, but no sums.

It stands between what was gathered (wheels, package indexes, contexts, base images) and what a build costs: the cost
model needs nothing else, and does not know where a figure came from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.model.forecast.compression import Content, compressed
from tonnage.model.forecast.estimate import NOTHING

if TYPE_CHECKING:
    from tonnage.model.forecast.debian_package import UnneededPackages
    from tonnage.model.forecast.estimate import Estimate
    from tonnage.model.forecast.finding import Finding
    from tonnage.model.forecast.learned import LearnedInstruction


class PiecePart(Struct, frozen=True, kw_only=True):
    """A part of a piece that may be removed by itself.

    Args:
        path: Where it lies; empty for files that lie all over the piece.
        kind: Which files these are then: ``bytecode`` or ``tests``.
        image_bytes: Its bytes without bytecode.
    """

    path: str = ""
    kind: str = ""
    image_bytes: int = 0
    disk_bytes: int = 0
    bytecode_bytes: int = 0
    bytecode_disk_bytes: int = 0


class UnpackedWheel(Struct, frozen=True, kw_only=True):
    """A wheel that becomes a piece of a layer, known well enough to lie elsewhere.

    Args:
        digest: ``sha256:...`` of the archive.
        index: The index that it is fetched from; empty for the installer's usual one.
        paths: Where its files lie below the place of installation, by their first two names.
    """

    name: str
    version: str
    digest: str
    index: str = ""
    paths: tuple[str, ...] = ()


class InstallTerms(Struct, frozen=True, kw_only=True):
    """What decides whether wheels of an install may lie below it already.

    Args:
        target: The Python and the platform.
        place: Where it installs to.
        apart: Why none of them may; empty where they may.
        names: All that it installs, or finds there already; None where that is not known.
        compiles: Bytecode is written.
        others: What of it is no wheel, or none that may lie elsewhere, and why.
        taken: Where files of these lie below the place, as far as that is known, each with its name.
    """

    command: str
    target: str = ""
    place: str = ""
    apart: str = ""
    names: tuple[str, ...] | None = None
    compiles: bool = True
    others: tuple[tuple[str, str], ...] = ()
    taken: tuple[tuple[str, str], ...] = ()


class WrittenBytes(Struct, frozen=True, kw_only=True):
    """Something that is written into a layer.

    Args:
        name: What it is, such as ``torch 2.3.1`` or ``COPY app/``.
        place: The absolute path below which it lies in the image; empty where that is not known.
        image: Its bytes as ``docker images`` counts them.
        transient: What is needed on top while it is written and given back then.
        compressed: What it takes in a compressed layer.
        files: Path in the image, bytes and bytes on the disk of each file; empty where they are not known.
        is_file: It is one file, at its place.
        links_to: What a symbolic link points to, as it is written; empty for everything else.
        brought_by: What it came along with, nearest first, and at last where that is written; empty where not known.
        parts: Parts of it that may be removed by themselves, as far as they are known.
        package: The package of the system that it is; empty for what is none; ``because``: the one that it came for.
        wheel: The wheel that it was unpacked from, where that may lie in another image.
        other_name: It is a further name of files that the layer has under another one.
        twin_of: The piece whose files it was made a further name of; what copies both may write them once.
    """

    name: str
    place: str = ""
    image: Estimate = NOTHING
    disk: Estimate = NOTHING
    transient: Estimate = NOTHING
    download: Estimate = NOTHING
    compressed: Estimate = NOTHING
    source: str = ""
    files: tuple[tuple[str, int, int], ...] = ()
    is_file: bool = False
    links_to: str = ""
    brought_by: tuple[str, ...] = ()
    parts: tuple[PiecePart, ...] = ()
    package: str = ""
    because: str = ""
    wheel: UnpackedWheel | None = None
    other_name: OtherName | None = None
    twin_of: str = ""

    @classmethod
    def of_size(
        cls,
        name: str,
        place: str,
        size: Estimate,
        source: str,
        *,
        download: Estimate = NOTHING,
        content: Content = Content.ANY,
    ) -> WrittenBytes:
        """Return what has one size by every count: its files and its blocks."""
        packed = compressed(size, content)
        return cls(name=name, place=place, image=size, disk=size, compressed=packed, source=source, download=download)


class OtherName(Struct, frozen=True):
    """The piece that has some files under their first name, its bytes then, and what they are without that name."""

    of: str
    image: Estimate
    alone: WrittenBytes


class Aside(Struct, frozen=True, kw_only=True):
    """Something that stays on the disk outside of every layer: a cache mount, the copied sources of a context.

    Args:
        key: Its identity: what has the same one is there once.
    """

    key: str
    name: str
    disk: Estimate


class DerivedFile(Struct, frozen=True):
    """A file that is made from files of the image.

    Args:
        paths: What it is made from: paths and patterns.
        percent: How many bytes it has at least, likely and at most for a hundred of theirs.
        unknown: What is put in place of a file that nobody knows anything of.
        least_high_bytes: Its high figure is not below this one: how much comes out nobody knows.
        trees: A path may be a directory, and means all that lies in it.
        is_file: It is one file; if not, its place is the directory of several.
    """

    place: str
    paths: tuple[str, ...]
    percent: tuple[int, int, int]
    unknown: Estimate
    source: str
    least_high_bytes: int = 0
    trees: bool = False
    is_file: bool = True


class FoundFiles(Struct, frozen=True):
    """What ``find`` removes or changes, or what a command removes that may not be run.

    Args:
        paths: Below which paths.
        names: Files and directories of these names.
        sure: There are no further conditions.
        kind: ``f`` for files alone, ``d`` for directories; empty for both.
        whole: A directory that is found goes with all that is in it.
    """

    paths: tuple[str, ...]
    names: tuple[str, ...] = ()
    sure: bool = True
    kind: str = ""
    whole: bool = True


class SizedEffect(Struct, frozen=True, kw_only=True):
    """One command of an instruction, or the whole of an instruction that has no commands.

    Args:
        transient: What it needs on top besides and gives back when it ends.
        asides: What it leaves outside of the layer.
        removes: Paths and patterns whose contents are removed.
        uninstalls: Distributions that are removed: the directory that each lies in, and its name among the pieces.
        renews: Distributions that are installed once more in the same version, like those.
        sets_aside: What is uninstalled or renewed is moved elsewhere first, and removed at the end.
        finds: What is looked for and removed.
        purges: Packages of the system that are removed.
        unneeded: Which others go because nothing needs them any more; None where none does.
        rewrites: Paths and patterns that get another owner, mode or time, with all that is below them.
        rewrites_found: What is looked for and gets another owner, mode or time.
        alters: Paths and patterns of which each file is written anew for itself.
        percent: The least and the most bytes that altered files have then, of a hundred that they had.
        links: Pairs of what a symbolic link points to and the link.
        hard_links: Pairs of a path whose files get further names, and the path of those.
        copies: Pairs of a path in the image and the path that all of it is copied to; a directory ends with ``/``.
        file_copies: Pairs of a file in the image and the path that it is copied to.
        follows: Links below what is copied are copied as what they point to.
        holes: What is copied may have holes in place of zeros.
        moves: Pairs of a path in the image and the path that it is moved to.
        appends: Files that are written on at their ends, as far as they are known.
        derives: Files that are made from others.
        terms: Of an install of Python packages, what decides whether its wheels may be shared.
        certain: It happens in any case.
    """

    writes: tuple[WrittenBytes, ...] = ()
    transient: Estimate = NOTHING
    asides: tuple[Aside, ...] = ()
    removes: tuple[str, ...] = ()
    uninstalls: tuple[tuple[str, str], ...] = ()
    renews: tuple[tuple[str, str], ...] = ()
    sets_aside: bool = False
    finds: tuple[FoundFiles, ...] = ()
    purges: tuple[str, ...] = ()
    unneeded: UnneededPackages | None = None
    rewrites: tuple[str, ...] = ()
    rewrites_found: tuple[FoundFiles, ...] = ()
    alters: tuple[str, ...] = ()
    percent: tuple[int, int] = (100, 100)
    links: tuple[tuple[str, str], ...] = ()
    hard_links: tuple[tuple[str, str], ...] = ()
    copies: tuple[tuple[str, str], ...] = ()
    file_copies: tuple[tuple[str, str], ...] = ()
    follows: bool = False
    holes: bool = False
    moves: tuple[tuple[str, str], ...] = ()
    appends: tuple[str, ...] = ()
    derives: tuple[DerivedFile, ...] = ()
    terms: InstallTerms | None = None
    certain: bool = True


class Lesson(Struct, frozen=True, kw_only=True):
    """What was learned of an instruction, and how far it goes.

    Args:
        guess: It was measured elsewhere, where the same words may have done something else.
        source: Where it was measured, in words.
    """

    taught: LearnedInstruction
    guess: bool = False
    source: str


class StepWork(Struct, frozen=True, kw_only=True):
    """One instruction.

    Args:
        text: The instruction on one line.
        identity: Everything that decides about its result besides what it stands on; empty for an instruction that
            makes no layer.
        configures: It only changes the image's configuration.
        from_stage: The stage that files are taken from; None for none.
        takes: Paths in that stage.
        into: Where they go.
        mounts: What is mounted of stages while it runs: the stage, the path in it, and where it is mounted.
        mounted: Files of contexts that are mounted while it runs, at the places where it sees them.
        beside: Where what is written lies on a mount: the place, and the identity of the cache that keeps it; empty
            where nothing does.
        sources: What BuildKit keeps of what it is sent or fetches for it, beside its layer.
        learn_key: Under which key its measured bytes are stored.
        lesson: What was learned of it; None for nothing.
        tried: How far its files compress was tried on themselves.
    """

    line: int
    text: str
    effects: tuple[SizedEffect, ...] = ()
    identity: str = ""
    configures: bool = False
    from_stage: int | None = None
    takes: tuple[str, ...] = ()
    into: str = ""
    mounts: tuple[tuple[int, str, str], ...] = ()
    mounted: tuple[WrittenBytes, ...] = ()
    beside: tuple[tuple[str, str], ...] = ()
    sources: tuple[Aside, ...] = ()
    learn_key: str = ""
    lesson: Lesson | None = None
    tried: bool = False
    how: str = ""

    @property
    def stages_read(self) -> tuple[int, ...]:
        """The stages that files are taken from."""
        copied = () if self.from_stage is None else (self.from_stage,)
        return (*copied, *(index for index, *_ in self.mounts))


class BaseLayerBytes(Struct, frozen=True, kw_only=True):
    """One layer of the image that a stage stands on.

    Args:
        image: Its bytes as ``docker images`` counts them.
        compressed: Its bytes in the registry.
    """

    chain_id: str
    image: Estimate
    disk: Estimate
    compressed: Estimate
    present: bool = False


class BaseLayers(Struct, frozen=True, kw_only=True):
    """The image that a stage stands on.

    Args:
        name: Its reference; empty for ``scratch``.
        layers: Its layers, lowest first.
        identity: What tells it from others where its layers are not known.
        beside: A builder beside the engine has it.
    """

    name: str
    layers: tuple[BaseLayerBytes, ...] = ()
    identity: str = ""
    how: str = ""
    beside: bool = False


class StageWork(Struct, frozen=True, kw_only=True):
    """One stage.

    Args:
        line: The line of its ``FROM``.
        base: The image it stands on; None where it stands on another stage.
        on_stage: The stage it stands on; None where it stands on an image.
        needs: The numbers of the stages that it stands on or takes files from.
    """

    index: int
    name: str = ""
    line: int = 0
    base: BaseLayers | None = None
    on_stage: int | None = None
    needs: tuple[int, ...] = ()
    steps: tuple[StepWork, ...] = ()


class CacheExport(Struct, frozen=True, kw_only=True):
    """One place that the cache of a build goes to.

    Args:
        directory: Where on this machine; empty where it is sent away.
        whole: The layers of every stage go there, not only those of the image.
    """

    directory: str
    whole: bool
    text: str


class BuildWork(Struct, frozen=True, kw_only=True):
    """Everything that building the image of one service does.

    Args:
        stages: The stages that are built, each after those it needs; of an image that is only pulled one without steps.
        target: The number of the stage that becomes the image.
        context: Bytes of the whole context, as the classic builder copies it.
        attached: Bytes of what the user has the builder attach to the image, where there is a place for it.
        scanner: The image of the program that lists what is in it; None where that is not asked for.
        exports: Where its cache goes besides.
        platforms: For how many platforms it is built.
        python: The Python and the platform that packages were chosen for, in words.
        failures: Why figures are missing.
    """

    service: str
    stages: tuple[StageWork, ...]
    target: int
    context: Estimate = NOTHING
    attached: Estimate = NOTHING
    scanner: BaseLayers | None = None
    exports: tuple[CacheExport, ...] = ()
    platforms: int = 1
    python: str = ""
    failures: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    broken: bool = False
