"""What ``cat``, ``grep``, ``sed`` and their like make of a text that is known; None where that cannot be told.

Patterns come from strangers: only those are followed that cannot take long, with two repetitions in short lines.

Source: POSIX, and the manuals of GNU grep 3.8 and GNU sed 4.9.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tonnage.lazily import regex

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_MOST_BYTES, _LONGEST_LINE, _MOST_REPETITIONS = 65_536, 500, 2
_CLASSES = frozenset("sSwWb")
_SPECIAL = frozenset("()|+?{}")
_GREP_FLAGS, _GREP_VALUES = frozenset("vEFihwx"), frozenset("e")
_SUBSTITUTION = regex(
    r"(?:(?P<at>\d+|\$)|(?P<slash>/)(?P<when>[^/]*)/)?(?P<no>!?)\s*(?P<act>[sdp])(?P<rest>.*)", re.DOTALL
)
_ESCAPES = {"n": "\n", "t": "\t", "\\": "\\", '"': '"'}


def printed_text(words: Sequence[str], fed: str | None, read: Callable[[str], str | None]) -> str | None:
    """Return what a command prints.

    Args:
        words: The program and what it is given, paths as they are written.
        fed: Its standard input; None where that is not known.
        read: Returns the text of a file by its path as it is written; None where that is not known.
    """
    program, *rest = words or [""]
    if program in {"echo", "printf"}:
        return _echoed(rest) if program == "echo" else _formatted(rest)
    known = _PROGRAMS.get(program.rpartition("/")[2])
    if known is None:
        return None
    try:
        return known(rest, lambda paths: _inputs(paths, fed, read))
    except (ValueError, IndexError, StopIteration, re.error):
        return None


def _inputs(paths: Sequence[str], fed: str | None, read: Callable[[str], str | None]) -> str:
    texts = [fed if path in {"-", "/dev/stdin"} else read(path) for path in paths] if paths else [fed]
    if not all(text is not None for text in texts):
        raise ValueError("not known")
    joined = "".join(text or "" for text in texts)
    if len(joined) > _MOST_BYTES or any(len(line) > _LONGEST_LINE for line in joined.split("\n")):
        raise ValueError("too long")
    return joined


def _echoed(words: Sequence[str]) -> str | None:
    words = list(words)
    ends = "\n"
    while words and re.fullmatch(r"-[neE]+", words[0]):
        ends = "" if "n" in words.pop(0) else ends
    text = _escaped(" ".join(words))
    return None if text is None else text + ends


def _formatted(words: Sequence[str]) -> str | None:
    form, *given = words or [""]
    text = _escaped(form)
    if text is None or re.search(r"%(?![s%])", text):
        return None
    places = len(re.findall(r"%s", text.replace("%%", "")))
    turns = max(1, -(-len(given) // places)) if places else 1
    if (given and not places) or turns * len(text) > _MOST_BYTES:
        return None
    values = iter(given)
    return "".join(re.sub(r"%[s%]", lambda m: "%" if m[0] == "%%" else next(values, ""), text) for _ in range(turns))


def _escaped(text: str) -> str | None:
    """Put in the characters that a backslash means; most shells' ``echo`` does so as well."""
    if re.search(r"\\(?![nt\"\\])", text):
        return None
    return re.sub(r"\\(.)", lambda match: _ESCAPES[match[1]], text)


def _cat(words: Sequence[str], read: Callable[[Sequence[str]], str]) -> str | None:
    return None if any(re.match(r"-.", word) for word in words) else read(words)


def _head(words: Sequence[str], read: Callable[[Sequence[str]], str]) -> str | None:
    count, paths = 10, list(words)
    if paths and (match := re.fullmatch(r"-(?:n ?|)(\d{1,6})", paths[0])):
        count, paths = int(match[1]), paths[1:]
    elif paths[:1] == ["-n"]:
        count, paths = int(paths[1]), paths[2:]
    return None if any(re.match(r"-.", word) for word in paths) else "".join(_lines(read(paths))[:count])


def _sort(words: Sequence[str], read: Callable[[Sequence[str]], str]) -> str | None:
    once = "-u" in words
    paths = [word for word in words if word != "-u"]
    if any(re.match(r"-.", word) for word in paths):
        return None
    lines = sorted(_lines(read(paths)))
    return "".join(dict.fromkeys(lines) if once else lines)


