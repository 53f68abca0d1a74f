"""Line ends and the mark at the beginning of a file, which readers take off: what is written keeps them."""

from __future__ import annotations

_MARK = "\ufeff"


def as_in_file(written: str, before: str, after: str) -> tuple[str, str]:
    """Return a text before and after a change with the line ends of its file; lines that are added end like most.

    Args:
        written: What the file holds.
        before: The same as it was read, with line ends of one character.
    """
    mark = _MARK if written.startswith(_MARK) and not before.startswith(_MARK) else ""
    plain = written.removeprefix(mark)
    if plain.replace("\r\n", "\n") != before:
        # It was read in another encoding.
        return before, after
    old, new = plain.split("\n"), after.split("\n")
    read = before.split("\n")
    ending = "\r" if sum(line.endswith("\r") for line in old) * 2 > len(old) - 1 else ""
    known = dict(zip(read, old, strict=True))
    most = min(len(read), len(new))
    first = next((at for at in range(most) if read[at] != new[at]), most)
    last = next((at for at in range(most - first) if read[-1 - at] != new[-1 - at]), most - first)
    middle = [known.get(line, f"{line}{ending}") for line in new[first : len(new) - last]]
    if not last and middle:
        # Behind the last line there is no line end.
        middle[-1] = new[-1]
    return mark + plain, mark + "\n".join((*old[:first], *middle, *old[len(old) - last :]))
