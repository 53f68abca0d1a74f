"""A plan: ordered steps, each with its cause, what it changes, and the bytes expected around it.

A plan is data. It can be printed (:mod:`tonnage.views.text.plan`), saved, read again and executed; the executor
decides nothing, so everything that it may have to do, the undoing of a failed step included, is written here.
Actions are tagged structs so that a saved plan names each of them.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from tonnage.model.deploy.expected_build import ExpectedInstruction  # noqa: TC001
from tonnage.model.deploy.policy import Policy
from tonnage.model.deploy.renewal import RemoveNetworks
from tonnage.model.deploy.rolling import RollingAction
from tonnage.model.deploy.sharing import Sharing  # noqa: TC001
from tonnage.model.forecast.estimate import NOTHING, UNKNOWN, Estimate  # noqa: TC001
from tonnage.model.forecast.fit import DeployNeed, Overlap  # noqa: TC001
from tonnage.model.reclaim.candidate import CandidateId  # noqa: TC001
from tonnage.model.stack import BuildSpec, ComposeMapping, ProbeSpec  # noqa: TC001

PLAN_FORMAT = 2


class Purpose(StrEnum):
    """What a plan is for."""

    DEPLOY = "deploy"
    BUILD = "build"
    ROLLBACK = "rollback"
    RECLAIM = "reclaim"


class Pull(msgspec.Struct, frozen=True, tag="pull", kw_only=True):
    """Pull ``reference`` from its registry, for ``platform``; for the engine's own where that is empty."""

    reference: str
    platform: str = ""


class Build(msgspec.Struct, frozen=True, tag="build", kw_only=True):
    """Build ``spec`` and give the result the name ``reference``, with ``labels`` in its configuration.

    Args:
        packed: The image is only pushed: the engine need not unpack it.
        builder: The builder beside the engine that builds; empty for the engine's own.
        pushes: That builder pushes it as well, and the engine does not get it.
        same_as: An image that tells no inputs; where the build makes what is in it, it gets the name instead.
    """

    spec: BuildSpec
    reference: str
    labels: tuple[tuple[str, str], ...] = ()
    packed: bool = False
    builder: str = ""
    pushes: bool = False
    same_as: str = ""


class Push(msgspec.Struct, frozen=True, tag="push", kw_only=True):
    """Push ``reference`` to its registry."""

    reference: str


class Tag(msgspec.Struct, frozen=True, tag="tag", kw_only=True):
    """Give the image ``image`` (a reference or an id) the further name ``reference``."""

    image: str
    reference: str


class Untag(msgspec.Struct, frozen=True, tag="untag", kw_only=True):
    """Take a name away; the image itself stays while anything else names or uses it."""

    reference: str


class Rename(msgspec.Struct, frozen=True, tag="rename", kw_only=True):
    """Give each image that has the first name of a pair the second one instead; what is not there is left out."""

    names: tuple[tuple[str, str], ...]


class Keep(msgspec.Struct, frozen=True, tag="keep", kw_only=True):
    """Name the image that the step's service runs ``reference``, and write what is known of it into ``record``.

    Args:
        record: The name of an empty image whose labels tell the step's version.
        candidate: The name that said it was not proven, which is taken away; empty when it has none.
    """

    reference: str
    record: str
    candidate: str = ""


class Adopt(msgspec.Struct, frozen=True, tag="adopt", kw_only=True):
    """Name an empty image ``reference``: the stack in this directory is the one that runs under its name."""

    reference: str


class StartFirst(msgspec.Struct, frozen=True, tag="start-first", kw_only=True):
    """Start one container of the new version while the old one still runs, without host ports and without its alias.

    Args:
        project: The whole project for Compose, images pinned, ``build`` removed.
    """

    project: ComposeMapping
    container_name: str