def _grep(words: Sequence[str], read: Callable[[Sequence[str]], str]) -> str | None:
    flags: set[str] = set()
    patterns: list[str] = []
    plain: list[str] = []
    waiting = iter(words)
    for word in waiting:
        if word.startswith("--regexp="):
            patterns.append(word.partition("=")[2])
        elif word == "--invert-match":
            flags.add("v")
        elif word.startswith("--"):
            return None
        elif re.match(r"-.", word):
            for at, letter in enumerate(word[1:], 1):
                if letter in _GREP_VALUES:
                    patterns.append(word[at + 1 :] or next(waiting))
                    break
                if letter not in _GREP_FLAGS:
                    return None
                flags.add(letter)
        else:
            plain.append(word)
    if not patterns:
        patterns.append(plain.pop(0))
    found = [
        _pattern(line, extended="E" in flags, plain="F" in flags) for each in patterns for line in each.split("\n")
    ]
    around = (r"(?<!\w)(?:", r")(?!\w)") if "w" in flags else ("^(?:", ")$") if "x" in flags else ("", "")
    wanted = re.compile("|".join(f"{around[0]}{each}{around[1]}" for each in found), re.IGNORECASE * ("i" in flags))
    shown = [line for line in _lines(read(plain)) if bool(wanted.search(line.rstrip("\n"))) is not ("v" in flags)]
    return "".join(shown)


def _sed(words: Sequence[str], read: Callable[[Sequence[str]], str]) -> str | None:
    extended = quiet = False
    scripts: list[str] = []
    plain: list[str] = []
    waiting = iter(words)
    for word in waiting:
        if word in {"-E", "-r", "--regexp-extended"}:
            extended = True
        elif word in {"-n", "--quiet", "--silent"}:
            quiet = True
        elif word in {"-e", "--expression"}:
            scripts.append(next(waiting))
        elif re.fullmatch(r"-[Er]?i[Er]?|--in-place", word):
            extended = extended or "E" in word or "r" in word.partition("i")[0]
        elif re.match(r"-.", word):
            return None
        else:
            plain.append(word)
    if not scripts:
        scripts.append(plain.pop(0))
    lines = _lines(read(plain))
    commands = [each for script in scripts for each in _commands(script)]
    if quiet and len(commands) != 1:
        raise ValueError("not followed")
    for command in commands:
        lines = _done(command, lines, extended=extended, quiet=quiet)
    return "".join(lines)


def _commands(script: str) -> list[str]:
    """Take a script apart; one whose patterns hold what parts commands is not followed."""
    return [each.strip() for each in re.split(r"[;\n]", script) if each.strip()]


def _done(command: str, lines: Sequence[str], *, extended: bool, quiet: bool = False) -> list[str]:
    """Return the lines after a command; of a quiet one those that it prints."""
    match = _SUBSTITUTION.fullmatch(command)
    if match is None or (match["act"] != "s" and (match["act"] == "p") is not quiet):
        raise ValueError("not followed")
    where = re.compile(_pattern(match["when"], extended=extended)) if match["when"] else None

    def meant(number: int, line: str) -> bool:
        if match["at"]:
            told = number == len(lines) if match["at"] == "$" else number == int(match["at"])
        else:
            told = where is None or where.search(line.rstrip("\n")) is not None
        return told is not (match["no"] == "!")

    if match["act"] != "s":
        if match["rest"].strip() or not (match["at"] or where):
            raise ValueError("not followed")
        return [line for number, line in enumerate(lines, 1) if meant(number, line) is quiet]
    mark = match["rest"][0]
    _, old, new, flags = match["rest"].split(mark)
    if set(flags) - {"g", "I", "i", "p"} or ("p" in flags) is not quiet or "&" in new or "\\" in new:
        raise ValueError("not followed")
    wanted = re.compile(_pattern(old, extended=extended), re.IGNORECASE * bool({"I", "i"} & set(flags)))
    count = 0 if "g" in flags else 1
    return [
        wanted.sub(lambda _: new, line.rstrip("\n"), count=count) + "\n" * line.endswith("\n")
        if meant(number, line)
        else line
        for number, line in enumerate(lines, 1)
        if not quiet or (meant(number, line) and wanted.search(line.rstrip("\n")))
    ]


def _pattern(text: str, *, extended: bool, plain: bool = False) -> str:  # noqa: C901, PLR0912 - a branch for each sign
    """Return a pattern of grep or sed as one of ours.

    Raises:
        ValueError: It holds what is not followed.
    """
    if plain:
        return re.escape(text)
    found: list[str] = []
    at, repetitions = 0, 0
    while at < len(text):
        sign, at = text[at], at + 1
        special = extended and sign in _SPECIAL
        if sign == "\\" and at < len(text):
            sign, at = text[at], at + 1
            if sign in _CLASSES:
                found.append(f"\\{sign}")
                continue
            if sign.isalnum() or sign in "<>":
                raise ValueError("not followed")
            special = not extended and sign in _SPECIAL
            if not special:
                found.append(re.escape(sign))
                continue
        if sign == "[":
            end = text.index("]", at + 1 + (text[at] == "^"))
            if "[" in text[at:end] or "\\" in text[at:end]:
                raise ValueError("not followed")
            found.append(f"[{text[at:end]}]")
            at = end + 1
        elif sign == "*" or (special and sign in "+?"):
            if (
                not found
                or found[-1] in {"(?:", "|", "^", ")"}
                or found[-1] == "\\b"
                or (found[-1][-1:] in "*+?" and len(found[-1]) == 1)
            ):
                raise ValueError("not followed")
            repetitions += sign != "?"
            found.append(sign)
        elif special:
            if sign in "{}":
                raise ValueError("not followed")
            found.append("(?:" if sign == "(" else sign)
        else:
            found.append(sign if sign in ".^$" else re.escape(sign))
    if repetitions > _MOST_REPETITIONS:
        raise ValueError("takes long")
    return "".join(found)


