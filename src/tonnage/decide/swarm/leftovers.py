"""What deploys on a cluster left on a node, and nothing needs any more. Pure.

Only images that deploys of ours brought there are looked at, known by their name: one made of their content, or the
digest alone in a repository of the stack, which is how nodes pull for a Swarm. And containers of tasks that Swarm has
ended. What a task runs, what a service may be given at any moment, and what a version to go back to runs, stays
on every node: Swarm may start a task there without asking.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tonnage.model.deploy.image_names import is_content
from tonnage.model.references import tagged
from tonnage.model.swarm import TASK_LABEL

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tonnage.model.cluster.node import ClusterNode
    from tonnage.model.inventory import Container, Image
    from tonnage.model.swarm import StackVersion, SwarmService, SwarmTask

_ENDED = frozenset({"exited", "dead", "created"})


class NodeLeftovers(Struct, frozen=True, kw_only=True):
    """What may go of one node.

    Args:
        images: Ids, with the names that go with each.
        containers: Ids of containers of ended tasks that run one of these images.
        freed_bytes: What is certainly freed by it.
        layers: The chain ids of the layers that go.
    """

    images: tuple[tuple[str, tuple[str, ...]], ...] = ()
    containers: tuple[str, ...] = ()
    freed_bytes: int = 0
    layers: frozenset[str] = frozenset()


def needed_anywhere(
    services: Iterable[SwarmService], tasks: Iterable[SwarmTask], versions: Iterable[StackVersion]
) -> frozenset[str]:
    """Return the images that the Swarm may start a task of, or that a version to go back to runs."""
    found = {each.image for each in services} | {each.previous_image for each in services}
    found |= {each.image for each in tasks if each.holds or each.alive}
    found |= {image for each in versions for image in each.images.values()}
    return frozenset(found - {""})


def repositories_of(references: Iterable[str]) -> frozenset[str]:
    """Return the repositories of images, as names by digest begin."""
    found = set()
    for reference in references:
        repository, at, _ = tagged(reference).partition("@")
        slash, colon = repository.rfind("/"), repository.rfind(":")
        found.add(repository if at or colon <= slash else repository[:colon])
    return frozenset(found - {""})


def leftovers(
    images: Sequence[Image],
    containers: Sequence[Container],
    needed: frozenset[str],
    repositories: frozenset[str] = frozenset(),
) -> NodeLeftovers:
    """Return what may go of one node.

    Args:
        needed: The names of images that stay.
        repositories: Where services of the stack have their images, of which nodes pull by digest.
    """
    gone: list[Image] = []
    ended: list[str] = []
    for image in images:
        if not _brought(image, repositories) or any(each in needed for each in (*image.references, *image.digests)):
            continue
        users = [each for each in containers if each.image_id == image.image_id]
        if all(each.state in _ENDED and TASK_LABEL in each.labels for each in users):
            gone.append(image)
            ended += [each.container_id for each in users]
    ids = {image.image_id for image in gone}
    staying = {layer.chain_id for image in images if image.image_id not in ids for layer in image.layers}
    freed = {layer.chain_id: layer.size_bytes or 0 for image in gone for layer in image.layers}
    return NodeLeftovers(
        images=tuple((image.image_id, image.references or image.digests) for image in gone),
        containers=tuple(ended),
        freed_bytes=sum(size for chain, size in freed.items() if chain not in staying),
        layers=frozenset(freed) - staying,
    )


def _brought(image: Image, repositories: frozenset[str]) -> bool:
    """Return whether an image has only names that deploys on a cluster give."""
    if image.references and all(is_content(name) for name in image.references):
        return True
    names = (*image.references, *image.digests)
    return bool(names) and all("@" in name and tagged(name).partition("@")[0] in repositories for name in names)


def with_reclaimable(
    node: ClusterNode,
    images: Sequence[Image],
    containers: Sequence[Container],
    needed: frozenset[str],
    repositories: frozenset[str],
) -> ClusterNode:
    """Return a node with what a reclaim there would free on the disk of its images."""
    found = leftovers(images, containers, needed, repositories)
    disk = node.image_disk
    if not found.freed_bytes or disk is None:
        return node
    disks = tuple(replace(each, reclaimable_bytes=found.freed_bytes) if each is disk else each for each in node.disks)
    return replace(node, disks=disks, reclaimable_layers=found.layers)
