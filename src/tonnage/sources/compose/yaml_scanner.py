"""YAML text to tokens, as the reader of Compose finds them: where a tab may stand, what ends a scalar, what is escaped.

ruamel.yaml takes the second edition of YAML for what Compose reads by the first; its parser and its tokens are used,
and of its scanner what keeps indentation and simple keys. Nothing here knows what a compose file is.

Source: ``scannerc.go`` of go-yaml v3, which Compose v2 reads with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from ruamel.yaml.scanner import ScannerError
from ruamel.yaml.tokens import AliasToken, DirectiveToken, ScalarToken, TagToken

from tonnage.lazily import regex
from tonnage.sources.compose.yaml_steps import QuickParser, QuickReader, QuickScanner

if TYPE_CHECKING:
    import re

    from ruamel.yaml.error import StringMark
    from ruamel.yaml.parser import Parser
    from ruamel.yaml.tokens import AnchorToken

_BREAKS = "\n\r\x85\u2028\u2029"
_END = rf"[ \t\0{_BREAKS}]"
_LINE_END = regex(rf"\r\n|[{_BREAKS}]")
_REST_OF_LINE = rf"(?:#[^\0{_BREAKS}]*)?(?P<end>\r\n|[{_BREAKS}])?"
_BLANKS = {
    True: regex(rf"[ \t]*+{_REST_OF_LINE}"),
    False: regex(rf" *+{_REST_OF_LINE}"),
}
# No group is repeated with ``++``: before 3.11.5 Python finds a wrong end where something in it can go back. Nothing
# stands behind these groups, so none of them ever does. Source: CPython issue 106052.
_WORD, _FLOW_WORD = (rf"(?:[^:\0 \t{_BREAKS}{also}]++|:(?!{_END}))+" for also in ("", r",?\[\]{}"))
_WORDS = {inside: regex(rf"{word}(?:[ \t]++(?!#){word})*") for inside, word in ((False, _WORD), (True, _FLOW_WORD))}
_SPACES = regex(rf"[ \t{_BREAKS}]*+")
_DOCUMENT = regex(rf"(?:---|\.\.\.){_END}")
_QUOTED = {'"': regex(rf'[^"\\\0 \t{_BREAKS}]+'), "'": regex(rf"(?:[^'\0 \t{_BREAKS}]|'')+")}
_SKIPPED = frozenset(f" \t#\ufeff{_BREAKS}")
_INDENTATION = regex(" *")
_LINE = regex(rf"[^\0{_BREAKS}]*")
_ESCAPES = {
    "0": "\0", "a": "\a", "b": "\b", "t": "\t", "\t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r", "e": "\x1b",
    " ": " ", '"': '"', "'": "'", "\\": "\\", "N": "\x85", "_": "\xa0", "L": "\u2028", "P": "\u2029",
}  # fmt: skip
_CODES = {"x": regex(r"[0-9A-Fa-f]{2}"), "u": regex(r"[0-9A-Fa-f]{4}"), "U": regex(r"[0-9A-Fa-f]{8}")}
_SURROGATES, _MOST_CHARACTERS = range(0xD800, 0xE000), 0x110000
_BLOCK = regex(
    rf"[|>](?:(?P<chomp>[-+])(?P<indent>[0-9])?|(?P<indent2>[0-9])(?P<chomp2>[-+])?)?[ \t]*(?:#[^\0{_BREAKS}]*)?"
)
_NAME = regex(rf"[&*]([0-9A-Za-z_-]+)(?={_END}|[?:,\]}}%@`])")
_URI = r"(?:[0-9A-Za-z_;/?:@&=+$,.!~*'()\[\]-]|(?:%[0-9A-Fa-f]{2})+)"
_TAG = regex(rf"!(?:<(?P<whole>{_URI}+)>|(?P<handle>[0-9A-Za-z_-]*!)(?P<suffix>{_URI}+)|(?P<own>{_URI}*))(?={_END})")
_DIRECTIVE = regex(
    r"%(?:YAML[ \t]+(?P<major>[0-9]{1,2})\.(?P<minor>[0-9]{1,2})"
    rf"|TAG[ \t]+(?P<handle>!(?:[0-9A-Za-z_-]*!)?)[ \t]+(?P<prefix>{_URI}+))(?={_END})[ \t]*{_REST_OF_LINE}"
)


class _Loader:
    """What the parts of ruamel.yaml find each other by."""

    typ, comment_handling, processing_version = "safe", None, (1, 1)

    def __init__(self, text: str) -> None:
        self.resolver = self
        self.reader = QuickReader(text, loader=self)
        self.scanner = _Scanner(loader=self)


def parser_of(text: str) -> Parser:
    """Return the parser of a text.

    Raises:
        YAMLError: The text holds characters that none may hold.
    """
    return QuickParser(_Loader(text))


class _Scanner(QuickScanner):
    """Finds tokens; regular expressions go over what ruamel.yaml goes over sign by sign."""

    def _move(self, end: int) -> None:
        """Go to a position in the text."""
        reader = self.reader
        start, text = reader.pointer, reader.buffer
        if _LINE_END.search(text, start, end) is None:
            reader.forward(end - start)
            return
        ends = [each.end() for each in _LINE_END.finditer(text, start, end)]
        reader.line += len(ends)
        reader.column = end - ends[-1]
        reader.index += end - start
        reader.pointer = end

    def _fail(self, context: str, start: StringMark | None, problem: str, position: int) -> NoReturn:
        self._move(position)
        raise ScannerError(context, start, problem, self.reader.get_mark())

    def scan_to_next_token(self) -> None:
        """Skip blanks, comments and line ends; a tab is a blank where no key can begin."""
        reader = self.reader
        text = reader.buffer
        while text[reader.pointer] in _SKIPPED:
            if reader.column == 0 and text[reader.pointer] == "\ufeff":
                reader.forward()
            found = _found(_BLANKS[bool(self.flow_level) or not self.allow_simple_key], text, reader.pointer)
            reader.forward(found.end() - reader.pointer)
            if not found["end"]:
                return
            # What was gone over ends with the one line end in it.
            reader.line += 1
            reader.column = 0
            self.allow_simple_key = self.allow_simple_key or not self.flow_level

    def scan_plain(self) -> ScalarToken:
        """Return a scalar without quotes; it may go on in the next line."""
        reader = self.reader
        start, text, position = reader.get_mark(), reader.buffer, reader.pointer
        indent, words = self.indent + 1, _WORDS[bool(self.flow_level)]
        parts: list[str] = []
        spaces, last = "", None
        while text[position] != "#" and not (last == "" and _DOCUMENT.match(text, position)):
            found = words.match(text, position)
            if found is None:
                break
            parts += (spaces, found[0])
            between = _found(_SPACES, text, found.end())
            position = between.end()
            spaces, last = _folded(between[0])
            if last is None:
                break
            if "\t" in between[0] and any("\t" in line[:indent] for line in _LINE_END.split(between[0])[1:]):
                self._fail("while scanning a plain scalar", start, "a tab stands in the indentation", position)
            if not self.flow_level and len(last) < indent:
                break
        self._move(position)
        if last is not None:
            # Behind a line end a key may begin.
            self.allow_simple_key = True
        return ScalarToken("".join(parts), plain=True, start_mark=start, end_mark=start)

    def scan_flow_scalar(self, style: str) -> ScalarToken:
        """Return a scalar in quotes."""
        reader = self.reader
        start, text, position = reader.get_mark(), reader.buffer, reader.pointer + 1
        what = "while scanning a quoted scalar"
        parts: list[str] = []
        while True:
            if text[position - 1] in _BREAKS and _DOCUMENT.match(text, position):
                self._fail(what, start, "found unexpected document indicator", position)
            found = _QUOTED[style].match(text, position)
            if found is not None:
                parts.append(found[0].replace("''", "'") if style == "'" else found[0])
                position = found.end()
            sign = text[position]
            if sign == style:
                break
            if sign == "\\" and text[position + 1] not in _BREAKS:
                position = self._unescape(position + 1, parts, start)
                continue
            if sign == "\0":
                self._fail(what, start, "found unexpected end of stream", position)
            escaped = sign == "\\"
            between = _found(_SPACES, text, position + escaped)
            position = between.end()
            parts.append(_folded(between[0], escaped=escaped)[0])
        self._move(position + 1)
        return ScalarToken("".join(parts), plain=False, start_mark=start, end_mark=start, style=style)

    def _unescape(self, position: int, parts: list[str], start: StringMark) -> int:
        """Read what stands behind a backslash; return where it ends."""
        text = self.reader.buffer
        sign = text[position]
        if sign in _ESCAPES:
            parts.append(_ESCAPES[sign])
            return position + 1
        what = "while scanning a double-quoted scalar"
        if sign not in _CODES:
            self._fail(what, start, f"found unknown escape character {sign!r}", position)
        code = _CODES[sign].match(text, position + 1)
        if code is None:
            self._fail(what, start, "did not find expected hexadecimal number", position)
        number = int(code[0], 16)
        if number in _SURROGATES or number >= _MOST_CHARACTERS:
            self._fail(what, start, "found invalid Unicode character escape code", position)
        parts.append(chr(number))
        return code.end()

    def scan_block_scalar(self, style: str, rt: bool | None = None) -> ScalarToken:  # noqa: ARG002, FBT001 - as ruamel's
        """Return a scalar below ``|`` or ``>``."""
        reader = self.reader
        start, text = reader.get_mark(), reader.buffer
        what = "while scanning a block scalar"
        header = _found(_BLOCK, text, reader.pointer)
        chomp = header["chomp"] or header["chomp2"]
        increment = header["indent"] or header["indent2"]
        position = header.end()
        if increment == "0":
            self._fail(what, start, "found an indentation indicator equal to 0", position)
        first = _LINE_END.match(text, position)
        if first is None and text[position] != "\0":
            self._fail(what, start, "did not find expected comment or line break", position)
        indent = max(self.indent, 0) + int(increment) if increment else 0
        parts: list[str] = []
        position, column, indent, breaks = self._block_breaks(first.end() if first else position, indent, start)
        line_end, was_blank = "", False
        while column == indent and text[position] != "\0":
            is_blank = text[position] in " \t"
            if style == ">" and line_end == "\n" and not was_blank and not is_blank:
                parts.append("" if breaks else " ")
            else:
                parts.append(line_end)
            parts += breaks
            was_blank = is_blank
            line = _found(_LINE, text, position)
            parts.append(line[0])
            end = _LINE_END.match(text, line.end())
            line_end = _break(end[0]) if end else ""
            position, column, indent, breaks = self._block_breaks(end.end() if end else line.end(), indent, start)
            if end is None:
                break
        if chomp != "-":
            parts.append(line_end)
        if chomp == "+":
            parts += breaks
        self._move(position)
        return ScalarToken("".join(parts), plain=False, start_mark=start, end_mark=start, style=style)

    def _block_breaks(self, position: int, indent: int, start: StringMark) -> tuple[int, int, int, list[str]]:
        """Skip empty lines and indentation; return position, column, indentation and the line ends."""
        text = self.reader.buffer
        breaks: list[str] = []
        most = 0
        while True:
            column = _indentation(text, position, indent)
            position += column
            most = max(most, column)
            if text[position] == "\t" and (not indent or column < indent):
                problem = "found a tab where an indentation space is expected"
                self._fail("while scanning a block scalar", start, problem, position)
            end = _LINE_END.match(text, position)
            if end is None:
                break
            breaks.append(_break(end[0]))
            position = end.end()
        return position, column, indent or max(most, self.indent + 1, 1), breaks

    def scan_anchor(self, TokenClass: type[AnchorToken | AliasToken]) -> AnchorToken | AliasToken:  # noqa: N803 - as ruamel's
        """Return an anchor or an alias."""
        start = self.reader.get_mark()
        found = _NAME.match(self.reader.buffer, self.reader.pointer)
        if found is None:
            what = "an alias" if TokenClass is AliasToken else "an anchor"
            problem = "did not find expected alphabetic or numeric character"
            self._fail(f"while scanning {what}", start, problem, self.reader.pointer)
        self._move(found.end())
        return TokenClass(found[1], start, start)

    def scan_tag(self) -> TagToken:
        """Return a tag."""
        start = self.reader.get_mark()
        found = _TAG.match(self.reader.buffer, self.reader.pointer)
        if found is None:
            self._fail("while scanning a tag", start, "did not find expected whitespace", self.reader.pointer)
        self._move(found.end())
        value: tuple[str | None, str]
        if found["whole"]:
            value = (None, found["whole"])
        elif found["handle"]:
            value = (f"!{found['handle']}", found["suffix"])
        else:
            value = ("!", found["own"]) if found["own"] else (None, "!")
        return TagToken(value, start, start)

    def scan_directive(self) -> DirectiveToken:
        """Return a directive with its value."""
        start = self.reader.get_mark()
        found = _DIRECTIVE.match(self.reader.buffer, self.reader.pointer)
        if found is None:
            self._fail("while scanning a directive", start, "found none that is known", self.reader.pointer)
        value: Any = (found["handle"], found["prefix"])
        if not found["handle"]:
            value = (int(found["major"]), int(found["minor"]))
            if value != (1, 1):
                problem = "found another version of YAML than 1.1, which is the only one that Compose takes"
                self._fail("while scanning a directive", start, problem, self.reader.pointer)
        self._move(found.end())
        return DirectiveToken("TAG" if found["handle"] else "YAML", value, start, start)


def _found(pattern: re.Pattern[str], text: str, position: int) -> re.Match[str]:
    """Return what a pattern finds that fits anywhere, if only on nothing."""
    return pattern.match(text, position)  # type: ignore[return-value]


def _break(text: str) -> str:
    """Return a line end as it stands in a scalar."""
    return text if text in "\u2028\u2029" else "\n"


def _folded(spaces: str, *, escaped: bool = False) -> tuple[str, str | None]:
    """Return what blanks and line ends within a scalar mean, and the blanks behind the last end; None without ends."""
    before, end, last = spaces.partition("\n")
    if not end and not before.strip(" \t"):
        return spaces, None
    if not before and not last.strip(" \t"):
        return "" if escaped else " ", last
    ends = [_break(end) for end in _LINE_END.findall(spaces)]
    last = _LINE_END.split(spaces)[-1]
    # A backslash hides the first of them.
    folded = "".join(ends[1:]) or " " if ends[0] == "\n" else "".join(ends)
    return "".join(ends[1:]) if escaped else folded, last


def _indentation(text: str, position: int, indent: int) -> int:
    """Return how many spaces begin a line; not more than the indentation, where it is known."""
    spaces = _found(_INDENTATION, text, position).end() - position
    return min(spaces, indent) if indent else spaces