def _tail(words: Sequence[str], read: Callable[[Sequence[str]], str]) -> str | None:
    count, paths = "10", list(words)
    if paths and (match := re.fullmatch(r"-n? ?(\+?\d{1,6})", paths[0])):
        count, paths = match[1], paths[1:]
    elif paths[:1] == ["-n"]:
        count, paths = paths[1], paths[2:]
    if any(re.match(r"-.", word) for word in paths):
        return None
    lines = _lines(read(paths))
    from_line = int(count) - 1 if count.startswith("+") else len(lines) - int(count)
    return "".join(lines[max(0, from_line) :])


def _uniq(words: Sequence[str], read: Callable[[Sequence[str]], str]) -> str | None:
    if words and (len(words) > 1 or words[0].startswith("-")):
        return None
    lines = _lines(read(words))
    return "".join(line for before, line in zip(["", *lines], lines, strict=False) if before != line)


def _tr(words: Sequence[str], read: Callable[[Sequence[str]], str]) -> str | None:
    """Read ``tr -d CHARACTERS`` and ``tr FROM TO`` of as many single characters."""
    sets = [_escaped(word.replace("\\r", "\r")) for word in words if word != "-d"]
    if not all(each and "[" not in each and not re.search(r".-.", each) for each in sets):
        return None
    old, new = (*(each or "" for each in sets), "")[:2]
    if ("-d" in words) is (len(sets) != 1) or len(sets) not in {1, 2} or (len(sets) == 2 and len(old) != len(new)):  # noqa: PLR2004 - FROM and TO
        return None
    return read(()).translate(str.maketrans(old, new) if new else str.maketrans("", "", old))


def _cut(words: Sequence[str], read: Callable[[Sequence[str]], str]) -> str | None:
    """Read ``cut -d X -f N``."""
    match = re.fullmatch(
        r"(?:-d ?(?P<a>.) -f ?(?P<m>\d)|-f ?(?P<n>\d) -d ?(?P<b>.))(?P<paths>(?: \S+)*)", " ".join(words)
    )
    if match is None:
        return None
    mark, field = match["a"] or match["b"], int(match["m"] or match["n"]) - 1
    fields = [(line.rstrip("\n"), line.rstrip("\n").split(mark)) for line in _lines(read(match["paths"].split()))]
    found = (each if len(parts) == 1 else (parts[field] if field < len(parts) else "") for each, parts in fields)
    return "".join(f"{each}\n" for each in found)


def _envsubst(words: Sequence[str], read: Callable[[Sequence[str]], str]) -> str | None:
    """Put variables in: of those behind its words, as ``NAME=VALUE``; one that is not among them is not known."""
    known = dict(word.split("=", 1) for word in words if re.match(r"\w+=", word))
    shown = [word for word in words if not re.match(r"\w+=", word)]
    if any(word.startswith("-") for word in shown):
        return None
    chosen = {found for word in shown for found in re.findall(r"\$\{?(\w+)", word)}
    text = read(())
    named = [match[1] or match[2] for match in re.finditer(r"\$(?:\{(\w+)\}|(\w+))", text)]
    if any(name not in known for name in named if not shown or name in chosen):
        return None
    put = re.sub(
        r"\$(?:\{(\w+)\}|(\w+))",
        lambda m: known[m[1] or m[2]] if not shown or (m[1] or m[2]) in chosen else m[0],
        text,
    )
    return put if len(put) <= _MOST_BYTES else None


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True) if "\r" not in text else [f"{each}\n" for each in text.split("\n") if each]


_PROGRAMS = {
    "cat": _cat,
    "head": _head,
    "tail": _tail,
    "sort": _sort,
    "uniq": _uniq,
    "grep": _grep,
    "egrep": lambda w, r: _grep(("-E", *w), r),
    "fgrep": lambda w, r: _grep(("-F", *w), r),
    "sed": _sed,
    "tr": _tr,
    "cut": _cut,
    "envsubst": _envsubst,
}
FOLLOWED = frozenset({"echo", "printf", *_PROGRAMS})
"""Programs whose output is told from their input."""
