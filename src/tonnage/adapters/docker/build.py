"""Building an image with the docker program: the command for a build section, and what its failure means.

A build is the user's own: the same command that they would type, the same layers. Only the output is read.
"""

from __future__ import annotations

import contextlib
import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tonnage.adapters import process
from tonnage.adapters.context.dockerfiles import dockerfile_text
from tonnage.adapters.docker.build_failure import build_failure, lost_a_layer
from tonnage.adapters.docker.build_variables import build_variables
from tonnage.adapters.docker.builder_needs import refuse_what_it_lacks
from tonnage.adapters.docker.progress import LegacyOutput, PlainOutput, RawJsonOutput
from tonnage.adapters.docker.tools import BuilderKind
from tonnage.addresses import redacted
from tonnage.errors import StepFailedError, UsageError
from tonnage.model.deploy.image_names import LABEL_SERVICE
from tonnage.model.inventory import CONTAINERD
from tonnage.own_files import temporary_directory
from tonnage.sources.cache_entries import NO_EXPORT, cache_entries
from tonnage.sources.dockerfile.base_images import why_base_stays, with_base

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tonnage.adapters.docker.build_variables import BuildVariables
    from tonnage.adapters.docker.progress import BuildOutput
    from tonnage.adapters.docker.tools import BuildTool
    from tonnage.adapters.interface import Cancel, Progress
    from tonnage.model.stack import BuildSpec
    from tonnage.sources.cache_entries import CacheEntry

_OUTPUTS: dict[BuilderKind, type[RawJsonOutput | PlainOutput | LegacyOutput]] = {
    BuilderKind.RAWJSON: RawJsonOutput,
    BuilderKind.PLAIN: PlainOutput,
    BuilderKind.LEGACY: LegacyOutput,
}
_NOTHING = "false"
_ENGINE_ITSELF = "default"
# What was done is in the build cache the second time.
_ATTEMPTS = 2


def build_command(
    tool: BuildTool,
    spec: BuildSpec,
    reference: str,
    labels: Mapping[str, str],
    id_file: str,
    variables: BuildVariables,
    *,
    packed: bool = False,
    image_store: str = "",
    metadata_file: str = "",
    builder: str = "",
    pushes: bool = False,
) -> list[str]:
    """Return the command that builds a section and names the result.

    Args:
        variables: How the values of its arguments reach it.
        packed: The engine need not unpack the result.
        image_store: Where the engine keeps images: only in containerd is there a place for attestations.
        metadata_file: Where buildx tells more of what it made than its id.
        builder: The builder beside the engine that builds; empty for the engine's own.
        pushes: That builder pushes the result, and the engine does not get it.

    Returns:
        Its words; every user of the machine can read them.

    Raises:
        EngineLacksError: The section asks for something that this builder cannot do.
    """
    refuse_what_it_lacks(tool, spec)
    command = [tool.program, "build"]
    if tool.buildx:
        # The builder named default is the engine itself, whatever `buildx use` says.
        command = [tool.program, "buildx", "build", "--builder", builder or _ENGINE_ITSELF]
        command += ["--push"] if pushes else ["--output", "type=image,unpack=false"] if packed else ["--load"]
    command += ["--force-rm"] if tool.kind is BuilderKind.LEGACY else [f"--progress={tool.kind.value}"]
    command += ["--metadata-file", metadata_file] if metadata_file and tool.buildx else []
    given = not spec.dockerfile or _is_rewritten(tool, spec)
    command += ["--iidfile", id_file, "--tag", reference, "--file", "-" if given else spec.dockerfile]
    bases = [] if _is_rewritten(tool, spec) else [(name, f"docker-image://{image}") for name, image in spec.bases]
    repeated = {
        "--build-arg": variables.arguments,
        "--label": [f"{name}={value}" for name, value in (*spec.labels, *labels.items())],
        "--build-context": [f"{name}={value}" for name, value in (*spec.additional_contexts, *bases)],
        "--cache-from": spec.cache_from,
        "--cache-to": [
            each.text for each in cache_entries(spec.cache_to) if _exports(each, tool, image_store, builder)
        ],
        # Older programs know only the colon; an address may hold further ones.
        "--add-host": [entry.replace("=", ":", 1) for entry in spec.extra_hosts],
        "--secret": variables.secrets,
        "--ssh": spec.ssh,
        "--target": [spec.target] if spec.target else [],
        "--network": [spec.network] if spec.network else [],
        "--platform": [",".join(spec.platforms)] if spec.platforms else [],
        "--shm-size": [str(spec.shm_bytes)] if spec.shm_bytes is not None else [],
    }
    for option, values in repeated.items():
        for value in values:
            command += [option, value]
    kept, _ = attestations(tool, spec, image_store)
    command += [f"--{name}={value}" for name, value in kept.items()]
    command += ["--no-cache"] * spec.no_cache + ["--pull"] * spec.pull
    return [*command, spec.context]


def _is_rewritten(tool: BuildTool, spec: BuildSpec) -> bool:
    """Return whether bases are put into the Dockerfile, which goes through standard input then.

    buildx takes another image for a name, but in all stages that stand on it.
    """
    return bool(spec.bases) and (not tool.buildx or bool(spec.base_line))


def _exports(entry: CacheEntry, tool: BuildTool, image_store: str, builder: str) -> bool:
    """Return whether a builder can export its cache so. Of the classic store only a list inside the image comes out."""
    return tool.buildx and (bool(builder) or image_store == CONTAINERD or entry.is_inline)


