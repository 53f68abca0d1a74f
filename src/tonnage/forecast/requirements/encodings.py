"""Which characters the bytes of a requirement file are: as its mark or its first two lines say, else UTF-8.

Source: ``auto_decode`` in ``pip/_internal/utils/encoding.py`` of pip 26.3.
"""

from __future__ import annotations

import codecs

from tonnage.lazily import regex

# The mark of UTF-32 begins like that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"),
)  # fmt: skip
_TOLD = regex(rb"[ \t\f]*#.*?coding[:=]\s*([-\w.]+)")
_NAMES = regex(r"(?i)(?:utf|iso|latin|cp|windows|koi8|ascii|us|gb|big5|euc|shift)[-_\w]{0,20}")


def decoded(content: bytes) -> str:
    """Return the text of a file; what is no character of its encoding stands as the sign for that."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return content[len(mark) :].decode(encoding, "replace")
    for line in content[:1000].split(b"\n")[:2]:
        told = _TOLD.match(line)
        name = told[1].decode("ascii", "replace") if told else ""
        if _NAMES.fullmatch(name):
            try:
                return content.decode(name, "replace")
            except LookupError:
                break
    return content.decode("utf-8", "replace")
