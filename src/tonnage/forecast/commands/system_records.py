"""Commands that write anew what the system keeps for itself: accounts, certificates, where libraries lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.model.forecast.effects import Records

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.forecast.commands.context import Context
    from tonnage.model.forecast.effects import AnyEffect
    from tonnage.model.forecast.shell_script import Word

RECORDS = frozenset({
    "a2dismod", "a2enmod", "a2ensite", "add-shell", "addgroup", "adduser", "chage", "chpasswd", "chsh",
    "debconf-set-selections", "delgroup", "deluser", "dpkg-divert", "dpkg-statoverride", "gpasswd", "groupadd",
    "groupdel", "groupmod", "ldconfig", "newusers", "passwd", "ssh-keygen", "update-alternatives",
    "update-ca-certificates", "useradd", "userdel", "usermod",
})  # fmt: skip
_ADDS = frozenset({"adduser", "useradd"})
_NUMBER = ("-u", "--uid")
_WITHOUT_LOGS = frozenset({"-l", "--no-log-init"})


def records(context: Context, program: str, words: Sequence[Word]) -> AnyEffect:
    """Read one of these; ``words`` are those after the program."""
    texts = [word.text for word in words]
    if program == "useradd" and any(text in {"-k", "--skel"} for text in texts):
        return context.opaque("it copies a directory of its own into the new home")
    if program not in _ADDS:
        return Records(**context.shared, program=program)
    numbers = [text.partition("=")[2] for text in texts if text.startswith("--uid=")]
    numbers += [texts[at + 1] for at, text in enumerate(texts[:-1]) if text in _NUMBER]
    number = next((int(text) for text in numbers if text.isdecimal()), None)
    logs = not _WITHOUT_LOGS & set(texts) and not any(text in {"-r", "--system", "-S"} for text in texts)
    return Records(**context.shared, program=program, number=number, logs=logs)