def attestations(tool: BuildTool, spec: BuildSpec, image_store: str) -> tuple[dict[str, str], dict[str, str]]:
    """Return what a build section says of attestations: what a builder can do for this engine, and what it cannot.

    To attach nothing can all that have heard of it; those that have not attach nothing.
    """
    able = tool.attests and image_store == CONTAINERD
    kept = {name: value for name, value in spec.attestations.items() if able or (tool.attests and value == _NOTHING)}
    lost = {name: value for name, value in spec.attestations.items() if name not in kept and value != _NOTHING}
    return kept, lost


def run_build(
    tool: BuildTool,
    spec: BuildSpec,
    reference: str,
    labels: Mapping[str, str],
    *,
    image_store: str = "",
    environment: Mapping[str, str],
    progress: Progress,
    cancel: Cancel,
    packed: bool = False,
    builder: str = "",
    pushes: bool = False,
    values: Mapping[str, str] | None = None,
) -> tuple[str, ...]:
    """Build an image and return the ids that it may have: which of them an engine takes depends on where images lie.

    Args:
        packed: The engine need not unpack it.
        builder: The builder beside the engine that builds; empty for the engine's own.
        pushes: That builder pushes the result, and the engine does not get it.
        values: Variables that secrets take their content from, before those of the environment.

    Raises:
        StepFailedError: The build failed or was stopped; the failing step's last lines are in ``log``.
        ReserveCrossedError: It failed because the disk is full.
        UsageError: The Dockerfile or the context does not exist.
        EngineLacksError: The section asks for something that this builder cannot do.
        EngineUnreachableError: The engine does not answer the builder.
    """
    _refuse_what_is_missing(spec)
    for lost, value in attestations(tool, spec, image_store)[1].items():
        progress.log(f"build.{lost}: {value} has no effect: this builder can attach nothing to an image of this engine")
    for entry in cache_entries(spec.cache_to):
        if not _exports(entry, tool, image_store, builder):
            progress.log(f"build.cache_to: {redacted(entry.shown)} is {NO_EXPORT}")
    legacy = tool.kind is BuilderKind.LEGACY
    usual = {"BUILDKIT_PROGRESS": "plain", **environment, "DOCKER_BUILDKIT": "0" if legacy else "1"}
    variables = build_variables(spec, usual, values)
    # How it was built need not be told here besides, which takes a while.
    environment = {"BUILDX_METADATA_PROVENANCE": "disabled", **variables.environment}
    name = labels.get(LABEL_SERVICE, reference)
    for attempt in range(_ATTEMPTS):
        output = _OUTPUTS[tool.kind]()
        with temporary_directory("build") as private:
            id_file, metadata_file = Path(private, "image-id"), Path(private, "metadata")
            exit_code = process.stream(
                build_command(
                    tool,
                    spec,
                    reference,
                    labels,
                    str(id_file),
                    variables,
                    packed=packed,
                    image_store=image_store,
                    metadata_file=str(metadata_file),
                    builder=builder,
                    pushes=pushes,
                ),
                environment=environment,
                directory=None,
                on_line=partial(_tell, output, progress),
                cancel=cancel,
                stdin=_dockerfile(tool, spec),
                # One that outlived its run would give the candidate's name to its image in the middle of the next one.
                dies_with_us=True,
            )
            if exit_code == 0 and id_file.is_file():
                return (*_digests(metadata_file), id_file.read_text(encoding="ascii").strip())
        if cancel.is_set():
            raise StepFailedError(f"the build of {name} was stopped")
        if attempt + 1 == _ATTEMPTS or image_store != CONTAINERD or not lost_a_layer(output):
            break
        progress.log("containerd lost a layer while the image was unpacked, which happens now and then: building again")
    raise build_failure(output, tool, spec, name, builder)


def _dockerfile(tool: BuildTool, spec: BuildSpec) -> bytes:
    """Return the Dockerfile that is sent through standard input; nothing where the builder reads the file itself."""
    rewritten = _is_rewritten(tool, spec)
    if spec.dockerfile and not rewritten:
        return b""
    text = dockerfile_text(spec)
    for name, image in spec.bases if rewritten else ():
        if why := why_base_stays(text, dict(spec.args), name, spec.base_line):
            raise StepFailedError(
                f"the build cannot stand on {image}",
                why=f"The Dockerfile was changed since it was planned: {why}.",
                todo="Plan it again.",
                place=str(spec.place or ""),
            )
        text = with_base(text, dict(spec.args), name, image, spec.base_line)
    return text.encode(errors="surrogateescape")


def _digests(metadata_file: Path) -> tuple[str, ...]:
    """Return the digests of what was built, as far as buildx tells them: of its manifest and of its configuration.

    Of an image in containerd to which nothing is attached, its id is the configuration's, by which no engine finds it.
    Source: checked with buildx 0.13 on Docker 26.1 and 0.29 on 28.5.
    """
    with contextlib.suppress(OSError, ValueError):
        told = json.loads(metadata_file.read_bytes())
        if isinstance(told, dict):
            return tuple(
                str(told[key]) for key in ("containerimage.digest", "containerimage.config.digest") if key in told
            )
    return ()


def _tell(output: BuildOutput, progress: Progress, line: str) -> None:
    heard = output.hear(line)
    if heard.where:
        progress.at(redacted(heard.where))
    for text in heard.lines:
        progress.log(redacted(text))


def _refuse_what_is_missing(spec: BuildSpec) -> None:
    place = str(spec.place) if spec.place else ""
    local = "://" not in spec.context and not spec.context.startswith("git@")
    if local and not Path(spec.context).is_dir():
        raise UsageError(f"the build context {spec.context} is not a directory", place=place)
    if local and spec.dockerfile and not Path(spec.dockerfile).is_file():
        raise UsageError(f"the Dockerfile {spec.dockerfile} does not exist", place=place)
