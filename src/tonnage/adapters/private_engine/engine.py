"""Start a private engine and remove it again, whatever happens in between.

What is made is written down before it is made, and removing works from what is found. So a removal can be repeated,
and the next rehearsal sweeps what a killed one left behind. Kept engines are removed only by name.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import secrets
import shutil
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tonnage.adapters.private_engine.daemon import (
    end_daemon,
    first_processes,
    log_tail,
    remove_cgroups,
    start_daemon,
)
from tonnage.adapters.private_engine.disk import (
    check_size,
    goes_by_itself,
    loop_devices,
    mount_disk,
    mounts_below,
    unmount_disk,
)
from tonnage.adapters.private_engine.layout import (
    EngineState,
    Layout,
    open_root,
    owned,
    read_state,
    remove_root,
    root_locked,
    write_state,
)
from tonnage.adapters.private_engine.network import (
    Addresses,
    choose_block,
    close_network,
    give_forwarding_back,
    host_mtu,
    host_routes,
    netns_path,
    open_network,
)
from tonnage.adapters.private_engine.programs import check_machine
from tonnage.adapters.private_engine.signals import ending_signals_raise, signals_wait
from tonnage.errors import StepFailedError, UsageError
from tonnage.lazily import regex

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tonnage.adapters.process import StartedProcess

_REAP_TIMEOUT_S = 10.0
_NAME = regex(r"r[0-9a-f]{6}")


class PrivateEngine(Struct, frozen=True):
    """A running private engine.

    Args:
        name: Its name, for removing it when it was kept.
        endpoint: Its socket as ``unix://...``.
        netns: Name of its network namespace, in which its containers are reached.
        address: Address at which ports that it publishes answer on this host.
        mount: Where its disk is mounted.
        size_bytes: Size of the disk file.
    """

    name: str
    endpoint: str
    netns: str
    address: str
    mount: str
    size_bytes: int
    _layout: Layout

    @classmethod
    @contextlib.contextmanager
    def start(
        cls, size_bytes: int, *, environment: Mapping[str, str], keep: bool = False, host_name: str = ""
    ) -> Iterator[PrivateEngine]:
        """Start an engine on a disk of its own; leaving the context removes every trace of it.

        Args:
            size_bytes: Size of the disk, to the byte.
            environment: Environment of the engine; ``TONNAGE_REHEARSE_DIR`` says where its files go.
            keep: Leave the engine running at the end, once it did start.
            host_name: What the engine calls its machine; empty for the name of this one.

        Yields:
            The engine, which answers.

        Raises:
            EngineLacksError: The machine lacks Linux, root or programs.
            UsageError: The size or the chosen directory is of no use.
            CannotFitError: The disk would not fit where its file goes.
            EngineUnreachableError: The engine did not start.
            StepFailedError: Disk or network could not be made, or something could not be removed.
            InterruptedRunError: SIGTERM or SIGHUP came, and the program has no handler of its own for it.
        """
        check_machine(environment.get("PATH", ""))
        root = open_root(environment)
        with contextlib.ExitStack() as stack:
            # What a signal left between two lines of this function is nobody's by then, and is swept.
            stack.callback(_tidy, root)
            stack.enter_context(ending_signals_raise())
            layout, state = stack.enter_context(_claimed(root, size_bytes, keep=keep))
            addresses = Addresses(ipaddress.IPv4Network(state.network))
            started: StartedProcess | None = None
            try:
                started = _make(layout, state, addresses, environment, host_name)
                yield cls(
                    name=layout.name,
                    endpoint=f"unix://{layout.socket}",
                    netns=layout.netns,
                    address=addresses.engine,
                    mount=str(layout.mount),
                    size_bytes=size_bytes,
                    _layout=layout,
                )
            finally:
                with signals_wait():
                    if started and keep:
                        started.leave()
                    else:
                        try:
                            _take_down(layout)
                        finally:
                            if started:
                                started.wait(_REAP_TIMEOUT_S)
                        with root_locked(root):
                            shutil.rmtree(layout.directory)

    @property
    def cluster_pool(self) -> str:
        """Where networks of a cluster are taken from, when this engine is its first node."""
        return Addresses(ipaddress.IPv4Network(f"{self.address}/16", strict=False)).cluster

    def log_tail(self, lines: int = 20) -> str:
        """Return the last lines that the engine itself printed."""
        return log_tail(self._layout, lines)

    def how_to_reach(self) -> str:
        """Return how to reach and how to remove an engine that was kept, one command to a line."""
        return (
            f"The rehearsal {self.name} was kept. Reach its engine with:\n"
            f"  export DOCKER_HOST={self.endpoint}\n"
            f"Ports that it publishes answer at {self.address}. Remove it with:\n"
            f"  tonnage rehearse --remove {self.name}"
        )


def sweep(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Remove what rehearsals left whose owner was killed.

    Raises:
        UsageError: The chosen directory is of no use.
    """
    root = open_root(environment)
    with root_locked(root):
        swept = _sweep(root)
    _tidy(root)
    return swept


