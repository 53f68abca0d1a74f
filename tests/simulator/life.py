"""How a container lives by the clock: starts, passes its check, ends, is restarted with growing delays."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tonnage.model.inventory import Container

if TYPE_CHECKING:
    from tests.simulator.recipe import Behaviour, Check

FIRST_DELAY_S = 0.1
LONGEST_DELAY_S = 60.0
RESET_DELAY_AFTER_S = 10.0


@dataclass(kw_only=True)
class LivingContainer:
    """One container. ``moment`` works out what it is at a moment; nothing runs in between."""

    container_id: str
    name: str
    image_id: str
    image_reference: str
    behaviour: Behaviour
    check: Check | None
    project: str = ""
    service: str = ""
    number: int = 0
    one_off: bool = False
    restart: str = "no"
    labels: dict[str, str] = field(default_factory=dict)
    config_hash: str = ""
    host_ports: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    anonymous_volumes: tuple[str, ...] = ()
    address: str = ""
    joined: tuple[tuple[str, str], ...] = ()
    created_s: float = 0.0
    apart: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    state: str = "created"
    started_s: float = 0.0
    exit_code: int | None = None
    restart_count: int = 0
    printed: list[str] = field(default_factory=list)
    _delay_s: float = FIRST_DELAY_S
    _restart_at_s: float = 0.0

    @property
    def alive(self) -> bool:
        """Whether it holds its ports and its state: a restarting container does too."""
        return self.state in {"running", "restarting"}

    def start(self, now_s: float) -> None:
        """Let its process begin."""
        self.state = "running"
        self.started_s = now_s
        self.exit_code = None
        self.printed.extend(self.behaviour.prints)

    def stop(self) -> None:
        """End its process for good: the restart policy does not bring it back."""
        if self.alive:
            self.state = "exited"
            self.exit_code = 137

    def live_until(self, now_s: float) -> None:
        """Let everything happen to it that happens by itself until ``now_s``."""
        while True:
            if self.state == "restarting" and self._restart_at_s <= now_s:
                self.restart_count += 1
                self.start(self._restart_at_s)
            elif self._ends_at_s() <= now_s:
                self._end(self._ends_at_s())
            else:
                return

    def health(self, now_s: float) -> str:
        """Return what its healthcheck says by now."""
        check = self.check
        if check is None:
            return "none"
        last_s = min(now_s, self._ends_at_s()) if self.state == "running" else self.started_s
        passes_after_s = self.behaviour.passes_after_s
        failed = 0
        answer = "starting"
        for number in range(1, int((last_s - self.started_s) / check.interval_s) + 1):
            at_s = number * check.interval_s
            if passes_after_s is not None and at_s >= passes_after_s:
                return "healthy"
            if at_s > check.start_period_s:
                failed += 1
            if failed >= check.retries:
                answer = "unhealthy"
                if passes_after_s is None:
                    break
        return answer

    def described(self, now_s: float) -> Container:
        """Return it as an engine shows it."""
        return Container(
            container_id=self.container_id,
            name=self.name,
            image_id=self.image_id,
            image_reference=self.image_reference,
            project=self.project,
            service=self.service,
            number=self.number,
            one_off=self.one_off,
            state=self.state,
            health=self.health(now_s),
            exit_code=self.exit_code if self.state in {"exited", "restarting"} else None,
            restart_count=self.restart_count,
            labels=dict(self.labels),
            joined=self.joined,
            networks=self.networks,
            volumes=tuple(sorted((*self.volumes, *self.anonymous_volumes))),
            created_s=self.created_s,
            started_s=self.started_s,
            published=tuple(("", int(port), protocol) for port, protocol in self._held()) if self.alive else (),
        )

    def _held(self) -> list[tuple[str, str]]:
        ports = [text.partition("/") for text in self.host_ports]
        return [(port, protocol) for port, _, protocol in ports if port.isdecimal()]

    def _ends_at_s(self) -> float:
        if self.state != "running" or self.behaviour.exits_after_s is None:
            return float("inf")
        return self.started_s + self.behaviour.exits_after_s

    def _end(self, at_s: float) -> None:
        self.exit_code = self.behaviour.exit_code
        policy, _, most = self.restart.partition(":")
        again = policy in {"always", "unless-stopped"} or (
            policy == "on-failure" and self.exit_code != 0 and (not most or self.restart_count < int(most))
        )
        if not again:
            self.state = "exited"
            return
        if at_s - self.started_s > RESET_DELAY_AFTER_S:
            self._delay_s = FIRST_DELAY_S
        self.state = "restarting"
        self._restart_at_s = at_s + self._delay_s
        self._delay_s = min(2 * self._delay_s, LONGEST_DELAY_S)
