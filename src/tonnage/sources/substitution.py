"""Variables and quotes in the words of a Dockerfile, as BuildKit reads them; not as a shell does.

Source: ``frontend/dockerfile/shell/lex.go`` of BuildKit, read in version 0.26; compared with a real build in the tests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.lazily import regex
from tonnage.sources.glob import Glob, GlobError

if TYPE_CHECKING:
    from collections.abc import Mapping

_SPECIAL = frozenset("@*#?-$!0")
_MODIFIERS = frozenset("+-?#%")
_DEEPEST = 50
_NAME = regex(r"\w+")
_NUMBER = regex(r"\d+")
# Linux starts no program with a longer word or variable (MAX_ARG_STRLEN).
_LONGEST = 131_072
_MOST_GROWTH = 20_000_000


class SubstitutionError(ValueError):
    """A word that the builder refuses; its text says why."""


class Growth(Struct):
    """By how many characters all values together may still grow when variables are put in."""

    left: int = _MOST_GROWTH

    def take(self, characters: int) -> None:
        """Count.

        Raises:
            SubstitutionError: It is too much.
        """
        self.left -= max(0, characters)
        if self.left < 0:
            raise SubstitutionError("what variables grow to is more than any environment holds")


class Lexer(Struct, frozen=True):
    """How words are read.

    Args:
        escape: The escape character.
        raw_quotes: Quotes stay.
        raw_escapes: Escape characters stay.
        skip_quotes: Quotes mean nothing.
        keep_unset: Variables without a value stay as they are written.
        growth: What a text of many words is allowed together; None to count nothing.
    """

    escape: str = "\\"
    raw_quotes: bool = False
    raw_escapes: bool = False
    skip_quotes: bool = False
    keep_unset: bool = False
    growth: Growth | None = None

    @property
    def _specials(self) -> str:
        """The characters that mean something."""
        return f"${self.escape}" if self.skip_quotes else f"${self.escape}'\""

    def expand(self, word: str, values: Mapping[str, str]) -> str:
        """Return a word with its variables put in and its quotes taken away.

        Raises:
            SubstitutionError: Quotes or braces do not match, or the substitution is one that builders do not have.
        """
        return self._read(word, values)[0]

    def words(self, text: str, values: Mapping[str, str]) -> tuple[str, ...]:
        """Return a text cut at its blanks after variables are put in; quoted blanks do not cut.

        Raises:
            SubstitutionError: As for ``expand``.
        """
        return tuple(self._read(text, values)[1])

    def _read(self, text: str, values: Mapping[str, str]) -> tuple[str, list[str]]:
        if not any(special in text for special in self._specials):
            return text, text.split()
        try:
            found = _Reading(self, text, values).whole()
        except RecursionError:
            raise SubstitutionError("it is nested too deeply") from None
        except GlobError as error:
            raise SubstitutionError(str(error)) from error
        if self.growth is not None:
            self.growth.take(len(found[0]) - len(text))
        return found


class _Words:
    """Words as they are gathered."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self._word: list[str] = []

    def add(self, text: str) -> None:
        """Add characters of which blanks end a word."""
        pieces = text.split()
        if text[:1].isspace():
            self.end()
        for piece in pieces[:-1]:
            self._word.append(piece)
            self.end()
        if pieces:
            self._word.append(pieces[-1])
            if text[-1].isspace():
                self.end()

    def add_raw(self, text: str) -> None:
        """Add characters of which none ends a word."""
        if text:
            self._word.append(text)

    def end(self) -> None:
        """End the word that is being gathered."""
        if self._word:
            self.done.append("".join(self._word))
        self._word = []


