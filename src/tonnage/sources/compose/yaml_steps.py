"""What ruamel.yaml does at every sign and every token, in fewer steps: a large file is full of them.

It goes over signs one by one, and asks its parts for each other each time. What is found, and what is said against a
text, is the same; what a scalar, a tag or a line end is stands in :mod:`yaml_scanner`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ruamel.yaml.error import StringMark
from ruamel.yaml.events import ScalarEvent
from ruamel.yaml.parser import Parser
from ruamel.yaml.reader import Reader
from ruamel.yaml.scanner import Scanner
from ruamel.yaml.tokens import ScalarToken

if TYPE_CHECKING:
    from ruamel.yaml.events import Event
    from ruamel.yaml.tokens import Token

_FETCHED = {
    "[": "fetch_flow_sequence_start", "]": "fetch_flow_sequence_end", "{": "fetch_flow_mapping_start",
    "}": "fetch_flow_mapping_end", ",": "fetch_flow_entry", "*": "fetch_alias", "&": "fetch_anchor", "!": "fetch_tag",
    "'": "fetch_single", '"': "fetch_double",
}  # fmt: skip
"""Signs that mean the same wherever a token may begin."""
_OTHER_SIGNS = frozenset("\0 \t\r\n\x85\u2028\u2029-?:.#|>%@`")
"""Signs that mean something else here and there; every other one begins a plain scalar."""
_MOST_OF_A_KEY = 1024


class QuickReader(Reader):
    """Text with a place in it."""

    _mark: StringMark | None = None

    def forward(self, length: int = 1) -> None:
        """Go over signs that end no line."""
        self.pointer += length
        self.index += length
        self.column += length

    def get_mark(self) -> StringMark:
        """Return the place: one mark for each line, as nothing else of a place is told."""
        mark = self._mark
        if mark is None or mark.line != self.line:
            mark = StringMark(self.name, self.index, self.line, self.column, self.buffer, self.pointer)
            self._mark = mark
        return mark


class QuickScanner(Scanner):
    """Tokens, each looked for where its first sign says so."""

    reader: Any = None
    # It is counted where brackets are, and not at each look.
    flow_level: Any = 0
    # Compose takes no other version of YAML.
    scanner_processing_version: Any = (1, 1)

    def __init__(self, loader: Any) -> None:  # noqa: ANN401 - as ruamel's
        self.reader = loader.reader
        super().__init__(loader=loader)

    def check_token(self, *choices: type[Token]) -> bool:
        """Return whether the next token is one of some kinds; any, where none is named."""
        tokens = self.tokens
        if not tokens or self.possible_simple_keys:
            while self.need_more_tokens():
                self.fetch_more_tokens()
        return bool(tokens) and (not choices or isinstance(tokens[0], choices))

    def peek_token(self) -> Token | None:
        """Return the next token."""
        tokens = self.tokens
        if not tokens or self.possible_simple_keys:
            while self.need_more_tokens():
                self.fetch_more_tokens()
        return tokens[0] if tokens else None

    def get_token(self) -> Token | None:
        """Return the next token, and go on behind it."""
        token = self.peek_token()
        if token is not None:
            self.tokens_taken += 1
            del self.tokens[0]
        return token

    def need_more_tokens(self) -> bool:
        """Return whether what is known is not enough: nothing, or what may still be found to be a key."""
        if self.done or not self.tokens:
            return not self.done
        self.stale_possible_simple_keys()
        taken = self.tokens_taken
        return any(key.token_number == taken for key in self.possible_simple_keys.values())

    def stale_possible_simple_keys(self) -> None:
        """Forget what cannot be a key any more."""
        line, least = self.reader.line, self.reader.index - _MOST_OF_A_KEY
        for key in self.possible_simple_keys.values():
            if key.line != line or key.index < least:
                super().stale_possible_simple_keys()
                break

    def fetch_more_tokens(self) -> None:
        """Find the next token, and what comes with it."""
        self.scan_to_next_token()
        if self.possible_simple_keys:
            self.stale_possible_simple_keys()
        reader = self.reader
        if not self.flow_level:
            self.unwind_indent(reader.column)
        sign = reader.buffer[reader.pointer]
        if sign in _FETCHED:
            getattr(self, _FETCHED[sign])()
        elif sign not in _OTHER_SIGNS:
            self.fetch_plain()
        elif sign == ":" and self.check_value():
            self.fetch_value()
        elif sign == "-" and (reader.column or reader.prefix(3) != "---") and self.check_block_entry():
            self.fetch_block_entry()
        else:
            super().fetch_more_tokens()

    def fetch_flow_collection_start(self, TokenClass: type[Token], to_push: str) -> None:  # noqa: N803 - as ruamel's
        """Open a bracket."""
        super().fetch_flow_collection_start(TokenClass, to_push)
        self.flow_level = len(self.flow_context)

    def fetch_flow_collection_end(self, TokenClass: type[Token]) -> None:  # noqa: N803 - as ruamel's
        """Close a bracket."""
        super().fetch_flow_collection_end(TokenClass)
        self.flow_level = len(self.flow_context)


class QuickParser(Parser):
    """Events, most of which are scalars with nothing before them."""

    scanner: Any = None
    resolver: Any = None

    def __init__(self, loader: Any) -> None:  # noqa: ANN401 - as ruamel's
        self.scanner, self.resolver = loader.scanner, loader
        super().__init__(loader)

    def parse_node(self, block: bool = False, indentless_sequence: bool = False) -> Event:  # noqa: FBT001, FBT002 - as ruamel's
        """Return the event that a value begins with."""
        token = self.scanner.peek_token()
        if type(token) is not ScalarToken:
            event: Event = super().parse_node(block, indentless_sequence)
            return event
        self.scanner.get_token()
        self.state = self.states.pop()
        implicit = (token.plain, not token.plain)
        return ScalarEvent(None, None, implicit, token.value, token.start_mark, token.end_mark, style=token.style)
