"""A rehearsal: a private engine, the images that the stack stands on, and then the same way as every deploy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.decide.deploy.planning import asked_for
from tonnage.errors import CannotFitError, ReserveCrossedError
from tonnage.flows.deploy import CheckedWeights, Job, carry_out
from tonnage.flows.stack import read_wanted
from tonnage.flows.weights import check_weights
from tonnage.model.deploy.plan import Purpose
from tonnage.runtime.rehearsal_images import bring_images, image_files
from tonnage.sources.compose.files import HERE
from tonnage.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from tonnage.flows.deploy import EventView
    from tonnage.flows.ports import RehearsalPorts
    from tonnage.flows.requests import StackFlags
    from tonnage.flows.stack import DesiredState
    from tonnage.model.deploy.run import Run
    from tonnage.model.stack import Service, Stack


def rehearse(
    ports: RehearsalPorts,
    flags: StackFlags,
    *,
    size_bytes: int,
    keep: bool,
    imports: Sequence[str],
    view: AbstractContextManager[EventView],
    tell: Callable[[str], None],
    on_stop: Callable[[], None],
    on_run: Callable[[Run], None],
    on_kept: Callable[[str], None] | None = None,
) -> None:
    """Deploy a stack on a private engine, and leave nothing behind unless it is to be kept.

    Args:
        flags: Which stack; the host names the engine that images are copied from.
        imports: Images to take from files, each as ``REFERENCE=FILE``.
        on_run: Is given the run when it has ended, while the engine is still there.
        on_kept: Is told how to reach and remove an engine that was kept; ``tell`` where it is None.

    Raises:
        EngineLacksError: The machine lacks Linux, root or programs.
        TonnageError: What ended the run.
    """
    wanted = read_wanted(ports, flags)
    wanted = replace(wanted, stack=_on_its_own(wanted.stack))
    files = image_files(imports, ports.working_directory)
    tell(f"rehearsing {wanted.stack.name} on a disk of {format_bytes(size_bytes)}")
    # An engine and images are not brought for nothing.
    names = [each.name for each in _meant(wanted)]
    _, notes = check_weights(ports.weights, wanted.stack, names, local=True, tell=tell)
    job = Job(purpose=Purpose.DEPLOY, wanted=wanted, weights=CheckedWeights(frozenset(names), notes))
    with ports.rehearsals.start(size_bytes, keep=keep) as rehearsal:
        try:
            with ports.rehearsals.image_source(flags.host) as source:
                bring_images(
                    [image for service in _meant(wanted) for image in ports.files.images_needed(service, HERE)],
                    files=files,
                    source=source,
                    target=rehearsal.images,
                    tell=tell,
                )
            run = carry_out(ports, rehearsal.engine, job, view=view, tell=tell, on_stop=on_stop)
            on_run(run)
            if run.error is not None:
                raise run.error
        except (CannotFitError, ReserveCrossedError) as error:
            # The disk is thrown away: there is nothing on it to free.
            error.todo = (
                "Rehearse on a larger disk, or with a lower reserve:\n  tonnage rehearse --disk SIZE --keep-free SIZE"
            )
            raise
        finally:
            if keep:
                (on_kept or tell)(rehearsal.how_to_reach)


def _on_its_own(stack: Stack) -> Stack:
    """Return a stack whose external networks and volumes are made with it: an engine of its own has none."""
    shared = dict(stack.shared)
    for section in ("networks", "volumes"):
        if section in shared:
            shared[section] = {
                key: {name: value for name, value in (entry or {}).items() if name != "external"}
                for key, entry in shared[section].items()
            }
    return replace(stack, shared=shared)


def _meant(wanted: DesiredState) -> list[Service]:
    """Return the services asked for and, step by step, what they depend on."""
    meant = asked_for(wanted.stack, wanted.services)
    waiting = list(meant)
    while waiting:
        for dependency in wanted.stack.service(waiting.pop()).depends_on:
            if dependency.service not in meant and any(s.name == dependency.service for s in wanted.stack.services):
                meant.add(dependency.service)
                waiting.append(dependency.service)
    return [service for service in wanted.stack.services if service.name in meant]
