"""Text of a command to its words, as Compose splits it: not as a shell does.

It ends at the first ``;``, ``&``, ``|``, ``<`` or ``>`` outside of quotes. Backticks and ``$(...)`` hold together what
stands in them, and stay. A backslash is left out, within double quotes too; what stands behind it means itself.

Source: mattn/go-shellwords, with which Compose v2 reads ``command``, ``entrypoint`` and the like.
"""

from __future__ import annotations

_NOT_WITHIN = {"`": {"'", '"', "("}, "(": {"'", '"', "`"}, ")": {"'", '"', "`"}, "'": {'"', "("}, '"': {"'", "("}}
"""What takes the meaning of a sign that opens or closes something."""


def split_words(text: str) -> list[str] | None:
    """Return the words; None where a quote or a bracket is not closed, or a bracket opens nothing."""
    words: list[str] = []
    word, begun, escaped = "", False, False
    open_: set[str] = set()
    for sign in text:
        kind = "text" if escaped else _kind(sign, open_)
        escaped = kind == "escape"
        if kind == "blank":
            words += [word] if begun else []
            word, begun = "", False
        elif kind == "end":
            # The number of what is led elsewhere is no word.
            begun = begun and not (sign == ">" and "0" <= word[:1] <= "9")
            break
        elif kind == "quote":
            begun = begun or sign in open_
            open_ ^= {sign}
        elif not escaped:
            if kind == "bracket" and (sign == "(" and ("(" in open_ or not word.endswith("$"))):
                return None
            # A bracket that closes nothing is taken for an opening one.
            open_ ^= {"(" if sign == ")" else sign} if kind == "bracket" else set()
            word, begun = word + sign, True
    if open_ or escaped:
        return None
    return [*words, word] if begun else words


def _kind(sign: str, open_: set[str]) -> str:
    """Return what a sign means where some quotes and brackets are open."""
    if sign == "\\" and "'" not in open_:
        return "escape"
    if sign in _NOT_WITHIN and not open_ & _NOT_WITHIN[sign]:
        return "quote" if sign in {"'", '"'} else "bracket"
    if open_:
        return "text"
    return "blank" if sign in " \t\r\n" else "end" if sign in ";&|<>" else "text"