class Prove(msgspec.Struct, frozen=True, tag="prove", kw_only=True):
    """Prove that containers are healthy: healthcheck, probe, stability.

    Args:
        container_name: The one container to look at; empty for all the containers of the step's service.
        one_shot: Healthy means: ended with exit code 0.
        stability_s: Seconds to stay up with an unchanged restart count.
        timeout_s: When to give up.
        start_period_s: Time in which failing checks do not count.
        but: Ids of containers of the service that are not meant.
    """

    replicas: int = 1
    container_name: str = ""
    one_shot: bool = False
    probe: ProbeSpec | None = None
    stability_s: float = 3.0
    timeout_s: float = 120.0
    start_period_s: float = 0.0
    but: tuple[str, ...] = ()


class Switch(msgspec.Struct, frozen=True, tag="switch", kw_only=True):
    """Let Compose bring the step's service to this configuration: ``up -d --no-build --no-deps``.

    Args:
        project: The whole project for Compose, images pinned, ``build`` removed.
        image: Reference or id that is given the name ``image_name`` first; empty when the name stays.
        candidate: The name that says what now runs is not proven; empty where it is, or has that name already.
        recreate: Also containers that have this configuration already are made anew.
        spares: Unless all these containers still run: then nothing has taken their place. Empty where that is the aim.
        config_hash: What Compose wrote on the containers of this version before; empty for a new one.
    """

    project: ComposeMapping
    image: str = ""
    image_name: str = ""
    candidate: str = ""
    recreate: bool = False
    config_hash: str = ""
    spares: tuple[str, ...] = ()


class Restart(msgspec.Struct, frozen=True, tag="restart", kw_only=True):
    """Stop the containers of the step's service that run, and start them again; ``spares`` as of a switch."""

    project: str
    spares: tuple[str, ...] = ()


class RemoveContainer(msgspec.Struct, frozen=True, tag="remove-container", kw_only=True):
    """Stop and remove one container by name or id; nothing happens when it is not there."""

    container: str


class RemoveService(msgspec.Struct, frozen=True, tag="remove-service", kw_only=True):
    """Stop and remove the containers of the step's service (never its volumes), but not those of these ids."""

    project: str
    but: tuple[str, ...] = ()


class RemoveImage(msgspec.Struct, frozen=True, tag="remove-image", kw_only=True):
    """Take ``references`` away and remove the image ``image`` (an id, or a reference known only when the step runs).

    An image that a container uses or another name holds stays; nothing is forced. With ``with_cache`` the build-cache
    records go with it that stood behind its layers and stand behind no other image's.

    Args:
        records: Empty images that tell of versions which are forgotten with it, also where the image itself stays.
    """

    image: str
    references: tuple[str, ...] = ()
    with_cache: bool = False
    records: tuple[str, ...] = ()


class CleanCache(msgspec.Struct, frozen=True, tag="clean-cache", kw_only=True):
    """Remove the build-cache records that came into being since the run began and that are not in use."""


