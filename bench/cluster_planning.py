"""Seconds and memory that placing a stack on a cluster takes, on generated clusters.

    python bench/cluster_planning.py [--nodes 1000] [--services 300] [--seed 11] [--tight]

Services stand on one of twelve bases of six layers, some with three more in common, and have two to eight layers of
their own. Nodes have some of the layers already, run the former version of some services, and differ in free space,
store, zone and memory. With ``--tight`` their disks have about the free space that the stack needs.
"""

from __future__ import annotations

import argparse
import resource
import time
from random import Random

from tonnage.decide.cluster.placing import place
from tonnage.model.cluster.node import MEMORY, Cluster, ClusterNode, NodeDisk, RunningTask
from tonnage.model.cluster.placement import Placement
from tonnage.model.cluster.service import ClusterImage, ClusterLayer, ClusterService
from tonnage.model.forecast.estimate import exactly
from tonnage.model.stack import SwitchOrder
from tonnage.units import format_bytes

_MB = 1_000_003
_BASES, _BASE_LAYERS = 12, 6
MOST_REACHED = 7
"""How many nodes in ten are reached by ssh."""


def layer(chance: Random, chain_id: str, most_mb: int) -> ClusterLayer:
    """Return a layer of a size by chance."""
    size_bytes = chance.randint(most_mb // 20 + 1, most_mb) * _MB
    return ClusterLayer(chain_id=chain_id, unpacked=exactly(size_bytes), compressed=exactly(size_bytes * 2 // 5))


def generated(chance: Random, nodes: int, services: int, *, tight: bool) -> tuple[Cluster, list[ClusterService]]:
    """Return a cluster and a stack."""
    bases = [[layer(chance, f"base-{b}-{n}", 180) for n in range(_BASE_LAYERS)] for b in range(_BASES)]
    common = [[*base, *(layer(chance, f"common-{b}-{n}", 900) for n in range(3))] for b, base in enumerate(bases)]
    stack = []
    for number in range(services):
        chain = chance.choice(chance.choice((bases, common)))
        own = [layer(chance, f"own-{number}-{n}", 400) for n in range(chance.randint(2, 8))]
        stack.append(
            ClusterService(
                name=f"service-{number}",
                image=ClusterImage(
                    reference=f"registry.example.org/s{number}@sha256:{number:064}",
                    layers=(*chain, *own),
                    in_registry=True,
                ),
                replicas=chance.choice((1, 1, 1, 2, 3)),
                task=exactly(chance.randint(0, 40) * _MB),
                constraints=("node.labels.zone==a",) if chance.randrange(10) == 0 else (),
                spread=("node.labels.zone",) if chance.randrange(10) == 0 else (),
                reserved={MEMORY: chance.randint(1, 6) << 28},
                host_ports=((chance.randint(8000, 8030), "tcp"),) if chance.randrange(5) == 0 else (),
                order=chance.choice((SwitchOrder.AUTO, SwitchOrder.START_FIRST)),
                failover=2 if chance.randrange(5) == 0 else None,
            )
        )
    cluster = Cluster(nodes=tuple(_node(chance, number, nodes, stack, tight=tight) for number in range(nodes)))
    return cluster, stack


def _node(chance: Random, number: int, nodes: int, stack: list[ClusterService], *, tight: bool) -> ClusterNode:
    run = [each for each in stack if chance.random() < 1.4 / nodes]
    has = [*run, *chance.sample(stack, 2)]
    shares = chance.randint(4, 9), 10
    share_bytes = sum(each.unpacked.high_bytes for service in stack for each in service.image.layers) * 4 // nodes
    free_bytes = chance.randint(share_bytes // 2, share_bytes * 2) if tight else chance.randint(1_000, 40_000) * _MB
    return ClusterNode(
        node_id=f"n{number:05}",
        hostname=f"node-{number}",
        address=f"ssh://node-{number}" if chance.randrange(10) < MOST_REACHED else "",
        store=chance.choice(("classic", "containerd")),
        disks=(
            NodeDisk(
                mount="/var/lib/docker",
                roles=("data-root", "containerd"),
                size_bytes=80_000 * _MB,
                available_bytes=2_000 * _MB + free_bytes,
                reserve_bytes=2_000 * _MB,
                reclaimable_bytes=chance.choice((0, 0, 500 * _MB)),
            ),
        ),
        layers={
            each.chain_id: each.unpacked.high_bytes
            for service in has
            for each in service.image.layers[: len(service.image.layers) * shares[0] // shares[1]]
        },
        tasks=tuple(
            RunningTask(
                task_id=f"{number}-{each.name}",
                stack="bench",
                service=each.name,
                image="former",
                reserved=each.reserved,
                host_ports=each.host_ports,
            )
            for each in run
        ),
        labels={"zone": chance.choice("abc")},
        capacity={MEMORY: chance.choice((8, 16, 32)) << 30},
    )


def main() -> None:
    """Generate, place, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--services", type=int, default=300)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--tight", action="store_true")
    asked = parser.parse_args()
    chance = Random(asked.seed)  # noqa: S311 - the same cluster each time
    cluster, stack = generated(chance, asked.nodes, asked.services, tight=asked.tight)
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began, computed = time.perf_counter(), time.process_time()
    result = place(cluster, stack, stack="bench")
    seconds, computed = time.perf_counter() - began, time.process_time() - computed
    peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        f"{asked.nodes} nodes, {asked.services} services: {seconds:.1f} s ({computed:.1f} s of the processor), ", end=""
    )
    print(f"memory at its highest {peak_kb // 1024} MiB, {before_kb // 1024} MiB of it before")
    if isinstance(result, Placement):
        search = result.search
        used = len(result.nodes)
        print(f"placed on {used} nodes, {result.moves} running tasks move, {search.steps} steps")
        bound = f"at least {format_bytes(search.bound_bytes)}, gap {format_bytes(search.gap_bytes)}"
        print(f"moves {format_bytes(search.moved_bytes)} ({bound}, {'proven' if search.proven else 'not proven'})")
    else:
        print(f"refused: {result.what} ({'proven' if result.proven else 'not proven'})")


if __name__ == "__main__":
    main()
