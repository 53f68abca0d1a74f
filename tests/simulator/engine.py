"""The simulated engine itself: its state, and what a test sets up. Facts and acts are views on it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from tests.simulator.acts import SimulatedActs
from tests.simulator.clock import VirtualClock
from tests.simulator.disk import Disk
from tests.simulator.facts import SimulatedFacts, SimulatedGauge
from tests.simulator.faults import Faults
from tests.simulator.life import LivingContainer
from tests.simulator.recipe import Behaviour, digest_of
from tests.simulator.store import Store

from tonnage.model.inventory import Engine, Inputs
from tonnage.model.references import tagged
from tonnage.model.stack import BuildSpec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.simulator.recipe import Recipe
    from tests.simulator.store import StoredImage

    from tonnage.model.inventory import Filesystem, Layer
    from tonnage.model.network import Network

BUSYBOX_BYTES = 1_982_411


class Simulator:
    """An engine on a disk of its own, with ``busybox:latest`` on it.

    Args:
        size_bytes: Size of its disk.
        reserved_bytes: What only root may write.
        other_bytes: Files of others on the disk.
        faults: What goes wrong.
        pace_s: Real seconds for each piece that a build or pull writes, so that who watches the disk sees it.
    """

    def __init__(
        self,
        size_bytes: int = 30_000_000_011,
        *,
        reserved_bytes: int = 0,
        other_bytes: int = 0,
        faults: Faults | None = None,
        pace_s: float = 0.0,
    ) -> None:
        self.clock = VirtualClock()
        # One act at a time changes what is there; builds and pulls let others in between whenever they write.
        self.busy = threading.Lock()
        self.others: tuple[Filesystem, ...] = ()
        self.disk = Disk(size_bytes, reserved_bytes=reserved_bytes, other_bytes=other_bytes)
        self.faults = faults or Faults()
        self.pace_s = pace_s
        self.store = Store(self.disk)
        self.containers: dict[str, LivingContainer] = {}
        self.volumes: dict[str, str] = {}
        self.networks: dict[str, Network] = {}
        self.cache_unknown = ""
        self.recipes: dict[str, Recipe] = {}
        self.registry: dict[str, tuple[tuple[tuple[str, int], ...], Behaviour]] = {}
        self.pushed: list[str] = []
        self.pulls: list[tuple[str, float]] = []
        self.sent: list[str] = []
        self.packed: list[str] = []
        self.log: list[str] = []
        self.most_at_once: dict[tuple[str, str], int] = {}
        self.identity = Engine(
            engine_id="SIMU:LATO:R",
            endpoint="unix:///run/simulated.sock",
            version="20.10.24",
            api_version="1.41",
            storage_driver="overlay2",
            image_store="classic",
            data_root=self.disk.mount,
        )
        self._made = 0
        self.facts = SimulatedFacts(self)
        self.acts = SimulatedActs(self)
        self.gauge = SimulatedGauge(self.disk)
        self.add_image("busybox:latest", (("busybox", BUSYBOX_BYTES),))

    def new_id(self, kind: str) -> str:
        """Return an identity that was not there before, the same in every run of the same test."""
        self._made += 1
        return digest_of(kind, str(self._made)).removeprefix("sha256:")

    def add_image(
        self,
        reference: str,
        layers: Sequence[tuple[str, int]],
        *,
        behaviour: Behaviour | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> StoredImage:
        """Put an image there, as name and layers (contents and bytes), lowest first. No name makes it dangling."""
        chain: list[Layer] = []
        for contents, size_bytes in layers:
            self.disk.write("setting up", size_bytes)
            chain.append(self.store.put_layer(chain, digest_of("layer", contents), "setting up", size_bytes))
        image = self.store.put_image(chain, behaviour or Behaviour(), labels or {}, self.clock.time())
        if reference:
            self.store.names[tagged(reference)] = image.image_id
        return image

    def add_to_registry(
        self, reference: str, layers: Sequence[tuple[str, int]], behaviour: Behaviour | None = None
    ) -> None:
        """Make an image that can be pulled, as layers (contents and bytes), lowest first."""
        self.registry[tagged(reference)] = (tuple(layers), behaviour or Behaviour())

    def add_volume(self, name: str, size_bytes: int, project: str = "") -> None:
        """Put a volume with contents there."""
        self.volumes[name] = project
        self.disk.write(f"volume {name}", size_bytes)

    def add_container(
        self, name: str, image: str, *, project: str = "", service: str = "", running: bool = True
    ) -> LivingContainer:
        """Put a container there that nobody in the test has started."""
        stored = self.store.find(image)
        if stored is None:
            raise KeyError(image)
        container = LivingContainer(
            container_id=self.new_id("container"),
            name=name,
            image_id=stored.image_id,
            image_reference=image,
            behaviour=stored.behaviour,
            check=stored.behaviour.check,
            project=project,
            service=service,
            number=1,
        )
        self.containers[container.container_id] = container
        container.start(self.clock.time())
        if not running:
            container.stop()
        return container

    def describe(self, context: str, recipe: Recipe) -> BuildSpec:
        """Say what building a context does from now on; return how it is built."""
        self.recipes[context] = recipe
        return BuildSpec(context=context, dockerfile=f"{context}/Dockerfile")

    def inputs_of(self, service: str, spec: BuildSpec) -> Inputs:
        """Return what a build would read now."""
        recipe = self.recipes[spec.context]
        return Inputs(
            service=service,
            digest=digest_of(recipe.digest, repr(spec.args), spec.target),
            context_bytes=recipe.context_bytes,
            base_reference=recipe.base,
        )

    def living(self) -> list[LivingContainer]:
        """Return all containers, brought up to now."""
        for container in list(self.containers.values()):
            container.live_until(self.clock.time())
        return list(self.containers.values())

    def find_container(self, name_or_id: str) -> LivingContainer | None:
        """Return the container of that name or id, brought up to now, or None."""
        return next((c for c in self.living() if name_or_id in {c.container_id, c.name}), None)
