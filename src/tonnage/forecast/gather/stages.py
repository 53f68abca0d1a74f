"""The stages of one build looked up: what each instruction writes, with figures; nothing is added up.

A stage on the image of another service of the same stack goes on where the build of that service ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tonnage.errors import TonnageError
from tonnage.forecast.commands.effects import effects
from tonnage.forecast.costs.apt.caches import AptLeft
from tonnage.forecast.costs.base_layers import distribution_named, python_named
from tonnage.forecast.costs.effect_sizes import InstructionEffects, new_directory, sized_effects
from tonnage.forecast.costs.instruction_identity import Before, copy_identity, looks_at_paths, run_identity
from tonnage.forecast.costs.learning import lesson_of
from tonnage.forecast.gather.build_files import follow
from tonnage.forecast.gather.conda_environments import MANAGERS, pip_part
from tonnage.forecast.gather.exports import put_exported
from tonnage.forecast.gather.installs import install_deed, pip_ran, with_own_bytecode
from tonnage.forecast.gather.local_packages import with_local, with_settings
from tonnage.forecast.gather.mounted_places import places_beside
from tonnage.forecast.gather.node_installs import node_target
from tonnage.forecast.gather.numbers_of_stages import renumbered
from tonnage.forecast.gather.other_installs import other_deeds
from tonnage.forecast.gather.pip_versions import pip_reads_apart
from tonnage.forecast.gather.shared_installs import in_its_place, is_as_it_would_be, without_isolation
from tonnage.forecast.gather.stage_python import StagePython
from tonnage.forecast.gather.visible_files import StageFiles
from tonnage.forecast.shell.braces import sh_expands
from tonnage.model.forecast.compression import compressed
from tonnage.model.forecast.effects import (
    AptInstall,
    AptUpdate,
    ChangeMode,
    Download,
    ExportLock,
    MakeEnvironment,
    Nothing,
    Opaque,
    OtherInstall,
    PythonRemove,
    Remove,
    Unpack,
    WriteFile,
)
from tonnage.model.forecast.installs import PipRuns, PythonInstall
from tonnage.model.forecast.recipe import (
    BaseConfig,
    CopyInstruction,
    FileSourceKind,
    MetadataInstruction,
    RunInstruction,
    WorkdirInstruction,
)
from tonnage.model.forecast.sized_effects import Aside, SizedEffect, StageWork, StepWork, WrittenBytes
from tonnage.model.references import tagged

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tonnage.forecast.gather.build_sources import Bases, Contexts
    from tonnage.forecast.gather.context import Diagnostics, ForecastContext
    from tonnage.forecast.gather.lookups import Lookups
    from tonnage.model.forecast.base_image import BaseImage
    from tonnage.model.forecast.debian_package import AptForecast
    from tonnage.model.forecast.effects import AnyEffect
    from tonnage.model.forecast.estimate import Estimate
    from tonnage.model.forecast.file_tree import Tree
    from tonnage.model.forecast.recipe import FileSource, Recipe, RecipeStage, RecipeStep


class Below(Struct):
    """What a stage gives to the one that stands on it, besides its files."""

    files: StageFiles
    python: StagePython
    remembered: dict[str, str]
    before: Before
    base: BaseImage | None
    musl: bool | None = None
    apt: AptLeft = AptLeft()
    opaque: str = ""
    """A command before, of which nobody knows what it does."""

    def above(self) -> Below:
        """Return the same for a stage that goes on from here."""
        return replace(
            self,
            files=self.files.above(),
            python=self.python.above(),
            remembered=dict(self.remembered),
            before=self.before.above(),
        )


class BuildAnalysis:
    """One recipe while its instructions are looked up.

    Args:
        other: Returns by an image's name the service of the same stack that builds it, looked up; None for others.
    """

    def __init__(
        self,
        service: str,
        made: Recipe,
        around: ForecastContext,
        lookups: Lookups,
        said: Diagnostics,
        bases: Bases,
        contexts: Contexts,
        other: Callable[[str], BuildAnalysis | None],
    ) -> None:
        self.service = service
        self._key = f"{around.stack}/{service}"
        self._made = made
        self._around = around
        self._lookups = lookups
        self._said = said
        self._bases = bases
        self._contexts = contexts
        self._other = other
        self._below: dict[int, Below] = {}
        self._outside: list[StageWork] = []
        self._numbers: dict[str, int] = {}
        self._next = max((stage.index for stage in made.stages), default=0) + 1
        own = [self._stage(stage) for stage in made.stages]
        self.stages = (*self._outside, *own)
        """Every stage, those first that belong to other images."""

    @property
    def target(self) -> int:
        """The number of the stage that becomes the image."""
        return self._made.target

    @property
    def config(self) -> BaseConfig:
        """What its image gives to a stage on it."""
        final, around = self._made.final, self._made.final.ending
        return BaseConfig(
            environment=around.environment,
            working_directory=around.working_directory,
            user=around.user,
            shell=around.shell,
            onbuild=tuple(each.instruction.body for each in final.steps if each.instruction.keyword == "ONBUILD"),
            volumes=around.volumes,
        )

    def _stage(self, stage: RecipeStage) -> StageWork:
        layers = None
        on_stage = stage.base.stage
        other = self._other(stage.base.name) if stage.base.kind is FileSourceKind.IMAGE else None
        if on_stage is not None:
            below = self._below[on_stage].above()
        elif other is not None:
            below = other._below[other.target].above()  # noqa: SLF001 - one of its own kind
            on_stage = self._number_of(other)
        else:
            base = None
            if stage.base.kind is FileSourceKind.IMAGE:
                base = self._bases.find(stage.base.name, stage.base.platform or stage.platform)
                layers = self._bases.layers(stage.base.name, base)
            python = StagePython(
                version=self._around.python or (base.python if base else "") or python_named(stage.base.name),
                platform=stage.platform,
                distribution=base.distribution if base else distribution_named(stage.base.name),
                overridden=bool(self._around.python),
                # Official images have the bytecode removed; what a system or pip itself installs has it.
                ran=base is not None and not base.config.environment.get("PYTHON_VERSION"),
                reads_apart=pip_reads_apart(base, stage.base.name),
            )
            # What others than official images put into theirs nobody lists; a tag says musl where nothing else does.
            own = StageFiles(anything=base is not None and "/" in tagged(stage.base.name))
            musl = python.distribution.musl if python.distribution else "alpine" in stage.base.name
            below = Below(own, python, {}, Before([stage.base.name]), base, musl)
        self._below[stage.index] = below
        steps = tuple(self._step(step, stage, below) for step in stage.steps)
        taken = [index for each in steps for index in each.stages_read]
        return StageWork(
            index=stage.index,
            name=stage.name,
            line=stage.place.line or 0,
            base=layers,
            on_stage=on_stage,
            needs=tuple(dict.fromkeys((*stage.needs, *(() if on_stage is None else (on_stage,)), *taken))),
            steps=steps,
        )

    def _step(self, step: RecipeStep, stage: RecipeStage, below: Below) -> StepWork:
        key = below.before.learn_key(step, self._key, self._around.engine)
        work = self._looked_up(step, stage, below)
        if not key:
            return work
        taught = lesson_of(key, self._around.taught)
        if taught is None or taught.guess:
            taught = self._around.seen.lesson(self.service, step) or taught
        return replace(work, learn_key=key, lesson=taught)

    def _looked_up(self, step: RecipeStep, stage: RecipeStage, below: Below) -> StepWork:
        line = step.place.line or 0
        match step.action:
            case MetadataInstruction():
                return StepWork(line=line, text=step.text, configures=True)
            case WorkdirInstruction(directory=place):
                sized = SizedEffect(writes=(new_directory(place),))
                return StepWork(line=line, text=step.text, effects=(sized,), identity=f"WORKDIR {place}")
            case CopyInstruction():
                below.files.take(step, self._contexts.reader, self._files)
                origin = step.action.origin.stage
                if origin is not None and origin in self._below:
                    paths = tuple(f"/{source.lstrip('/')}" for source in step.action.sources)
                    below.python.take(self._below[origin].python, paths, step.action.destination)
                return self._copy(step, step.action, stage)
        return self._run(step, stage, below)

    def _copy(self, step: RecipeStep, action: CopyInstruction, stage: RecipeStage) -> StepWork:
        origin = action.origin
        if origin.stage is not None or origin.kind is FileSourceKind.IMAGE:
            return StepWork(
                line=step.place.line or 0,
                text=step.text,
                identity=copy_identity(action, "\0".join(action.sources)),
                from_stage=self._stage_of(origin, stage.platform),
                takes=tuple(f"/{source.lstrip('/')}" for source in action.sources),
                into=action.destination,
                how="files of another stage" if origin.stage is not None else f"files of {origin.name}",
            )
        copied = self._contexts.copied(origin, action)
        tree = copied.tree
        self._said.failures += [f"{step.place}: {path} is not in the build context" for path in tree.missing]
        self._said.notes += [f"{step.place}: {note}" for note in tree.notes]
        piece = self._piece(f"{' '.join(action.sources)} to {action.destination}".strip(), action.destination, tree)
        contents = copied.by_path if looks_at_paths(self._around.engine) else copied.by_name
        return StepWork(
            line=step.place.line or 0,
            text=step.text,
            effects=(SizedEffect(writes=(piece,), links=tree.links),),
            identity=copy_identity(action, contents),
            sources=self._contexts.kept(origin, copied),
            tried=tree.compressed is not None,
            how="the files of the context" if tree.image.known else "assumed",
        )

    def _piece(self, name: str, place: str, tree: Tree) -> WrittenBytes:
        bound, image = self._around.assume_bytes, tree.image.or_assumed(self._around.assume_bytes)
        return WrittenBytes(
            name=name,
            place=place.rstrip("/") or "/",
            image=image,
            disk=tree.disk.or_assumed(bound),
            transient=tree.transient.or_assumed(bound),
            download=tree.download.or_assumed(bound),
            compressed=compressed(image) if tree.compressed is None else tree.compressed,
            source="the files of the context" if tree.image.known else "assumed",
            files=tree.files,
        )

    @property
    def _files(self) -> dict[int, StageFiles]:
        return {index: below.files for index, below in self._below.items()}

    def _run(self, step: RecipeStep, stage: RecipeStage, below: Below) -> StepWork:
        action = step.action
        assert isinstance(action, RunInstruction)  # noqa: S101 - the last kind of action
        files = below.files.seen_by(step, self._contexts.reader, self._files)
        of_sh = sh_expands(below.python.distribution)
        done = list(effects(step, platform=stage.platform, remembered=below.remembered, files=files.text, of_sh=of_sh))
        found = self._found(done, step, files, below, stage.platform)
        contents, sources = list[str](), list[Aside]()
        mounts: list[tuple[int, str, str]] = []
        mounted: list[WrittenBytes] = []
        for mount in action.mounts:
            told = ""
            if mount.origin is not None and mount.origin.kind in {FileSourceKind.STAGE, FileSourceKind.IMAGE}:
                mounts.append((self._stage_of(mount.origin, stage.platform), mount.source, mount.target))
            elif mount.origin is not None and mount.origin.kind is not FileSourceKind.SCRATCH:
                copied, kept = self._contexts.mounted(mount, mount.origin)
                told = copied.by_path
                sources += kept
                mounted.append(self._piece(mount.source or ".", mount.target, copied.tree))
            elif mount.kind == "tmpfs":
                sources += self._contexts.perhaps_whole()
            contents.append(told)
        return StepWork(
            line=step.place.line or 0,
            text=step.text,
            effects=sized_effects(done, found),
            identity=run_identity(step, action, contents),
            mounts=tuple(mounts),
            mounted=tuple(mounted),
            beside=places_beside(action, step.surroundings, self._around.engine),
            sources=tuple(sources),
        )

    def _found(  # noqa: C901, PLR0912 - one branch for each kind
        self, done: list[AnyEffect], step: RecipeStep, files: StageFiles, below: Below, platform: str
    ) -> InstructionEffects:
        bound, python, base = self._around.assume_bytes, below.python, with_settings(below.base, below.remembered)
        target = node_target(platform, musl=below.musl)
        installs = other_deeds(done, files, self._lookups, self._said, target, assume_bytes=bound)
        sizes: dict[str, Estimate] = {}
        for number, effect in enumerate(done):
            follow(below.files, effect)
            if files is not below.files:
                follow(files, effect)
            match effect:
                case MakeEnvironment() if effect.once and effect.directory in python.environments:
                    done[number] = Nothing(command=effect.command, place=effect.place)
                case MakeEnvironment():
                    python.make(effect, plain=is_as_it_would_be(effect, step))
                case PythonInstall():
                    sized = install_deed(
                        effect, python, files, self._lookups, self._said,
                        environment=step.surroundings.variables, assume_bytes=bound,
                    )  # fmt: skip
                    sized = in_its_place(sized, step, base, below.opaque, files, below.remembered)
                    below.opaque = below.opaque or without_isolation(effect)
                    installs[number] = with_own_bytecode(sized, effect, python, step.surroundings)
                    if files is not below.files:
                        below.files.made |= files.made
                        below.files.unknown += files.unknown[len(below.files.unknown) :]
                case ExportLock():
                    installs[number] = put_exported(
                        effect, python, (below.files, files), self._lookups, self._said, step
                    )
                case AptInstall() if effect.listed or effect.files or effect.fixes:
                    done[number] = with_local(effect, files, done[:number])
                case OtherInstall() if effect.manager in MANAGERS:
                    beside = pip_part(effect, files, step.surroundings.variables)
                    done += [beside] if beside is not None else []
                case PipRuns() | PythonRemove():
                    installs[number] = pip_ran(effect, python, step.surroundings)
                case Remove() | ChangeMode():
                    python.change(effect)
                case Opaque():
                    below.opaque = below.opaque or effect.command
                case Download() | Unpack() | WriteFile() if effect.address:
                    size, why = self._lookups.address(effect.address)
                    sizes |= {} if size is None else {effect.address: size}
                    if why:
                        told = why if effect.address in why else f"{effect.address}: {why}"
                        self._said.notes.append(f"{effect.place}: {told}")
        apt, system = base.apt if base is not None else None, below.python.distribution
        left, below.apt = below.apt, below.apt.then(done)
        return InstructionEffects(
            installs=installs,
            packages=self._packages(done, base, platform, step),
            sizes=sizes,
            keeps_debs=apt is not None and apt.keeps_debs,
            keeps_caches=apt is None or apt.keeps_caches,
            keeps_logins=system.keeps_logins if system is not None else None,
            assume_bytes=bound, apt_left=left,
        )  # fmt: skip

    def _packages(
        self, done: Sequence[AnyEffect], base: BaseImage | None, platform: str, step: RecipeStep
    ) -> dict[int, AptForecast]:
        installs = {number: [effect] for number, effect in enumerate(done) if isinstance(effect, AptInstall)}
        updates = [effect for effect in done if isinstance(effect, AptUpdate)]
        if base is None or not (installs or updates):
            return {}
        found: dict[int, AptForecast] = {}
        for number, wanted in (installs or {-1: []}).items():
            try:
                brought = self._lookups.packages(wanted, updates, base, platform)
            except TonnageError as error:
                self._said.failures.append(f"{step.place}: {error.what}")
                continue
            if brought is not None:
                found[number] = brought
                self._said.notes += [f"{step.place}: {note}" for note in brought.notes]
                self._said.failures += [f"{step.place}: no source has the package {name}" for name in brought.missing]
        return found

    def _stage_of(self, origin: FileSource, platform: str) -> int:
        """Return the number of the stage that files are taken from; one that stands for it where that is an image."""
        if origin.stage is not None:
            return origin.stage
        if (other := self._other(origin.name)) is not None:
            return self._number_of(other)
        key = f"{origin.name} {origin.platform or platform}"
        if key not in self._numbers:
            self._numbers[key] = self._next
            layers = self._bases.layers(origin.name, self._bases.find(origin.name, origin.platform or platform))
            self._outside.append(StageWork(index=self._next, name=origin.name, base=layers))
            self._next += 1
        return self._numbers[key]

    def _number_of(self, other: BuildAnalysis) -> int:
        """Return the number that the image of another service has here; its stages are done before."""
        key = f"service {other.service}"
        if key not in self._numbers:
            self._outside += [renumbered(stage, self._next, other.service) for stage in other.stages]
            self._numbers[key] = self._next + other.target
            self._next += 1 + max(stage.index for stage in other.stages)
        return self._numbers[key]
