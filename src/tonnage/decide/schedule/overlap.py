"""Which jobs run at the same time, so that all are done as early as possible and the line is never crossed.

A job holds what it needs from its begin to its end, whatever it does meanwhile, so bytes come free only when one ends:
an earliest schedule begins each job at the beginning or at the end of another one. These are searched depth first, by
branch and bound. Whatever fits at the same time fits one after the other in the order of the ends, so what the order
with the lowest peak does not fit, nothing fits. The limit of the search is a count and no time: a plan made again is
the same plan.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.decide.schedule.jobs import links
from tonnage.decide.schedule.order import lowest_peak, peak_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.decide.schedule.jobs import RunLimits, ScheduledJob

MOST_MOMENTS = 3_000
"""How many moments are looked at: for thirty services that is less than a second."""
_FEW = 6
"""So few jobs are searched at once."""
_EXCHANGES = 60
"""How often the best order is changed before the search begins."""


class Schedule(Struct, frozen=True, kw_only=True):
    """When each job begins.

    Args:
        starts: Name and second, in the order of the begin.
        seconds: When the last one ends.
        bound_seconds: No schedule ends earlier than this.
    """

    starts: tuple[tuple[str, int], ...]
    seconds: int
    bound_seconds: int

    @property
    def optimal(self) -> bool:
        """Whether it is proven that none ends earlier."""
        return self.bound_seconds >= self.seconds

    @property
    def gap_percent(self) -> float:
        """By how much one might end earlier at most."""
        return 100 * (self.seconds - self.bound_seconds) / self.seconds if self.seconds else 0.0


def shortest(jobs: Sequence[ScheduledJob], limits: RunLimits, *, most_moments: int = MOST_MOMENTS) -> Schedule | None:
    """Return the shortest schedule; None where no order of the jobs fits.

    With several filesystems, and where jobs hang together in no simple way, None may also mean that none was found.

    Raises:
        TonnageError: Two jobs have one name, or they wait for each other in a circle.
    """
    if not jobs:
        return Schedule(starts=(), seconds=0, bound_seconds=0)
    search = _Search(jobs, limits, most_moments)
    return search.run() if search.may_fit else None


class _Moment(Struct, frozen=True):
    """Where a schedule has come to: what runs, as pairs of end and job, what is done and what was begun when."""

    now: int
    done: int
    running: tuple[tuple[int, int], ...] = ()
    starts: tuple[tuple[int, int], ...] = ()


class _Search:
    def __init__(self, jobs: Sequence[ScheduledJob], limits: RunLimits, most_moments: int) -> None:
        self._jobs = jobs
        self._limits = limits
        self._left = most_moments
        self._disks = range(len(limits.headroom))
        before = links(jobs)
        self._before = [sum(1 << each for each in waits) for waits in before]
        self._whole = (1 << len(jobs)) - 1
        self._tails = self._longest_after(before)
        self._alone = [self._in_order_of(on) for on in self._disks]
        self.may_fit = all(fits for _, fits in self._alone) and all(
            job.cores <= limits.cores and job.network <= limits.network for job in jobs
        )
        self._best: _Moment | None = None
        self._best_end = 0
        self._can_end: dict[int, bool] = {}
        self._levels: dict[tuple[int, int], int] = {}
        self._seen: dict[tuple[int, tuple[tuple[int, int], ...]], int] = {}

    def run(self) -> Schedule | None:
        by_tail = sorted(range(len(self._jobs)), key=lambda each: (-self._tails[each], each))
        bound = self._bound(_Moment(0, 0))
        for order in (by_tail, *(order for order, _ in self._alone)):
            self._greedy(order)
        self._improve(bound)
        if self._best is None or self._best_end > bound:
            self._look(_Moment(0, 0), by_tail)
        if self._best is None:
            return None
        starts = sorted(self._best.starts)
        return Schedule(
            starts=tuple((self._jobs[job].name, at) for at, job in starts),
            seconds=self._best_end,
            bound_seconds=self._best_end if self._left > 0 else min(bound, self._best_end),
        )

    def _longest_after(self, before: Sequence[Sequence[int]]) -> list[int]:
        """Return how long each job and all that must follow it take at least."""
        tails: dict[int, int] = {}
        after: list[list[int]] = [[] for _ in before]
        for number, waits in enumerate(before):
            for each in waits:
                after[each].append(number)
        waiting = list(range(len(before)))
        while waiting:
            number = waiting.pop()
            if number in tails:
                continue
            missing = [each for each in after[number] if each not in tails]
            if missing:
                waiting += [number, *missing]
                continue
            tails[number] = self._jobs[number].seconds + max((tails[each] for each in after[number]), default=0)
        return [tails[number] for number in range(len(before))]

    def _in_order_of(self, on: int) -> tuple[list[int], bool]:
        """Return the order with the lowest peak on one filesystem, and whether it may fit there."""
        numbers = {job.name: number for number, job in enumerate(self._jobs)}
        found = lowest_peak(self._jobs, on=on)
        fits = found.peak_bytes <= self._limits.headroom[on] or not found.proven
        return [numbers[name] for name in found.names], fits

    def _bound(self, moment: _Moment) -> int:
        """Return the earliest end that a moment may come to."""
        begun = moment.done | sum(1 << job for _, job in moment.running)
        ends = [end - self._jobs[job].seconds + self._tails[job] for end, job in moment.running]
        open_ones = [number for number in range(len(self._jobs)) if not begun >> number & 1]
        ends += [moment.now + self._tails[number] for number in open_ones]
        spans = [(end - moment.now, self._jobs[job]) for end, job in moment.running]
        spans += [(self._jobs[number].seconds, self._jobs[number]) for number in open_ones]
        shares = (
            (sum(seconds * job.cores for seconds, job in spans), self._limits.cores),
            (sum(seconds * job.network for seconds, job in spans), self._limits.network),
            (sum(seconds for seconds, _ in spans), self._limits.at_once),
        )
        return max([moment.now, *ends, *(moment.now + -(-work // max(1, size)) for work, size in shares)])

    def _look(self, moment: _Moment, order: Sequence[int]) -> None:
        """Look at all schedules that go on from a moment at which something has just ended."""
        stack = [(moment, self._may_begin(moment, order))]
        while stack and self._left > 0:
            moment, choices = stack.pop()
            if self._best is not None and self._bound(moment) >= self._best_end:
                continue
            self._left -= 1
            place = next((at for at, job in enumerate(choices) if self._fits(moment, job)), None)
            if place is not None:
                job = choices[place]
                # Left alone now, it begins at another end: it is no choice of this moment any more.
                stack += [(moment, choices[place + 1 :]), (self._begun(moment, job), choices[place + 1 :])]
            elif moment.running:
                later = self._ended(moment)
                if later.done == self._whole:
                    self._keep(later)
                elif not self._is_old(later):
                    stack.append((later, self._may_begin(later, order)))

    def _improve(self, bound: int) -> None:
        """Exchange two jobs of the best order again and again, and keep what is no longer."""
        number = 1
        for _ in range(_EXCHANGES if len(self._jobs) > _FEW else 0):
            if self._best is None or self._best_end <= bound:
                return
            order = [job for _, job in self._best.starts]
            # Numbers as if by chance, the same each time.
            number = (number * 1_103_515_245 + 12_345) % 2**31
            one, other = number // 2**8 % len(order), number // 2**20 % len(order)
            order[one], order[other] = order[other], order[one]
            self._greedy(order)

    def _greedy(self, order: Sequence[int]) -> None:
        """Begin what may begin, in this order, and keep what comes of it."""
        moment = _Moment(0, 0)
        while True:
            for job in self._may_begin(moment, order):
                if self._fits(moment, job):
                    moment = self._begun(moment, job)
            if not moment.running:
                return
            moment = self._ended(moment)
            if moment.done == self._whole:
                self._keep(moment)
                return

    def _keep(self, moment: _Moment) -> None:
        if self._best is None or moment.now <= self._best_end:
            self._best, self._best_end = moment, moment.now

    def _is_old(self, moment: _Moment) -> bool:
        """Return whether the same was reached as early before."""
        key = (moment.done, tuple(sorted((job, end - moment.now) for end, job in moment.running)))
        if self._seen.get(key, moment.now + 1) <= moment.now:
            return True
        self._seen[key] = moment.now
        return False

    def _may_begin(self, moment: _Moment, order: Sequence[int]) -> list[int]:
        begun = moment.done | sum(1 << job for _, job in moment.running)
        return [
            number
            for number in order
            if not begun >> number & 1 and self._before[number] & moment.done == self._before[number]
        ]

    def _fits(self, moment: _Moment, job: int) -> bool:
        together = [*(self._jobs[each] for _, each in moment.running), self._jobs[job]]
        limits = self._limits
        if (
            len(together) > limits.at_once
            or sum(each.cores for each in together) > limits.cores
            or sum(each.network for each in together) > limits.network
        ):
            return False
        if any(
            self._level(moment.done, on) + sum(max(each.needed[on], each.kept[on], 0) for each in together)
            > limits.headroom[on]
            for on in self._disks
        ):
            return False
        begun = moment.done | sum(1 << each for _, each in moment.running) | 1 << job
        if begun not in self._can_end:
            self._can_end[begun] = self._rest_fits(begun)
        return self._can_end[begun]

    def _rest_fits(self, begun: int) -> bool:
        """Return whether some order of the rest may fit once all that runs has ended."""
        for on, (order, _) in zip(self._disks, self._alone, strict=True):
            room = self._limits.headroom[on] - self._level(begun, on)
            rest = [self._jobs[number] for number in order if not begun >> number & 1]
            if peak_of(rest, on=on) <= room:
                continue
            found = lowest_peak(rest, on=on)
            if found.proven and found.peak_bytes > room:
                return False
        return True

    def _level(self, done: int, on: int) -> int:
        key = (done, on)
        if key not in self._levels:
            self._levels[key] = sum(job.kept[on] for number, job in enumerate(self._jobs) if done >> number & 1)
        return self._levels[key]

    def _begun(self, moment: _Moment, job: int) -> _Moment:
        running = tuple(sorted((*moment.running, (moment.now + self._jobs[job].seconds, job))))
        return _Moment(moment.now, moment.done, running, (*moment.starts, (moment.now, job)))

    def _ended(self, moment: _Moment) -> _Moment:
        end = moment.running[0][0]
        done = moment.done | sum(1 << job for at, job in moment.running if at == end)
        return _Moment(end, done, tuple(each for each in moment.running if each[0] > end), moment.starts)
