"""The lines of a Dockerfile, cut into instructions, and the forms of those: flags, exec form, pairs of name and value.

Source: ``frontend/dockerfile/parser`` and ``instructions`` of BuildKit, read in version 0.26.
"""

from __future__ import annotations

import json
import re

from msgspec import Struct

from tonnage.errors import UsageError
from tonnage.lazily import regex
from tonnage.model.forecast.dockerfile import Flag, Heredoc
from tonnage.sources.substitution import Lexer, SubstitutionError
from tonnage.units import told_count

_DIRECTIVE = regex(r"#\s*(?P<name>[a-zA-Z][a-zA-Z0-9]*)\s*=\s*(?P<value>.+?)\s*")
_DIRECTIVES = frozenset({"escape", "syntax", "check"})
_HEREDOC = regex(r"(?P<descriptor>\d*)<<(?P<dash>-?)(?P<word>[^<]+)")
_WITH_HEREDOC = regex(r"(?:ONBUILD\s+)?(?:RUN|COPY|ADD)\s", re.IGNORECASE)
_RAW = Lexer(raw_quotes=True, raw_escapes=True, keep_unset=True)
_WORD = Lexer(keep_unset=True)
_FLAG = regex(r"--(?P<name>[a-zA-Z][\w-]*)(?:=(?P<value>.*))?", re.DOTALL)


class LogicalLine(Struct, frozen=True, kw_only=True):
    """One instruction as a text.

    Args:
        text: Its lines joined, blanks around it gone.
        starts: Where in ``text`` each written line begins: offset and line.
    """

    text: str
    starts: tuple[tuple[int, int], ...]
    end_line: int
    heredocs: tuple[Heredoc, ...] = ()


def read_directives(lines: list[str], file: str) -> tuple[str, str]:
    """Return the escape character and the frontend that the directives say, which stand before everything else.

    Raises:
        UsageError: One stands twice, or the escape character is neither backslash nor backtick.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        directive = _DIRECTIVE.fullmatch(line.strip())
        name = directive["name"].lower() if directive else ""
        if directive is None or name not in _DIRECTIVES:
            break
        place = f"{file}:{number}"
        if name in found:
            raise UsageError(f"the directive {name} stands twice", todo="Take one of the two lines away.", place=place)
        if name == "escape" and directive["value"] not in {"\\", "`"}:
            raise UsageError(
                f"the escape character {directive['value']} is not allowed",
                todo="Write one of these:\n  # escape=\\\n  # escape=`",
                place=place,
            )
        found[name] = directive["value"]
    return found.get("escape", "\\"), found.get("syntax", "")


def cut(lines: list[str], escape: str, file: str) -> tuple[LogicalLine, ...]:
    """Cut lines into instructions.

    Raises:
        UsageError: A here-document has no end.
    """
    pieces: list[LogicalLine] = []
    position = 0
    while position < len(lines):
        first = lines[position].lstrip()
        if not first or first.startswith("#"):
            position += 1
            continue
        text, starts, position = _joined(lines, position, escape)
        heredocs: list[Heredoc] = []
        begin = starts[0][1]
        if _WITH_HEREDOC.match(text):
            for heading in _headings(text):
                document, position = _document(lines, position, heading, f"{file}:{begin}")
                heredocs.append(document)
        if text.strip():
            pieces.append(LogicalLine(text=text.rstrip(), starts=starts, end_line=position, heredocs=tuple(heredocs)))
    return tuple(pieces)


def _joined(lines: list[str], position: int, escape: str) -> tuple[str, tuple[tuple[int, int], ...], int]:
    """Join the lines of one instruction; comments and empty lines in it are left out."""
    continued = re.compile(rf"(?:(?<!{re.escape(escape)})|^){re.escape(escape)}[ \t]*$")
    pieces: list[str] = []
    length = 0
    starts: list[tuple[int, int]] = []
    while position < len(lines):
        line = lines[position].lstrip() if not starts else lines[position]
        position += 1
        if starts and (not line.strip() or line.lstrip().startswith("#")):
            continue
        starts.append((length, position))
        end = continued.search(line)
        pieces.append(line if end is None else line[: end.start()])
        length += len(pieces[-1])
        if end is None:
            break
    return "".join(pieces), tuple(starts), position


def _headings(text: str) -> list[Heredoc]:
    """Find the here-documents that a joined line announces; their bodies are still empty."""
    if "<<" not in text:
        return []
    try:
        words = _RAW.words(text, {})
    except SubstitutionError:
        return []
    found: list[Heredoc] = []
    for word in words:
        match = _HEREDOC.fullmatch(word)
        if match is None:
            continue
        try:
            plain, raw = _WORD.words(match["word"], {}), _RAW.words(match["word"], {})
        except SubstitutionError:
            continue
        if len(plain) == 1:
            descriptor = told_count(match["descriptor"] or "") or 0
            found.append(Heredoc(plain[0], match["dash"], plain == raw, 0, descriptor))
    return found


def _document(lines: list[str], position: int, heading: Heredoc, place: str) -> tuple[Heredoc, int]:
    """Read the body of a here-document; the heading's body says whether leading tabs go."""
    begin = position
    body: list[str] = []
    while position < len(lines):
        line = lines[position].lstrip("\t") if heading.body else lines[position]
        position += 1
        if line == heading.name:
            text = "".join(f"{each}\n" for each in body)
            return Heredoc(heading.name, text, heading.expands, begin + 1, heading.descriptor), position
        body.append(line)
    raise UsageError(
        f"the here-document <<{heading.name} has no end",
        why=f"No line up to the end of the file is {heading.name} alone.",
        todo=f"Write a line after the document that is nothing but:\n  {heading.name}",
        place=place,
    )