class _Reading:
    """One pass over one text."""

    def __init__(self, lexer: Lexer, text: str, values: Mapping[str, str]) -> None:
        self._lexer = lexer
        self._text = text
        self._at = 0
        self._values = values
        self._depth = 0
        self._made = 0

    def whole(self) -> tuple[str, list[str]]:
        """Read to the end."""
        return self._until("", raw_escapes=self._lexer.raw_escapes)

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _next(self) -> str:
        character = self._peek()
        self._at += 1
        return character

    def _until(self, stop: str, *, raw_escapes: bool) -> tuple[str, list[str]]:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise SubstitutionError("substitutions stand in each other too deeply")
        result: list[str] = []
        words = _Words()
        while character := self._peek():
            if stop and character == stop:
                self._at += 1
                self._depth -= 1
                words.end()
                return "".join(result), words.done
            if character == "$":
                found = self._dollar()
                result.append(found)
                words.add(found)
            elif character in "'\"" and not self._lexer.skip_quotes:
                found = self._single_quoted() if character == "'" else self._double_quoted(raw_escapes=raw_escapes)
                result.append(found)
                words.add_raw(found)
            elif character == self._lexer.escape:
                self._at += 1
                kept = character if raw_escapes else ""
                kept += self._next()
                result.append(kept)
                words.add_raw(kept)
            else:
                plain = self._plain(stop)
                result.append(plain)
                words.add(plain)
        if stop:
            raise SubstitutionError(f"it ends where {stop} is missing")
        words.end()
        return "".join(result), words.done

    def _plain(self, stop: str) -> str:
        """Return the characters up to the next one that means something; the first one means nothing."""
        specials = f"{self._lexer._specials}{stop}"  # noqa: SLF001 - of this module
        begin = self._at
        self._at += 1
        while self._at < len(self._text) and self._text[self._at] not in specials:
            self._at += 1
        return self._text[begin : self._at]

    def _single_quoted(self) -> str:
        end = self._text.find("'", self._at + 1)
        if end < 0:
            raise SubstitutionError("a single quote has no end")
        inside = self._text[self._at + 1 : end]
        self._at = end + 1
        return f"'{inside}'" if self._lexer.raw_quotes else inside

    def _double_quoted(self, *, raw_escapes: bool) -> str:
        quote = self._next() if self._lexer.raw_quotes else self._next()[:0]
        result = [quote]
        while character := self._peek():
            if character == '"':
                self._at += 1
                return "".join((*result, quote))
            if character == "$":
                result.append(self._dollar())
                continue
            self._at += 1
            if character == self._lexer.escape:
                if raw_escapes:
                    result.append(character)
                if not self._peek():
                    continue
                if self._peek() in {'"', "$", self._lexer.escape}:
                    character = self._next()
            result.append(character)
        raise SubstitutionError("a double quote has no end")

    def _dollar(self) -> str:
        found = self._substituted()
        self._made += len(found)
        if self._made > _LONGEST + len(self._text):
            raise SubstitutionError("with its variables put in it is longer than any program takes")
        return found

    def _substituted(self) -> str:
        self._at += 1
        if self._peek() != "{":
            name = self._name()
            if not name:
                return "$"
            return f"${name}" if self._lexer.keep_unset and name not in self._values else self._values.get(name, "")
        self._at += 1
        if not self._peek():
            raise SubstitutionError("${ has no }")
        if self._peek() in "{}:":
            raise SubstitutionError("${ is not followed by a name")
        name = self._name()
        modifier = self._next()
        if modifier == "}":
            return f"${{{name}}}" if self._lexer.keep_unset and name not in self._values else self._values.get(name, "")
        if modifier == "/":
            return self._replaced(name)
        colon = modifier == ":"
        if colon:
            modifier = self._next()
        if modifier not in _MODIFIERS:
            raise SubstitutionError(f"${{{name}{':' if colon else ''}{modifier} is a substitution that builders lack")
        word = self._until("}", raw_escapes=modifier in "#%")[0]
        return self._modified(name, modifier, word, colon=colon)

    def _modified(self, name: str, modifier: str, word: str, *, colon: bool) -> str:
        value = self._values.get(name)
        if value is None and self._lexer.keep_unset:
            return f"${{{name}{':' if colon else ''}{modifier}{word}}}"
        missing = value is None or (colon and not value)
        if modifier == "-":
            return word if missing else value or ""
        if modifier == "+":
            return "" if missing else word
        if modifier == "?":
            if missing:
                raise SubstitutionError(f"{name}: {word or 'it must have a value'}")
            return value or ""
        longest = word.startswith(modifier)
        pattern = word[1:] if longest else word
        glob = Glob.read(pattern)
        return (glob.without_front if modifier == "#" else glob.without_end)(value or "", longest=longest)

    def _replaced(self, name: str) -> str:
        everywhere = self._peek() == "/"
        if everywhere:
            self._at += 1
        pattern = self._until("/", raw_escapes=True)[0]
        replacement = self._until("}", raw_escapes=True)[0]
        value = self._values.get(name)
        if value is None and self._lexer.keep_unset:
            return f"${{{name}/{pattern}/{replacement}}}"
        return Glob.read(pattern).replaced(value or "", replacement, everywhere=everywhere, most=_LONGEST)

    def _name(self) -> str:
        first = self._peek()
        if first.isdigit():
            match = _NUMBER.match(self._text, self._at)
        elif first and first in _SPECIAL:
            self._at += 1
            return first
        else:
            match = _NAME.match(self._text, self._at)
        if match is None:
            return ""
        self._at = match.end()
        return match[0]
