"""A requirement file with another build of PyTorch: an index on a line of its own, and exact versions.

Everything else stays as it is written: comments, markers, line ends, other requirements and their hashes. What is
pinned as a part of CUDA goes with it, with the comments that a compiler of requirement files wrote below.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.lazily import regex
from tonnage.lint.fixing import with_edits
from tonnage.lint.requirement_rules.torch_lines import MOST_CHARACTERS
from tonnage.lint.torch.builds import label_of, public
from tonnage.lint.written_lines import WrittenLines
from tonnage.model.forecast.finding import Edit
from tonnage.model.reports.torch import TORCH_FAMILY

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from tonnage.model.reports.torch import TorchBuild

_HEAD = regex(
    r"(?P<before>\s*(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?)"
    r"(?P<versions>[^;\\]*?)"
    r"(?P<behind>\s*(?:;(?P<marker>.*?))?(?:\s--(?:hash|config).*|\s#.*|\\)?\s*)",
    0,
)
_INDEX = regex(r"\s*(?P<option>--extra-index-url|--index-url|-i)(?:=|\s+)(?P<url>\S+)(?P<rest>.*)", 0)
_EXACT = regex(r"\s*===?\s*(?P<version>\d[A-Za-z0-9.]*)(?P<local>\+[A-Za-z0-9.]+)?\s*")
_VERSIONS = regex(r"(?P<before>)\s*(?P<versions>(?:[=<>!~]=|[<>])[^;\\#]*?)(?=\s*(?:;|\\|\s--|\s#|$))", 0)
_HASH = regex(r"--hash[=\s]\s*\S+")
_REMARK = regex(r"\s+#.*")


class WrittenBuild(Struct, frozen=True, kw_only=True):
    """A file with another build.

    Args:
        line: The line of the new text that makes the difference, counted from 1; 0 where nothing is changed.
        written: That line.
        left: Why it was left as it is; empty where it was not.
    """

    text: str
    line: int = 0
    written: str = ""
    left: str = ""


class WantedVersions(Struct, frozen=True, kw_only=True):
    """What is to be installed, as it was resolved.

    Args:
        versions: The version of each package of PyTorch that is installed, by name, without a local part.
        hashes: By name, the hashes of its new wheels, for files that have hashes; without those where none are known.
        without: Normalised names that are only installed because of CUDA.
        holds: Whether a marker holds where it is installed.
    """

    versions: Mapping[str, str]
    hashes: Mapping[str, tuple[str, ...]] = {}
    without: Collection[str] = ()
    holds: Callable[[str], bool] = lambda _: True


class _Block(Struct, frozen=True, kw_only=True):
    """One requirement with the lines that continue it."""

    first: int
    last: int
    name: str


def with_build(
    text: str, build: TorchBuild, wanted: WantedVersions, *, above: int = 0, constrains: bool = False
) -> WrittenBuild:
    """Return a requirement file with another build of PyTorch.

    Args:
        above: The line that brings PyTorch along without naming it, where one does; what is needed is written above it.
        constrains: The file only limits versions: a build that it names is exchanged, and nothing is added.
    """
    lines = WrittenLines(text)
    # Nothing is written into the middle of what is continued.
    inside = above > 1 and lines.line(above - 1).rstrip().endswith("\\")
    above = 0 if above > len(lines) or inside else above
    edits, has_index = _index_edits(lines, build)
    first = 0
    named = set()
    for block in _blocks(lines):
        if block.name in TORCH_FAMILY and block.name in wanted.versions:
            found = _pinned(lines, block, build, wanted, constrains=constrains)
            if isinstance(found, str):
                return WrittenBuild(text=text, left=found)
            if found is None:
                continue
            named.add(block.name)
            first = first or block.first
            edits += found
        elif block.name in wanted.without and _is_pin(lines, block):
            edits.append(Edit(*lines.whole(block.first, _with_remarks(lines, block.last))))
    pins = [f"{name}=={version}+{build.label}" for name, version in wanted.versions.items() if name not in named]
    more = list(pins) if above and build.label and not constrains else []
    place = first or (above if more else 0)
    if place and build.index_url and not has_index and not constrains:
        more.insert(0, f"--extra-index-url {build.index_url}")
    if more:
        begin = lines.begin(place if first or not above else above)
        edits.append(Edit(begin, begin, "".join(f"{each}{lines.newline}" for each in more)))
    new = with_edits(text, edits)
    if new == text:
        return WrittenBuild(text=text)
    number, line = _made(new, build)
    return WrittenBuild(text=new, line=number, written=line)


def _made(text: str, build: TorchBuild) -> tuple[int, str]:
    """Return the line that names PyTorch now."""
    lines = WrittenLines(text)
    named = []
    for number in range(1, len(lines) + 1):
        found = _HEAD.fullmatch(lines.line(number)[:MOST_CHARACTERS])
        if found is not None and _normal(found["name"]) == "torch":
            named.append((number, lines.line(number).strip().removesuffix("\\").strip()))
    if named:
        # Another line may be for another platform, and as it was.
        return next((each for each in named if build.label and f"+{build.label}" in each[1]), named[0])
    for number in range(1, len(lines) + 1):
        if build.index_url and build.index_url in lines.line(number):
            return number, lines.line(number).strip()
    return 0, ""


def _normal(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


def _blocks(lines: WrittenLines) -> Iterator[_Block]:
    number = 1
    while number <= len(lines):
        first = number
        while number < len(lines) and lines.line(number).rstrip().endswith("\\"):
            number += 1
        line = lines.line(first)
        head = (
            _HEAD.fullmatch(line) if len(line) <= MOST_CHARACTERS and not line.lstrip().startswith(("#", "-")) else None
        )
        if head is not None:
            yield _Block(first=first, last=number, name=_normal(head["name"]))
        number += 1


def _pinned(
    lines: WrittenLines, block: _Block, build: TorchBuild, wanted: WantedVersions, *, constrains: bool
) -> list[Edit] | str | None:
    """Return the edits that pin a requirement; why it cannot be pinned; or None for one that is none of ours."""
    line = lines.line(block.first)
    head = _HEAD.fullmatch(line)
    assert head is not None  # noqa: S101 - blocks are found by it
    if head["marker"] and not wanted.holds(head["marker"].strip()):
        return None
    below = _VERSIONS.match(lines.line(block.first + 1)) if block.last > block.first else None
    versions, at = head["versions"], lines.begin(block.first)
    if below is not None and not versions.strip():
        # The versions stand on the line that continues the name.
        head, versions, at = below, below["versions"], lines.begin(block.first + 1)
    exact = _EXACT.fullmatch(versions)
    if constrains and (exact is None or not exact["local"]):
        return None
    version = public(exact["version"]) if exact is not None else wanted.versions[block.name]
    pin = f"=={version}" + (f"+{build.label}" if build.label else "")
    keeps = not build.label and exact is not None and not exact["local"]
    if not build.label and exact is None and not versions.strip().startswith("@"):
        # Without a label any version that is allowed is the one of the usual index.
        keeps = True
    edits = []
    if not keeps and versions.strip() != pin:
        addressed = versions.lstrip().startswith("@")
        start = len(head["before"].rstrip()) if addressed else head.end("versions") - len(versions.lstrip())
        edits.append(Edit(at + start, at + head.end("versions"), pin))
    start, end = lines.whole(block.first, block.last)
    hashes = list(_HASH.finditer(lines.text, max(start, at + head.end("versions")), end))
    if edits and hashes:
        new = wanted.hashes.get(block.name, ())
        if not new:
            return (
                f"{block.name} has hashes there, and those of {block.name}{pin} could not be looked up: compile the"
                " file again with the index"
            )
        edits.append(Edit(hashes[0].start(), hashes[-1].end(), _joint(lines, hashes[0].start(), block).join(new)))
    return edits


def _joint(lines: WrittenLines, at: int, block: _Block) -> str:
    """Return what stands between two hashes: a line end where each has a line of its own."""
    number, _ = lines.position(at)
    return " " if number == block.first else f" \\{lines.newline}{lines.indent(number)}"


def _is_pin(lines: WrittenLines, block: _Block) -> bool:
    head = _HEAD.fullmatch(lines.line(block.first))
    return head is not None and _EXACT.fullmatch(head["versions"]) is not None


def _with_remarks(lines: WrittenLines, last: int) -> int:
    """Return the last of the comments below a requirement that are indented: they say who needs it."""
    while last < len(lines) and _REMARK.fullmatch(lines.line(last + 1)):
        last += 1
    return last


def _index_edits(lines: WrittenLines, build: TorchBuild) -> tuple[list[Edit], bool]:
    """Return the edits of lines that name an index of PyTorch, and whether one names the wanted one then."""
    edits: list[Edit] = []
    has_index = False
    for number in range(1, len(lines) + 1):
        line = lines.line(number)
        found = _INDEX.fullmatch(line) if len(line) <= MOST_CHARACTERS else None
        if found is None:
            continue
        url, begin = found["url"], lines.begin(number)
        if build.index_url and url.rstrip("/") == build.index_url.rstrip("/"):
            has_index = True
        elif label_of(url) and not found["rest"].rstrip().endswith("\\"):
            if build.index_url and not has_index:
                edits.append(Edit(begin + found.start("url"), begin + found.end("url"), build.index_url))
                has_index = True
            else:
                edits.append(Edit(*lines.whole(number, number)))
    return edits, has_index
