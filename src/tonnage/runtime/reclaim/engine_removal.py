"""Removes one thing of an engine after the other, each by its id, each looked at once more right before.

Names are the engine's most easily lost things: those of images that stay are compared afterwards, and given back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.decide.reclaim.builder_volumes import builder_of
from tonnage.decide.reclaim.protection import needed_by
from tonnage.errors import CacheUnknownError, StepFailedError, TonnageError
from tonnage.model.reclaim.candidate import CandidateKind, NamedKind
from tonnage.model.references import find_image
from tonnage.runtime.ledger import ALONE

if TYPE_CHECKING:
    from collections.abc import Callable

    from tonnage.adapters.interface import EngineActs, EngineFacts, Progress
    from tonnage.model.inventory import CacheRecord, Image
    from tonnage.model.reclaim.candidate import Candidate
    from tonnage.runtime.ledger import Ledger

_OVER = frozenset({"exited", "dead"})


class EngineRemoval:
    """Removes what an engine holds."""

    def __init__(self, facts: EngineFacts, acts: EngineActs, progress: Progress, ledger: Ledger = ALONE) -> None:
        self._facts = facts
        self._ledger = ledger
        self._acts = acts
        self._progress = progress
        self._named_before: dict[str, str] | None = None
        self._gone: set[str] = set()
        self._behind: frozenset[str] = frozenset()

    def remove(self, candidate: Candidate) -> None:
        """Remove one candidate; nothing happens when it is gone already.

        Raises:
            StepFailedError: It is used or named by now, or the engine refuses.
            EngineUnreachableError: The engine stops answering.
            ValueError: It is a path, which no engine removes.
        """
        key = candidate.candidate_id.key
        match candidate.candidate_id.kind:
            case CandidateKind.IMAGE:
                self._remove_image(key, candidate)
            case CandidateKind.CONTAINER:
                self._remove_container(key)
            case CandidateKind.CONTAINER_LOG:
                self._acts.empty_log(key)
            case CandidateKind.CACHE:
                # What an image that is gone has left can only go when nothing stands on it any more.
                if any(record.record_id == key for record in self._remove_records(self._behind | {key})):
                    raise StepFailedError(
                        f"the cache record {candidate.name} stays",
                        why="The engine still lists it: something stands on it or uses it by now.",
                    )
            case CandidateKind.VOLUME:
                if candidate.kind == NamedKind.BUILDER_VOLUME:
                    self._check_builder_gone(candidate)
                self._acts.remove_volume(key)
            case kind:
                raise ValueError(f"no engine removes a {kind}")

    def give_names_back(self) -> tuple[str, ...]:
        """Compare the names of images that stay, and give those back that were lost."""
        if self._named_before is None:
            return ()
        images = self._facts.images()
        there = {image.image_id for image in images}
        named = {name for image in images for name in image.references}
        messages = []
        for name, image_id in self._named_before.items():
            if image_id in there and name not in named and image_id not in self._gone:
                try:
                    self._acts.tag(image_id, name)
                    messages.append(f"{name} was lost and has been given back to {image_id[:19]}")
                except TonnageError as error:
                    messages.append(f"{name} was lost and could not be given back to {image_id[:19]}: {error.what}")
        return tuple(messages)

    def _remove_image(self, image_id: str, candidate: Candidate) -> None:
        images = self._facts.images()
        if self._named_before is None:
            self._named_before = {name: image.image_id for image in images for name in image.references}
        image = next((each for each in images if each.image_id == image_id), None)
        if image is None:
            return
        self._check_unused(image, candidate)
        self._behind |= records_behind_images(self._facts)
        self._acts.remove_image(image_id, candidate.names)
        self._gone.add(image_id)
        if self._behind:
            self._remove_records(self._behind)

    def _remove_records(self, record_ids: frozenset[str]) -> tuple[CacheRecord, ...]:
        return remove_free_records(self._facts, self._acts, self._progress, lambda record: record in record_ids)

    def _check_unused(self, image: Image, candidate: Candidate) -> None:
        users = [container.name for container in self._facts.containers() if container.image_id == image.image_id]
        if users:
            raise StepFailedError(f"the image {candidate.name} stays: the container {users[0]} uses it by now")
        for run in self._ledger.others():
            if any(find_image((image,), name) for name in run.images):
                raise StepFailedError(f"the image {candidate.name} stays: {needed_by(run)} by now")
        others = [name for name in (*image.references, *image.digests) if name not in candidate.names]
        if others:
            raise StepFailedError(f"the image {candidate.name} stays: it was given the name {others[0]} meanwhile")

    def _check_builder_gone(self, candidate: Candidate) -> None:
        name = builder_of(candidate.candidate_id.key)
        if self._facts.container(name) is not None:
            raise StepFailedError(f"the volume {candidate.name} stays: the container {name} is there by now")

    def _remove_container(self, container_id: str) -> None:
        container = self._facts.container(container_id)
        if container is None:
            return
        if container.state not in _OVER:
            raise StepFailedError(f"the container {container.name} stays: it is {container.state} by now")
        # Never stopped for it, and with none of its volumes: those go only when they are named.
        self._acts.remove_ended_container(container_id)


def records_behind_images(facts: EngineFacts) -> frozenset[str]:
    """Return the records that stand behind layers of images; none where the engine cannot tell them."""
    try:
        return frozenset(record.record_id for record in facts.cache() if record.shared)
    except CacheUnknownError:
        return frozenset()


def remove_free_records(
    facts: EngineFacts, acts: EngineActs, progress: Progress, may_go: Callable[[str], bool]
) -> tuple[CacheRecord, ...]:
    """Remove records that share no layer with an image and that nothing uses.

    Returns:
        Of those that may go, the ones that the engine lists afterwards all the same.

    Raises:
        StepFailedError: The engine refuses.
        EngineUnreachableError: The engine stops answering.
    """
    # Records that an image's layers stand behind give nothing back, and the next build needs them: they stay.
    # A record is in use while another one stands on it, so the removal goes on until nothing more can go. What was
    # tried is not gone for that: only what the engine lists no more is.
    tried: frozenset[str] = frozenset()
    while True:
        there = tuple(record for record in facts.cache() if may_go(record.record_id))
        free = [record.record_id for record in there if not record.in_use and not record.shared]
        if not free or (tried and tried <= frozenset(free)):
            return there
        progress.at(f"{len(free)} cache records")
        acts.remove_cache(free)
        tried = frozenset(free)
