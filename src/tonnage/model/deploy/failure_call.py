"""Who is told of a deploy that failed."""

from __future__ import annotations

from msgspec import Struct


class FailureCall(Struct, frozen=True, kw_only=True):
    """A program that is run, or an address that is asked, with the run that failed.

    Args:
        command: The program and its arguments, as the user named them; empty where it is an address.
        address: The address; empty where it is a program.
        by_project: The address stands in the project's files: whoever wrote them named it.
    """

    command: tuple[str, ...] = ()
    address: str = ""
    by_project: bool = False

    @property
    def name(self) -> str:
        """What may be shown of it: paths of such addresses are secrets, and so may be arguments."""
        if self.command:
            return self.command[0]
        scheme, _, rest = self.address.partition("://")
        return f"{scheme}://{rest.rpartition('@')[2].partition('/')[0].partition('?')[0].partition('#')[0]}/..."
