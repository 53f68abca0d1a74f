"""What an act says while it goes on, kept for a test to look at."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Heard:
    """Satisfies ``Progress``."""

    places: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def at(self, text: str) -> None:
        """Keep where the act is."""
        self.places.append(text)

    def log(self, line: str) -> None:
        """Keep a line."""
        self.lines.append(line)
