"""Counters of a service in the text format of Prometheus.

Source: Prometheus, "Text-based format", version 0.0.4.
"""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


@dataclass(slots=True)
class Metrics:
    """Counts requests, and how long images take.

    Attributes:
        service: Name of the service.
        backend: Program that runs its networks.
    """

    service: str
    backend: str
    _requests: Counter[tuple[str, int]] = field(default_factory=Counter)
    _durations: Counter[float] = field(default_factory=Counter)
    _total_s: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count_request(self, path: str, status: int) -> None:
        """Count an answer."""
        with self._lock:
            self._requests[path, status] += 1

    def observe(self, duration_s: float) -> None:
        """Record how long decoding, networks and decoders took for one image."""
        with self._lock:
            self._durations[next((limit for limit in BUCKETS_S if duration_s <= limit), float("inf"))] += 1
            self._total_s += duration_s

    def text(self, *, loaded: bool) -> str:
        """Return everything that was counted.

        Args:
            loaded: Whether every network is loaded.
        """
        with self._lock:
            lines = [
                "# HELP vision_info What serves here.",
                "# TYPE vision_info gauge",
                f'vision_info{{service="{self.service}",backend="{self.backend}"}} 1',
                "# HELP vision_loaded Whether every network is loaded.",
                "# TYPE vision_loaded gauge",
                f"vision_loaded {int(loaded)}",
                "# HELP vision_requests_total Answers by path and status.",
                "# TYPE vision_requests_total counter",
                *(
                    f'vision_requests_total{{path="{path}",status="{status}"}} {count}'
                    for (path, status), count in sorted(self._requests.items())
                ),
                "# HELP vision_predict_seconds Time for one image, from its bytes to the answer.",
                "# TYPE vision_predict_seconds histogram",
            ]
            seen = 0
            for limit in (*BUCKETS_S, float("inf")):
                seen += self._durations[limit]
                label = "+Inf" if limit == float("inf") else f"{limit:g}"
                lines.append(f'vision_predict_seconds_bucket{{le="{label}"}} {seen}')
            lines += [f"vision_predict_seconds_sum {self._total_s!r}", f"vision_predict_seconds_count {seen}", ""]
        return "\n".join(lines)
