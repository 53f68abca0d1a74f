"""A rehearsal on a throw-away Swarm of private engines: images of the user's engine, then the same way as a deploy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.errors import CannotFitError, UsageError
from tonnage.flows.cluster.deploying import deploy_on_cluster
from tonnage.flows.cluster.settings import on_nodes
from tonnage.flows.stack import read_wanted
from tonnage.runtime.rehearsal_images import image_files
from tonnage.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tonnage.flows.cluster.deploying import ClusterRun
    from tonnage.flows.cluster.ports import RehearsedSwarmPorts
    from tonnage.flows.requests import StackFlags
    from tonnage.model.cluster.rollout import ClusterPlan

_MOST_NODES = 9


def rehearse_on_cluster(
    ports: RehearsedSwarmPorts,
    flags: StackFlags,
    *,
    nodes: int,
    size_bytes: int,
    keep: bool,
    imports: Sequence[str],
    tell: Callable[[str], None],
    on_stop: Callable[[], None],
    on_plan: Callable[[ClusterPlan], None],
    on_run: Callable[[ClusterRun, str], None],
    on_kept: Callable[[str], None],
) -> None:
    """Deploy a stack on a Swarm of private engines, and leave nothing behind unless it is to be kept.

    Args:
        nodes: How many.
        size_bytes: Size of the disk of each.
        imports: Images to take from files, each as ``REFERENCE=FILE``.
        on_run: Is given what was done and the manager, while the Swarm is still there.
        on_kept: Is told how to reach and remove engines that were kept.

    Raises:
        UsageError: That many nodes are none, or a file is not there.
        EngineLacksError: The machine lacks Linux, root or programs.
        TonnageError: What ended the run.
    """
    if not 1 <= nodes <= _MOST_NODES:
        raise UsageError(f"--nodes {nodes}: a rehearsal has 1 to {_MOST_NODES} nodes")
    wanted = read_wanted(ports, flags, builds=False, forecasts=False)
    files = image_files(imports, ports.working_directory)
    tell(f"rehearsing {wanted.stack.name} on a Swarm of {nodes} nodes, each with a disk of {format_bytes(size_bytes)}")
    with ports.rehearsals.start_cluster(nodes, size_bytes, keep=keep) as cluster:
        try:
            for file in files:
                tell(f"taking {file.reference} from {file.path}")
                cluster.images.take_file(file.reference, file.path)
            meant = on_nodes(wanted, cluster.manager, cluster.nodes)
            with ports.swarms.open(cluster.manager) as access:
                run = deploy_on_cluster(
                    ports,
                    replace(access, here=flags.host),
                    meant,
                    tell=tell,
                    on_stop=on_stop,
                    on_plan=on_plan,
                )
            on_run(run, cluster.manager)
        except CannotFitError as error:
            error.todo = "Rehearse on larger disks, or more nodes:\n  tonnage rehearse --nodes N --disk SIZE"
            raise
        finally:
            if keep:
                on_kept(cluster.how_to_reach)
