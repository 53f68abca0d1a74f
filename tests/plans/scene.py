"""A case of planning as a directory: ``compose.yaml`` is what is wanted, ``scene.json`` what is there; both are short.

``scene.json`` is read strictly into :class:`Scene`. The word ``same`` stands for the digest of what is written now, so
that no digest has to be kept in a file. Image ids are short words here.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from tonnage.decide.deploy.changes import compose_project, config_digest
from tonnage.decide.deploy.health import prove_action
from tonnage.decide.deploy.planning import plan_build, plan_deploy
from tonnage.decide.deploy.rollback import plan_rollback
from tonnage.model.builder import BuilderBeside
from tonnage.model.deploy.image_names import version_name
from tonnage.model.deploy.plan import Purpose, Version
from tonnage.model.deploy.policy import Policy, Together
from tonnage.model.deploy.run import History
from tonnage.model.forecast.estimate import Estimate, Grade
from tonnage.model.forecast.learned import LearnedStep
from tonnage.model.inventory import Container, Engine, Filesystem, Image, Inputs, Inventory, Layer
from tonnage.model.reclaim.candidate import Root, Roots
from tonnage.runtime.load_stack import StackRequest, load_stack
from tonnage.units import parse_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from tonnage.model.deploy.plan import Plan
    from tonnage.model.stack import Stack

SAME = "same"
LATER_S = 1_000_003.0
PLANNERS = {Purpose.DEPLOY: plan_deploy, Purpose.BUILD: plan_build}


class SceneName(msgspec.Struct, forbid_unknown_fields=True):
    """A name of ours that tells of a version."""

    service: str
    number: int
    config: str = SAME
    withdrawn: bool = False


class SceneImage(msgspec.Struct, forbid_unknown_fields=True):
    """An image. ``built_for`` is the service it says it was built for, from ``inputs``; ``on`` the image below it."""

    id: str
    names: list[str] = []
    built_for: str = ""
    inputs: str = SAME
    unique: str = "104729B"
    on: str = ""
    versions: list[SceneName] = []


class SceneContainer(msgspec.Struct, forbid_unknown_fields=True):
    """A container; ``config`` is ``same``, another word for an earlier configuration, or nothing when not ours.

    What runs was proven good, unless ``proven`` is false.
    """

    service: str
    image: str
    config: str = SAME
    state: str = "running"
    health: str = "none"
    exit_code: int | None = None
    number: int = 1
    name: str = ""
    project: str = "shop"
    one_off: bool = False
    proven: bool = True


class SceneVersion(msgspec.Struct, forbid_unknown_fields=True):
    """A good version that the journal knows."""

    service: str
    image: str
    config: str = SAME


class Scene(msgspec.Struct, forbid_unknown_fields=True):
    """What is there, what was learned, and what is asked for.

    With ``needed``, even an empty list, somebody looked what others need, so that the rest may be reclaimed. A
    ``builder`` builds beside the engine.
    """

    purpose: Purpose = Purpose.DEPLOY
    services: list[str] = []
    size: str = "20GB"
    available: str = "7GB"
    bases: dict[str, str] = {}
    images: list[SceneImage] = []
    containers: list[SceneContainer] = []
    versions: list[SceneVersion] = []
    learned: dict[str, tuple[str, str]] = {}
    keep_free: str = ""
    keep_versions: int = 1
    rollback: Together = Together.SERVICE
    again: bool = False
    to: str = ""
    cleanup_after: bool = True
    push: bool = False
    builder: str = ""
    needed: list[str] | None = None


def plan_of(case: Path) -> Plan:
    """Return the plan of a case."""
    scene = msgspec.json.decode((case / "scene.json").read_bytes(), type=Scene)
    request = StackRequest(files=(str(case / "compose.yaml"),), working_directory=str(case))
    stack = load_stack(request, environment={}, compose=None, builds=False)
    policy = Policy(
        keep_free_bytes=parse_bytes(scene.keep_free) if scene.keep_free else None,
        keep_versions=scene.keep_versions,
        rollback=scene.rollback,
        again=scene.again,
        cleanup_after=scene.cleanup_after,
        push=scene.push,
    )
    seen, known = _inventory(stack, scene), _history(stack, scene)
    if scene.purpose is Purpose.ROLLBACK:
        return plan_rollback(stack, seen, policy, known, scene.services, scene.to)
    return PLANNERS[scene.purpose](stack, seen, policy, known, scene.services)


def _inventory(stack: Stack, scene: Scene) -> Inventory:
    return Inventory(
        engine=Engine(
            engine_id="ENGINE",
            endpoint="unix:///var/run/docker.sock",
            version="20.10.24",
            api_version="1.41",
            storage_driver="overlay2",
            image_store="classic",
            data_root="/var/lib/docker",
            builder=BuilderBeside(name=scene.builder, container="c", volume="v") if scene.builder else None,
        ),
        filesystems=(
            Filesystem(
                mount="/",
                roles=("data-root",),
                size_bytes=parse_bytes(scene.size),
                available_bytes=parse_bytes(scene.available),
            ),
        ),
        images=tuple(_image(stack, scene, each) for each in scene.images),
        containers=tuple(_container(stack, each) for each in scene.containers),
        inputs=tuple(
            Inputs(service=each.name, digest=_inputs(each.name, SAME), base_reference=scene.bases.get(each.name, ""))
            for each in stack.services
            if each.build
        ),
        needs=None
        if scene.needed is None
        else Roots(images=tuple(Root(name, "the stack theirs names it") for name in scene.needed), now_s=LATER_S),
    )


def _image(stack: Stack, scene: Scene, written: SceneImage) -> Image:
    chain = [written]
    while chain[0].on:
        chain.insert(0, next(each for each in scene.images if each.id == chain[0].on))
    layers = tuple(
        Layer(chain_id=_id(each.id), diff_id=_id(each.id), size_bytes=parse_bytes(each.unique)) for each in chain
    )
    size_bytes, unique_bytes = sum(layer.size_bytes or 0 for layer in layers), layers[-1].size_bytes or 0
    labels = {
        "tonnage.stack": "shop",
        "tonnage.service": written.built_for,
        "tonnage.inputs": _inputs(written.built_for, written.inputs),
    }
    return Image(
        image_id=_id(written.id),
        references=(*written.names, *(_name(stack, each) for each in written.versions)),
        layers=layers,
        size_bytes=size_bytes,
        unique_bytes=unique_bytes,
        shared_bytes=size_bytes - unique_bytes,
        labels=labels if written.built_for else {},
    )


def _name(stack: Stack, told: SceneName) -> str:
    name = version_name(told.number, _config(stack, told.service, told.config))
    return replace(name, withdrawn=told.withdrawn).reference(stack.name, told.service)


def _container(stack: Stack, written: SceneContainer) -> Container:
    config = _config(stack, written.service, written.config) if written.config else ""
    return Container(
        container_id=f"container-{written.service}-{written.number}{'-candidate' if written.one_off else ''}",
        name=written.name or f"{written.project}-{written.service}-{written.number}",
        image_id=_id(written.image),
        project=written.project,
        service=written.service,
        number=written.number,
        one_off=written.one_off,
        state=written.state,
        health=written.health,
        exit_code=written.exit_code,
        config_digest=config,
    )


def _history(stack: Stack, scene: Scene) -> History:
    return History(
        learned={
            f"shop/{key}": LearnedStep(kept=_estimate(kept), transient=_estimate(transient), seconds=7.0, runs=1)
            for key, (kept, transient) in scene.learned.items()
        },
        versions=tuple(_version(stack, each) for each in (*scene.versions, *_proven(scene))),
    )


def _proven(scene: Scene) -> list[SceneVersion]:
    known = {(each.service, each.image, each.config) for each in scene.versions}
    running = [
        SceneVersion(service=each.service, image=each.image, config=each.config)
        for each in scene.containers
        if each.proven and each.config and each.project == "shop" and not each.one_off and each.number == 1
    ]
    return [each for each in running if (each.service, each.image, each.config) not in known]


def _version(stack: Stack, written: SceneVersion) -> Version:
    service = stack.service(written.service)
    digest = _inputs(service.name, SAME) if service.build else ""
    return Version(
        service=service.name,
        image_name=service.image,
        project=compose_project(stack, service),
        config_digest=_config(stack, service.name, written.config),
        inputs_digest=digest,
        prove=prove_action(service),
        image_id=_id(written.image),
    )


def _estimate(text: str) -> Estimate:
    count_bytes = parse_bytes(text)
    return Estimate(count_bytes, count_bytes, count_bytes, Grade.LEARNED)


def _config(stack: Stack, service: str, word: str) -> str:
    return config_digest(stack.service(service)) if word == SAME else hashlib.sha256(word.encode()).hexdigest()


def _inputs(service: str, word: str) -> str:
    return f"inputs of {service}: {word}"


def _id(word: str) -> str:
    return f"sha256:{hashlib.sha256(word.encode()).hexdigest()}"
