"""What building the image of one service does: its Dockerfile read, its instructions looked up, nothing added up yet.

What cannot be found out is a result: a reason, and a bound in place of the bytes. Only a Dockerfile that cannot be read
leaves a service without a forecast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from tonnage.decide.deeds import Found, deeds_of
from tonnage.decide.grounds import python_named
from tonnage.decide.layer_identity import copy_identity, looks_at_paths, run_identity
from tonnage.decide.learning import lesson_of
from tonnage.errors import TonnageError
from tonnage.model.build_work import BuildWork, Deed, Piece, StageWork, StepWork
from tonnage.model.effects import AptInstall, AptUpdate, Download, MakeEnvironment, Unpack
from tonnage.model.forecast import NOTHING, EngineKind, Estimate, Grade, assumed
from tonnage.model.installs import PythonInstall
from tonnage.model.recipe import Builder, Configure, Copy, Enter, OriginKind, Run
from tonnage.runtime.forecast_bases import Bases
from tonnage.runtime.forecast_before import Before
from tonnage.runtime.forecast_contexts import Contexts
from tonnage.runtime.forecast_installs import Said, StagePython, install_deed, with_own_bytecode
from tonnage.runtime.stage_files import StageFiles
from tonnage.sources.dockerfile import read_dockerfile
from tonnage.sources.installs import effects
from tonnage.sources.recipe import recipe

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from tonnage.model.base_image import BaseImage
    from tonnage.model.build_work import Aside
    from tonnage.model.effects import AnyEffect
    from tonnage.model.package import AptForecast
    from tonnage.model.policy import Taught
    from tonnage.model.recipe import Origin, Recipe, RecipeStage, RecipeStep
    from tonnage.model.stack import Service
    from tonnage.model.tree import Tree
    from tonnage.runtime.lookups import Lookups

_OUTSIDE_STAGES = 100_000
_NEW_DIRECTORY = Estimate(0, 4096, 16_384, Grade.EXACT)


class Circumstances(Struct, frozen=True, kw_only=True):
    """What is the same for all services of a forecast.

    Args:
        engine: What builds.
        platform: The platform that is built for where a service says nothing else.
        platform_forced: It holds also where a service does.
        python: The version of Python that the user chose; empty for the image's own.
        assume_bytes: What is assumed where nothing is known.
        layers_there: Chain ids of the layers that the engine has.
        taught: What instructions were measured to do.
        stack: The name of the stack.
    """

    engine: EngineKind = EngineKind.BUILDKIT
    platform: str = "linux/amd64"
    platform_forced: bool = False
    python: str = ""
    assume_bytes: int = 500_000_000
    layers_there: Collection[str] = ()
    taught: Mapping[str, Taught] = field(default_factory=dict)
    stack: str = ""


def pulled(service: Service, around: Circumstances, lookups: Lookups) -> BuildWork:
    """Return what pulling the image of a service does.

    Args:
        service: A service without a build section.
        around: What is the same for all services.
        lookups: The outside.

    Returns:
        The work: one stage without instructions.
    """
    said = Said()
    bases = Bases(lookups, said, around.layers_there, around.assume_bytes)
    base = bases.find(service.image, around.platform)
    ground = bases.ground(service.image, base)
    stage = StageWork(index=0, ground=ground)
    return BuildWork(service=service.name, stages=(stage,), target=0, failures=tuple(said.failures))


def built(service: Service, around: Circumstances, lookups: Lookups) -> BuildWork:
    """Return what building the image of a service does.

    Args:
        service: A service with a build section.
        around: What is the same for all services.
        lookups: The outside.

    Returns:
        The work.

    Raises:
        UsageError: The Dockerfile cannot be read, or asks for what is not there; the message says where.
    """
    assert service.build is not None  # noqa: S101 - asked for services that are built only
    spec = service.build
    said = Said()
    bases = Bases(lookups, said, around.layers_there, around.assume_bytes)
    platform = around.platform if around.platform_forced or not spec.platforms else spec.platforms[0]
    dockerfile = read_dockerfile(lookups.dockerfile(spec), spec.dockerfile or "Dockerfile")
    made = recipe(
        dockerfile,
        build_args=dict(spec.args),
        target=spec.target,
        platform=platform,
        contexts=dict(spec.additional_contexts),
        base_config=lambda origin: bases.config(origin, platform),
        builder=Builder.CLASSIC if around.engine is EngineKind.CLASSIC else Builder.BUILDKIT,
    )
    context = lookups.context(spec)
    named = {value: lookups.context(spec, value) for _, value in spec.additional_contexts}
    contexts = Contexts(context, named, around.assume_bytes)
    gathering = _Gathering(service.name, made, around, lookups, said, bases, contexts)
    stages = gathering.stages()
    whole = NOTHING
    if around.engine is EngineKind.CLASSIC:
        whole = _bounded(context.whole().disk, around.assume_bytes)
    said.notes += [f"no ARG takes the build argument {name}" for name in made.unused]
    return BuildWork(
        service=service.name,
        stages=stages,
        target=made.target,
        context=whole,
        python=", ".join(said.targets),
        failures=tuple(dict.fromkeys(said.failures)),
        findings=tuple(dict.fromkeys(said.findings)),
        notes=tuple(dict.fromkeys(said.notes)),
    )


class _Gathering:
    """One recipe while its instructions are looked up."""

    def __init__(
        self,
        service: str,
        made: Recipe,
        around: Circumstances,
        lookups: Lookups,
        said: Said,
        bases: Bases,
        contexts: Contexts,
    ) -> None:
        self._service = f"{around.stack}/{service}"
        self._made = made
        self._around = around
        self._lookups = lookups
        self._said = said
        self._bases = bases
        self._contexts = contexts
        self._files: dict[int, StageFiles] = {}
        self._pythons: dict[int, StagePython] = {}
        self._remembered: dict[int, dict[str, str]] = {}
        self._before: dict[int, Before] = {}
        self._outside: dict[str, StageWork] = {}

    def stages(self) -> tuple[StageWork, ...]:
        """Return every stage, those of images that files are only taken from first."""
        found = [self._stage(stage) for stage in self._made.stages]
        return (*self._outside.values(), *found)

    def _stage(self, stage: RecipeStage) -> StageWork:
        base = None
        ground = None
        if stage.base.stage is not None:
            files = self._files[stage.base.stage].above()
            python = self._pythons[stage.base.stage].above()
            remembered = dict(self._remembered[stage.base.stage])
            before = self._before[stage.base.stage].above()
        else:
            files, remembered, before = StageFiles(), {}, Before([stage.base.name])
            if stage.base.kind is OriginKind.IMAGE:
                base = self._bases.find(stage.base.name, stage.base.platform or stage.platform)
                ground = self._bases.ground(stage.base.name, base)
            version = self._around.python or (base.python if base else "") or python_named(stage.base.name)
            python = StagePython(
                version=version,
                platform=stage.platform,
                distribution=base.distribution if base else None,
                overridden=bool(self._around.python),
            )
        self._files[stage.index] = files
        self._pythons[stage.index] = python
        self._remembered[stage.index] = remembered
        self._before[stage.index] = before
        base = base or self._base_of(stage)
        steps = tuple(self._step(step, stage, base) for step in stage.steps)
        taken = [index for each in steps for index in each.stages_read]
        return StageWork(
            index=stage.index,
            name=stage.name,
            line=stage.place.line or 0,
            ground=ground,
            on_stage=stage.base.stage,
            needs=tuple(dict.fromkeys((*stage.needs, *taken))),
            steps=steps,
        )

    def _base_of(self, stage: RecipeStage) -> BaseImage | None:
        """Return the image at the bottom of the stages that a stage stands on."""
        while stage.base.stage is not None:
            stage = self._made.stage(stage.base.stage)
        if stage.base.kind is not OriginKind.IMAGE:
            return None
        return self._bases.find(stage.base.name, stage.base.platform or stage.platform)

    def _step(self, step: RecipeStep, stage: RecipeStage, base: BaseImage | None) -> StepWork:
        """Look up what an instruction does, and what was learned of it."""
        key = self._before[stage.index].learn_key(step, self._service)
        work = self._looked_up(step, stage, base)
        return replace(work, learn_key=key, lesson=lesson_of(key, self._around.taught)) if key else work

    def _looked_up(self, step: RecipeStep, stage: RecipeStage, base: BaseImage | None) -> StepWork:
        line = step.place.line or 0
        match step.action:
            case Configure():
                return StepWork(line=line, text=step.text, configures=True)
            case Enter():
                place = step.action.directory
                piece = Piece(name=place, place=place, disk=_NEW_DIRECTORY, source="a directory")
                deed = Deed(writes=(piece,))
                return StepWork(line=line, text=step.text, deeds=(deed,), identity=f"WORKDIR {step.action.directory}")
            case Copy():
                return self._copy(step, step.action, stage)
        return self._run(step, stage, base)

    def _copy(self, step: RecipeStep, action: Copy, stage: RecipeStage) -> StepWork:
        line = step.place.line or 0
        self._files[stage.index].take(step, self._contexts.reader, self._files)
        origin = action.origin
        if origin.stage is not None or origin.kind is OriginKind.IMAGE:
            return StepWork(
                line=line,
                text=step.text,
                identity=copy_identity(action, "\0".join(action.sources)),
                from_stage=self._stage_of(origin, stage.platform),
                takes=tuple(f"/{source.lstrip('/')}" for source in action.sources),
                into=action.destination,
                how="files of another stage" if origin.stage is not None else f"files of {origin.name}",
            )
        context = self._contexts.of(origin)
        copied = context.copied(action)
        tree = copied.tree
        where = f"{step.place}: "
        self._said.failures += [f"{where}{path} is not in the build context" for path in tree.missing]
        self._said.notes += [f"{where}{note}" for note in tree.notes]
        piece = self._piece(f"{' '.join(action.sources)} to {action.destination}".strip(), action.destination, tree)
        contents = copied.by_path if looks_at_paths(self._around.engine) else copied.by_name
        return StepWork(
            line=line,
            text=step.text,
            deeds=(Deed(writes=(piece,)),),
            identity=copy_identity(action, contents),
            sources=self._contexts.kept(origin, copied),
            how="the files of the context" if tree.image.known else "assumed",
        )

    def _piece(self, name: str, place: str, tree: Tree) -> Piece:
        """Return files of a context as they lie in the image."""
        bound = self._around.assume_bytes
        image = _bounded(tree.image, bound)
        return Piece(
            name=name,
            place=place.rstrip("/") or "/",
            image=image,
            disk=_bounded(tree.disk, bound),
            transient=_bounded(tree.transient, bound),
            download=_bounded(tree.download, bound),
            compressed=_lower(image),
            source="the files of the context" if tree.image.known else "assumed",
            files=tree.files,
        )

    def _run(self, step: RecipeStep, stage: RecipeStage, base: BaseImage | None) -> StepWork:
        action = step.action
        assert isinstance(action, Run)  # noqa: S101 - the last kind of action
        index = stage.index
        files = self._files[index].seen_by(step, self._contexts.reader, self._files)
        done = effects(step, platform=stage.platform, remembered=self._remembered[index])
        found = self._found(done, step, files, self._pythons[index], base, stage.platform)
        contents: list[str] = []
        mounts: list[tuple[int, str, str]] = []
        mounted: list[Piece] = []
        sources: list[Aside] = []
        for mount in action.mounts:
            told = ""
            if mount.origin is not None and mount.origin.kind in {OriginKind.STAGE, OriginKind.IMAGE}:
                mounts.append((self._stage_of(mount.origin, stage.platform), mount.source, mount.target))
            elif mount.origin is not None and mount.origin.kind is not OriginKind.SCRATCH:
                copied, kept = self._contexts.mounted(mount, mount.origin)
                told = copied.by_path
                sources += kept
                mounted.append(self._piece(mount.source or ".", mount.target, copied.tree))
            contents.append(told)
        return StepWork(
            line=step.place.line or 0,
            text=step.text,
            deeds=deeds_of(done, found),
            identity=run_identity(step, action, contents),
            mounts=tuple(mounts),
            mounted=tuple(mounted),
            sources=tuple(sources),
        )

    def _found(
        self,
        done: Sequence[AnyEffect],
        step: RecipeStep,
        files: StageFiles,
        python: StagePython,
        base: BaseImage | None,
        platform: str,
    ) -> Found:
        bound = self._around.assume_bytes
        installs: dict[int, Deed] = {}
        sizes: dict[str, Estimate] = {}
        for number, effect in enumerate(done):
            match effect:
                case MakeEnvironment():
                    named = python_named(effect.python)
                    if named:
                        python.environments[effect.directory] = named
                case PythonInstall():
                    deed = install_deed(
                        effect, python, files, self._lookups, self._said,
                        environment=step.surroundings.variables, assume_bytes=bound,
                    )  # fmt: skip
                    installs[number] = with_own_bytecode(deed, effect, python, step.surroundings)
                case Download() | Unpack() if effect.address:
                    size, why = self._lookups.address(effect.address)
                    if size is not None:
                        sizes[effect.address] = size
                    if why:
                        told = why if effect.address in why else f"{effect.address}: {why}"
                        self._said.notes.append(f"{effect.place}: {told}")
        return Found(
            installs=installs,
            packages=self._packages(done, base, platform, step),
            sizes=sizes,
            keeps_debs=base is not None and base.apt is not None and base.apt.keeps_debs,
            assume_bytes=bound,
        )

    def _packages(
        self, done: Sequence[AnyEffect], base: BaseImage | None, platform: str, step: RecipeStep
    ) -> dict[int, AptForecast]:
        numbers = [number for number, effect in enumerate(done) if isinstance(effect, AptInstall)]
        updates = [effect for effect in done if isinstance(effect, AptUpdate)]
        if base is None or not (numbers or updates):
            return {}
        found: dict[int, AptForecast] = {}
        for number in numbers or [-1]:
            wanted = [effect for effect in (done[number],) if isinstance(effect, AptInstall)] if number >= 0 else []
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

    def _stage_of(self, origin: Origin, platform: str) -> int:
        """Return the number of the stage that files are taken from; one that stands for it where that is an image."""
        if origin.stage is not None:
            return origin.stage
        key = f"{origin.name} {origin.platform or platform}"
        if key not in self._outside:
            base = self._bases.find(origin.name, origin.platform or platform)
            index = _OUTSIDE_STAGES + len(self._outside)
            self._outside[key] = StageWork(index=index, name=origin.name, ground=self._bases.ground(origin.name, base))
        return self._outside[key].index


def _bounded(estimate: Estimate, assume_bytes: int) -> Estimate:
    return estimate if estimate.known else assumed(assume_bytes)


def _lower(image: Estimate) -> Estimate:
    """Return what files of a context may take when they are compressed: from a tenth to the whole."""
    grade = Grade.DECLARED if image.grade is Grade.EXACT else image.grade
    return Estimate(image.low_bytes // 10, image.likely_bytes // 2, image.high_bytes, grade)