def split_flags(text: str) -> tuple[tuple[Flag, ...], str]:
    """Take the flags off the front of an instruction's text; quotes keep blanks together."""
    flags: list[Flag] = []
    at = 0
    while text.startswith("--", at):
        word, behind = _first_word(text, at)
        match = _FLAG.fullmatch(word)
        if match is None:
            return tuple(flags), text[behind if word == "--" else at :]
        flags.append(Flag(match["name"], match["value"] or ""))
        at = behind
    return tuple(flags), text[at:]


def _first_word(text: str, at: int) -> tuple[str, int]:
    """Return the word that begins here, without its quotes, and where the next one begins."""
    word: list[str] = []
    quote = ""
    while at < len(text):
        character = text[at]
        if quote:
            if character == quote:
                quote = ""
            else:
                word.append(character)
        elif character in "'\"":
            quote = character
        elif character.isspace():
            break
        else:
            word.append(character)
        at += 1
    while text[at : at + 1].isspace():
        at += 1
    return "".join(word), at


def json_list(body: str) -> list[object] | None:
    """Return the members of a JSON array; None for everything else."""
    try:
        members = json.loads(body) if body.startswith("[") else None
    except (ValueError, RecursionError):
        return None
    return members if isinstance(members, list) else None


def json_words(body: str) -> tuple[str, ...] | None:
    """Return the members of a JSON array of strings; None for everything else."""
    members = json_list(body)
    words = tuple(each for each in members or () if isinstance(each, str))
    return words if members is not None and len(words) == len(members) else None


def quoted_words(text: str, escape: str) -> tuple[str, ...]:
    """Return a text cut at blanks that are neither quoted nor escaped; quotes and escapes stay."""
    words: list[str] = []
    word: list[str] = []
    quote = ""
    at = 0
    while at < len(text):
        character = text[at]
        at += 1
        if character == escape and quote != "'":
            # One at the very end escapes nothing.
            if at < len(text):
                word += (character, text[at])
            at += 1
            continue
        if not quote and character.isspace():
            if word:
                words.append("".join(word))
            word = []
            continue
        if quote and character == quote:
            quote = ""
        elif not quote and character in "'\"":
            quote = character
        word.append(character)
    if word:
        words.append("".join(word))
    return tuple(words)


def pairs(body: str, escape: str) -> tuple[tuple[str, str], ...]:
    """Return the names and values of an ENV or LABEL, quotes and variables as they are written."""
    words = quoted_words(body, escape)
    if words and "=" not in words[0]:
        name, *value = re.split(r"[\t\v\f\r ]+", body, maxsplit=1)
        return ((name, value[0] if value else ""),)
    return tuple((name, value) for name, _, value in (word.partition("=") for word in words))


def definitions(body: str, escape: str) -> tuple[tuple[str, str | None], ...]:
    """Return the names and defaults of an ARG, quotes and variables as they are written."""
    words = (word.partition("=") for word in quoted_words(body, escape))
    return tuple((name, value if equals else None) for name, equals, value in words)