class Reclaimable(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a reclaim removes.

    Args:
        kind: image, container, cache, volume, or a kind of the catalogue.
        names: Names of an image that go with it; any other name makes it stay.
        promised_bytes: What comes free with it, after what stands before it.
    """

    candidate_id: CandidateId
    kind: str
    name: str
    names: tuple[str, ...] = ()
    promised_bytes: int = 0


class Reclaim(msgspec.Struct, frozen=True, tag="reclaim", kw_only=True):
    """Remove these things in this order, and stop when ``until_bytes`` are available.

    Each is looked at once more before it goes: what is used or named by then stays.
    """

    items: tuple[Reclaimable, ...]
    until_bytes: int


class SendFiles(msgspec.Struct, frozen=True, tag="send-files", kw_only=True):
    """Bring files of the project directory to the directory ``place`` on the engine's machine.

    Args:
        place: The project directory there.
    """

    place: str
    paths: tuple[str, ...]


Action = (
    SendFiles
    | Pull
    | Build
    | Push
    | Tag
    | Untag
    | Rename
    | Keep
    | Adopt
    | StartFirst
    | Prove
    | Switch
    | Restart
    | RemoveContainer
    | RemoveService
    | RemoveImage
    | CleanCache
    | Reclaim
    | RemoveNetworks
    | RollingAction
)


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step.

    Args:
        name: Unique in the plan and stable, such as ``web.build``.
        version: Names the version that is good once this step is done: written to the journal by the executor.
        available_after: Forecast: available bytes after the step.
        available_lowest: Forecast: available bytes at the step's lowest point.
        learn_key: Under which key measured bytes of this step are stored to be learned from; empty for none.
        withdraw: Versions that are no longer good once this step is done: they were rolled away from.
        at_reserve: Steps that give bytes back when the guard stopped this step; they run before ``on_failure``.
        on_failure: Steps that undo what a failure or an interruption of this step leaves.
        instructions: What the instructions of a build were forecast to do; none where that was not forecast.
    """

    name: str
    action: Action
    cause: str
    changes: str
    service: str = ""
    version: Version | None = None
    kept: Estimate = NOTHING
    transient: Estimate = NOTHING
    available_after: Estimate = UNKNOWN
    available_lowest: Estimate = UNKNOWN
    learn_key: str = ""
    withdraw: tuple[Version, ...] = ()
    at_reserve: tuple[Step, ...] = ()
    on_failure: tuple[Step, ...] = ()
    instructions: tuple[ExpectedInstruction, ...] = ()

    @property
    def why_there(self) -> str:
        """Why the plan has it, as the beginning of a message; empty where its name says which service it is of."""
        return "" if self.service else f"{self.name} is there because {self.cause}. "


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a service that was proven good, so that it can be gone back to.

    Args:
        image_name: The name its containers run under.
        project: The whole project for Compose, as it was switched to.
        inputs_digest: Identity of what its image was built from; empty when it was pulled.
        image_id: The image; empty in a plan (not known yet), set when recorded.
        content_digest: Of the image, as it is then.
        number: By which people name it, unique in its stack; 0 when it has none.
        proven_s: When it was proven, seconds since the epoch; 0 in a plan.
        config_hash: What Compose wrote on its containers of their configuration; empty in a plan.
        containers: The ids of these containers; none in a plan.
        origin: The repository that its stack was read from; empty where it is in none that is known.
    """

    service: str
    image_name: str
    project: ComposeMapping
    config_digest: str
    inputs_digest: str
    prove: Prove
    image_id: str = ""
    content_digest: str = ""
    number: int = 0
    proven_s: float = 0.0
    config_hash: str = ""
    containers: tuple[str, ...] = ()
    origin: str = ""


class Unchanged(msgspec.Struct, frozen=True, kw_only=True):
    """A service that the plan leaves alone, and why."""

    service: str
    reason: str


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Why nothing will be done, what to do, and how many bytes are missing by the likely figures."""

    what: str
    why: str
    todo: str
    missing_bytes: int = 0


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What will be done, in order.

    Args:
        fingerprint: Identity of everything that the plan was made from; another one makes the plan stale.
        available_bytes: Measured when the plan was made, on that filesystem.
        reserve_bytes: The reserve: what must remain available.
        removable: Everything on the engine that might go for it when it was made.
        need: What it needs of that filesystem at its worst moment; None where what a step does is not known.
        overlap: What it saves to make images at once; None where none is, or their times are not known.
        sharing: What services share and why not more; None where that was not looked at.
        times: The seconds that steps took in earlier runs, by name; those of steps that never ran are not in it.
        seconds: What all of it takes by that; None where a build or pull in it never ran.
    """

    stack: str
    directory: str
    purpose: Purpose
    engine_id: str
    endpoint: str
    fingerprint: str
    filesystem: str
    available_bytes: int
    reserve_bytes: int
    steps: tuple[Step, ...] = ()
    unchanged: tuple[Unchanged, ...] = ()
    refusal: Refusal | None = None
    notes: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    policy: Policy = Policy()
    removable: tuple[CandidateId, ...] = ()
    need: DeployNeed | None = None
    overlap: Overlap | None = None
    sharing: Sharing | None = None
    times: tuple[tuple[str, float], ...] = ()
    seconds: float | None = None
    format: int = PLAN_FORMAT
