"""One service with everything that its steps are made from, and how a step of it is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tonnage.decide.deploy.changes import config_digest, is_configured
from tonnage.decide.deploy.expectations import freed
from tonnage.decide.deploy.networks.attachments import volume_it_lacks
from tonnage.decide.deploy.versions import running_version
from tonnage.model.compose_labels import config_hash_of
from tonnage.model.deploy.image_names import (
    LABEL_SERVICE,
    LABEL_STACK,
    candidate_container_name,
    candidate_reference,
    first_compose_name,
    unproven_reference,
    version_name,
)
from tonnage.model.deploy.plan import CleanCache, Keep, RemoveImage, Rename, Step, Tag, Untag
from tonnage.model.deploy.policy import Cleanup
from tonnage.model.forecast.estimate import NOTHING, RECORDS, UNKNOWN, Estimate, Grade
from tonnage.model.inventory import CONTAINERD
from tonnage.model.references import tagged
from tonnage.model.replacement import half_replaced, is_half_replaced

if TYPE_CHECKING:
    from tonnage.decide.deploy.changes import Change
    from tonnage.model.deploy.plan import Action, Version
    from tonnage.model.deploy.policy import Policy
    from tonnage.model.deploy.versions import KnownVersion
    from tonnage.model.inventory import Engine, Image, Inventory
    from tonnage.model.stack import Service, Stack


def cleans_cache(policy: Policy, engine: Engine) -> bool:
    """Return whether build cache goes after a deploy: not where builds would run anew for it, unless that is asked."""
    # A builder beside the engine has its layers for itself: no image would keep what the next build needs.
    anew = engine.forgets_builds or engine.builder is not None
    return policy.cleanup_after and (policy.cleanup is Cleanup.ALWAYS or not anew)


class ServiceContext(Struct, frozen=True, kw_only=True):
    """A service of a stack, what has to change for it, and what was observed.

    Args:
        versions: What is known of its versions, the oldest first.
        number: The next number of a version of the stack.
    """

    stack: Stack
    service: Service
    change: Change
    inventory: Inventory
    policy: Policy
    versions: tuple[KnownVersion, ...] = ()
    number: int = 1

    @property
    def own_name(self) -> str:
        """The reference that the service's containers run, tag written out."""
        return tagged(self.service.image)

    @property
    def candidate(self) -> str:
        """Name of an image that is not proven yet."""
        return candidate_reference(self.stack.name, self.service.name)

    @property
    def moving(self) -> frozenset[str]:
        """Names that are the new version's once it is proven."""
        named = {first_compose_name(self.stack.name, self.service.name)} if self.service.build is not None else set()
        return frozenset({self.own_name, self.candidate, *named})

    @property
    def unproven(self) -> str:
        """Name that holds a running image which was never proven."""
        return unproven_reference(self.stack.name, self.service.name)

    @property
    def good(self) -> tuple[KnownVersion, ...]:
        """The versions that were not rolled away from."""
        return tuple(known for known in self.versions if not known.withdrawn)

    @property
    def runs(self) -> KnownVersion | None:
        """The good version that runs; None when what runs is not known to be good, or nothing runs."""
        running = self.change.running
        return running_version(self.versions, running[0], self.inventory) if running else None

    @property
    def never_proven(self) -> bool:
        """Whether what runs was deployed by Tonnage, but is not known to be good.

        That is so when a run was killed between switch-over and proof, for which the name of a candidate stands. What
        was started by other means is not meant by it: whoever did that wanted it so.
        """
        image = self.change.running_image
        return image is not None and self.runs is None and self.names(image.image_id, self.candidate)

    @property
    def names_what_runs(self) -> bool:
        """Whether what runs gets a number before it is replaced: it is good, or was started by other means."""
        return self.kept_reference not in {"", self.unproven}

    @property
    def kept_reference(self) -> str:
        """The name that what runs gets before it is replaced; empty when it has one, or is gone from the engine."""
        image, running = self.change.running_image, self.change.running
        if image is None or (self.runs is not None and self.runs.references):
            return ""
        if self.runs is None and image == self.wanted_image:
            # It keeps the name that it has, and how it was configured is not known: there is nothing to go back to.
            return ""
        if self.never_proven:
            return self.unproven
        return version_name(self.number, running[0].config_digest).reference(self.stack.name, self.service.name)

    @property
    def was_being_replaced(self) -> bool:
        """Whether a run was killed while Compose replaced a container of the service."""
        project, service = self.stack.name, self.service.name
        counted = self.inventory.service_containers(project, service)
        left = half_replaced(self.inventory.containers, project, service)
        return any(is_half_replaced(each) for each in (*counted, *left))

    @property
    def has_to_be_forced(self) -> bool:
        """Whether Compose has to be told to make containers anew.

        It was ended while it did so, or it would find them as they are written: of a secret, say, it counts the name,
        and not what is in it. Or a network of theirs is made anew.
        """
        wanted = self.inventory.config_hashes.get(self.service.name, "")
        if self.was_being_replaced or self.change.networks:
            return True
        if any(volume_it_lacks(self.stack, self.service, each) for each in self.change.running):
            return True
        return any(
            is_configured(self.service, each, self.inventory) is False
            and (not wanted or config_hash_of(each) == wanted)
            for each in self.change.running
        )

    @property
    def wanted_image(self) -> Image | None:
        """The image that is to run; None where this plan brings it, and the engine does not have it yet."""
        if self.change.build:
            return None
        if self.change.pull:
            offer = self.inventory.offer(self.service.image)
            return next((each for each in self.inventory.images if offer is not None and offer.is_of(each)), None)
        return self.inventory.image(self.change.source or self.service.image)

    def is_again(self, known: KnownVersion) -> bool:
        """Return whether what is to run is this version."""
        return known.is_of(self.wanted_image, config_digest(self.service))

    @property
    def new_number(self) -> int:
        """The number of the version that this plan makes of the service."""
        return self.number + self.names_what_runs

    @property
    def candidate_container(self) -> str:
        """Name of the container that is proven before the running one is stopped."""
        return candidate_container_name(self.stack.name, self.service.name)

    @property
    def source(self) -> str:
        """What has to be given the service's name at the switch; empty when the name is right already."""
        if self.change.build:
            return self.candidate
        if self.change.source and not self.names(self.change.source, self.service.image):
            return self.candidate
        return ""

    @property
    def cleans_cache(self) -> bool:
        """Whether build cache goes after a deploy of the service."""
        return cleans_cache(self.policy, self.inventory.engine)

    def names(self, image_id: str, reference: str) -> bool:
        """Return whether the reference names this image now."""
        image = self.inventory.image(reference)
        return image is not None and image.image_id == image_id

    def is_used(self, image: Image) -> bool:
        """Return whether any container, running or not, was made from the image."""
        return any(container.image_id == image.image_id for container in self.inventory.containers)

    def is_used_elsewhere(self, image: Image) -> bool:
        """Return whether a container that is not one of this service's own was made from the image."""
        own = self.inventory.service_containers(self.stack.name, self.service.name)
        return any(c.image_id == image.image_id for c in self.inventory.containers if c not in own)

    def is_ours(self, image: Image) -> bool:
        """Return whether the image says that it was built for this service of this stack."""
        return image.labels.get(LABEL_STACK) == self.stack.name and image.labels.get(LABEL_SERVICE) == self.service.name

    def step(
        self,
        name: str,
        action: Action,
        *,
        cause: str,
        changes: str,
        kept: Estimate | None = None,
        learned: str = "",
        version: Version | None = None,
        withdraw: tuple[Version, ...] = (),
        at_reserve: tuple[Step, ...] = (),
        on_failure: tuple[Step, ...] = (),
    ) -> Step:
        """Return a step of this service.

        Args:
            learned: The kind under which measured bytes are stored; empty for the name.
        """
        nameless = isinstance(action, Tag | Untag | Rename | Keep)
        default = RECORDS if nameless else UNKNOWN
        return Step(
            name=f"{self.service.name}.{name}",
            action=action,
            cause=cause,
            changes=changes,
            service=self.service.name,
            version=version,
            withdraw=withdraw,
            kept=default if kept is None else kept,
            transient=NOTHING if kept else default,
            learn_key="" if nameless or kept else self._learn_key(learned or name),
            at_reserve=at_reserve,
            on_failure=on_failure,
        )

    def _learn_key(self, kind: str) -> str:
        """Return under what a step's measured bytes are stored: what one image store did says nothing of the other."""
        store = f"@{CONTAINERD}" if self.inventory.engine.image_store == CONTAINERD else ""
        return f"{self.stack.name}/{self.service.name}/{kind}{store}"

    def remove_image(
        self,
        name: str,
        image: Image,
        cause: str,
        *,
        references: tuple[str, ...] = (),
        records: tuple[str, ...] = (),
    ) -> Step:
        """Return a step that removes an observed image.

        Its build cache goes with it: as long as that is there, the layers are, and nothing comes free.
        What comes free is known only when nothing is built in this plan that might share its layers; else it may be
        nothing.
        """
        short = image.image_id.removeprefix("sha256:")[:12]
        # These names may be another image's by the time of this step.
        moving = self.moving - set(references)
        shown = next((name for name in references or image.references if name not in moving), short)
        given = freed(image.unique_bytes)
        step = self.step(
            name,
            RemoveImage(image=image.image_id, references=references, with_cache=self.cleans_cache, records=records),
            cause=cause,
            changes=f"removes the image {shown}{' and its build cache' if self.cleans_cache else ''}",
            kept=None if self.change.build else given,
        )
        if not self.change.build or not image.unique_bytes:
            return step
        return replace(step, kept=Estimate(given.low_bytes, 0, 0, Grade.UNKNOWN), transient=NOTHING)

    def clean_cache(self, name: str, cause: str, *, learned: str = "") -> Step:
        """Return a step that removes the build cache of this run; ``learned`` is the kind that its bytes belong to."""
        return self.step(
            name,
            CleanCache(),
            cause=cause,
            changes="prunes unused build cache of this run",
            learned=learned,
        )