def remove_rehearsal(name: str, *, environment: Mapping[str, str]) -> None:
    """Remove a kept rehearsal.

    Args:
        environment: ``TONNAGE_REHEARSE_DIR`` says where it is.

    Raises:
        EngineLacksError: The machine lacks Linux, root or programs.
        UsageError: There is none of this name, or its owner is still at work.
        StepFailedError: Something could not be removed.
    """
    check_machine(environment.get("PATH", ""))
    root = open_root(environment)
    layout = Layout(root, name)
    if not _NAME.fullmatch(name) or not layout.directory.is_dir():
        known = ", ".join(found.name for found in _layouts(root)) or "none"
        _tidy(root)
        raise UsageError(f"There is no rehearsal {name!r}", why=f"Rehearsals on this machine: {known}.")
    with root_locked(root), owned(layout) as free, signals_wait():
        if not free:
            raise UsageError(f"the rehearsal {name} is still running", todo="End it with Ctrl-C where it was started.")
        _take_down(layout)
        shutil.rmtree(layout.directory)
    _tidy(root)


@contextlib.contextmanager
def _claimed(root: Path, size_bytes: int, *, keep: bool) -> Iterator[tuple[Layout, EngineState]]:
    """Sweep, then claim a name and a block of addresses, and own them."""
    with contextlib.ExitStack() as stack:
        with root_locked(root):
            _sweep(root)
            check_size(root, size_bytes)
            layout = Layout(root, f"r{secrets.token_hex(3)}")
            claimed = [state.network for other in _layouts(root) if (state := read_state(other))]
            state = EngineState(
                owner_pid=os.getpid(), size_bytes=size_bytes, network=choose_block(host_routes(), claimed)
            )
            layout.directory.mkdir(mode=0o700)
            stack.enter_context(owned(layout))
            # Kept only once it runs: what never came up is swept.
            write_state(layout, state)
        yield layout, replace(state, kept=keep)


def _make(
    layout: Layout, state: EngineState, addresses: Addresses, environment: Mapping[str, str], host_name: str
) -> StartedProcess:
    """Make disk, network and engine, in this order."""
    mount_disk(layout, state.size_bytes)
    mtu = host_mtu()
    open_network(layout, addresses, mtu)
    started = start_daemon(layout, addresses, mtu, environment, host_name)
    write_state(layout, state)
    return started


def _take_down(layout: Layout) -> None:
    """Remove everything of one engine but its files, in the reverse order of making it, as far as it is there."""
    state = read_state(layout)
    end_daemon(layout)
    if state:
        close_network(layout, Addresses(ipaddress.IPv4Network(state.network)))
    unmount_disk(layout)
    remove_cgroups(layout)
    left = [f"process {pid}" for pid in first_processes(layout)]
    left += [f"mount {mount}" for mount in mounts_below(layout.directory)]
    left += [f"loop device {device}" for device in loop_devices(layout.disk) if not goes_by_itself(device)]
    left += [f"network namespace {layout.netns}"] if netns_path(layout).exists() else []
    if left:
        raise StepFailedError(
            f"the rehearsal {layout.name} could not be removed completely",
            why=f"Still there: {', '.join(left)}.",
            todo=f"Try again:\n  tonnage rehearse --remove {layout.name}",
            log=log_tail(layout),
        )


def _sweep(root: Path) -> tuple[str, ...]:
    """Remove the engines that are neither owned nor kept; the lock of ``root`` is held.

    One that resists stays for the next sweep: it must not keep others from beginning.
    """
    swept = []
    for layout in _layouts(root):
        with owned(layout) as free:
            state = read_state(layout) if free else None
            if not free or (state and state.kept):
                continue
            with signals_wait(), contextlib.suppress(StepFailedError):
                _take_down(layout)
                shutil.rmtree(layout.directory)
                swept.append(layout.name)
    return tuple(swept)


def _tidy(root: Path) -> None:
    """Sweep; remove the directory when no engine is left in it, and give the host its settings back."""
    with signals_wait(), root_locked(root):
        _sweep(root)
        if not _layouts(root):
            remove_root(root)
    with signals_wait():
        give_forwarding_back()


def _layouts(root: Path) -> list[Layout]:
    """Return the layouts of all engines that have a directory."""
    return [Layout(root, entry.name) for entry in sorted(root.iterdir()) if _NAME.fullmatch(entry.name)]
