"""What an instruction of a recipe does to the files of the image: a row of effects, each by the reader of its program.

What cannot be told from words is ``Opaque``, never nothing.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from fnmatch import fnmatchcase
from operator import itemgetter
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.forecast.commands.apt_and_others import APT_KEEPS, KEEPS, apt, apt_mark, dpkg
from tonnage.forecast.commands.cheap_commands import CHEAP, cheap_effects, option_of, page, printed, sized, write
from tonnage.forecast.commands.context import Context
from tonnage.forecast.commands.downloads import FETCHING, address_of, aria2c, curl, git, tar, through_tar, unpack, wget
from tonnage.forecast.commands.file_commands import (
    anything_gone,
    change,
    find,
    make_directory,
    remove,
    sed,
    transfer,
)
from tonnage.forecast.commands.model_hubs import model_hub
from tonnage.forecast.commands.node_commands import is_node, node
from tonnage.forecast.commands.other_managers import manages, other_manager
from tonnage.forecast.commands.pipenv_commands import pipenv
from tonnage.forecast.commands.pipes import naming, pipe_of, with_substitutions, without_bytes
from tonnage.forecast.commands.python_commands import python_effects
from tonnage.forecast.commands.settings_of_pip import FilesOfScript
from tonnage.forecast.commands.sourced_files import sourced
from tonnage.forecast.commands.text_programs import FOLLOWED, printed_text
from tonnage.forecast.shell.script import is_shell, read_script
from tonnage.lazily import regex
from tonnage.model.forecast.effects import AptInstall, Download, GitClone, Nothing, Opaque, Remove, Source, WriteFile
from tonnage.model.forecast.estimate import KILOBYTES
from tonnage.model.forecast.installs import PythonInstall
from tonnage.model.forecast.recipe import CopyInstruction, RunInstruction
from tonnage.model.forecast.shell_script import Word
from tonnage.model.stack import Place
from tonnage.sources.dockerfile.shell_wrappers import SHELLS, program

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tonnage.model.forecast.effects import AnyEffect
    from tonnage.model.forecast.recipe import RecipeStep
    from tonnage.model.forecast.shell_script import Script, ShellCommand

_MACHINES = {
    "amd64": ("x86_64", "amd64"), "arm64": ("aarch64", "arm64"), "arm": ("armv7l", "armhf"), "386": ("i686", "i386"),
    "ppc64le": ("ppc64le", "ppc64el"), "s390x": ("s390x", "s390x"), "riscv64": ("riscv64", "riscv64"),
}  # fmt: skip
_ADDRESS = regex(r"(?:https?|ftp)://", re.IGNORECASE)
_REPOSITORY = regex(r"git@|git://|ssh://|https?://[^#\s]+\.git(?:#.*)?$")
_LONGEST_PIPELINE = 32
_ROOT = frozenset({"", "root", "0"})
_ASKS = frozenset({"--version", "-V", "--help", "-h", "-version", "version", "--list", "help"})
# What ``find`` pipes into these through xargs is told as its own effect.
_FOUND_FIRST = frozenset({"rm", "rmdir", "chmod", "chown", "chgrp", "touch", "strip", "cp", "mv"})
_RECOMMENDS_OFF = regex(r"APT::Install-Recommends\s+\"?(?:0|false|no)\"?", re.IGNORECASE)
_KEEPS = regex(r"Keep-Downloaded-Packages\s+\"?(?:1|true|yes)\"?", re.IGNORECASE)
# Images of Debian and Ubuntu have what throws archives away after each install.
_THROWS_AWAY = "/etc/apt/apt.conf.d/docker-clean"
_REMOVING = frozenset({"rm", "rmdir", "unlink"})
_SIZED = frozenset({"dd", "fallocate", "truncate"})
_BY_NAME = {
    **dict.fromkeys(("chmod", "chown", "chgrp", "touch", "setcap", "strip"), change),
    **dict.fromkeys(("cp", "mv", "ln", "install", "rsync"), transfer),
    **dict.fromkeys(
        ("unzip", "gunzip", "bunzip2", "unxz", "unzstd", "gzip", "xz", "bzip2", "zstd", "7z", "7za", "zcat"), unpack
    ),
}


def effects(
    step: RecipeStep,
    *,
    platform: str = "linux/amd64",
    remembered: dict[str, str] | None = None,
    files: Callable[[str], str | None] | None = None,
    of_sh: bool | None = False,
) -> tuple[AnyEffect, ...]:
    """Return what an instruction does.

    Args:
        files: Returns what a script file holds that it runs, by its path; None where that is not known.
        of_sh: Whether ``{a,b}`` is several words to the ``sh`` of the image; None where that is not known.
    """
    done = effects_by_command(step, platform=platform, remembered=remembered, files=files, of_sh=of_sh)
    return tuple(each for _, found in done for each in found)


def effects_by_command(
    step: RecipeStep,
    *,
    platform: str = "linux/amd64",
    remembered: dict[str, str] | None = None,
    files: Callable[[str], str | None] | None = None,
    of_sh: bool | None = False,
) -> tuple[tuple[ShellCommand | None, tuple[AnyEffect, ...]], ...]:
    """Return what an instruction does, command by command; None stands for what no command of a script does."""
    kept = {} if remembered is None else remembered
    if isinstance(step.action, CopyInstruction):
        return ((None, _added(step, step.action)),)
    if not isinstance(step.action, RunInstruction):
        return ()
    run = step.action
    shell = step.surroundings.shell
    if run.words is None and not is_shell(shell):
        key = " ".join((*shell, run.script))
        reason = f"{shell[0]} is not a supported shell"
        return ((None, (Opaque(command=key, place=step.place, key=key, reason=reason),)),)
    script = _with_cut_pipelines(_script(run, step, _answers(platform), files, of_sh=of_sh))
    found: list[tuple[ShellCommand | None, tuple[AnyEffect, ...]]] = []
    seen = FilesOfScript(files)

    def done(part: Script, at: int) -> tuple[AnyEffect, ...]:
        return _effects(replace(_context(part, at, step, run, kept), text_of=seen.text), part, at)

    for index in range(len(script.commands)):
        inner, script = with_substitutions(script, index)
        for each in inner:
            for at, command in enumerate(each.commands):
                found.append((command, without_bytes(done(each, at))))
        found.append((script.commands[index], done(script, index)))
        seen.follow(found[-1][1])
    broken = tuple(
        Opaque(command=text, place=step.place, key=text, reason="it cannot be read as a shell script")
        for text in script.broken
        if text.strip()
    )
    return (*found, (None, broken)) if broken else tuple(found)


def _context(script: Script, index: int, step: RecipeStep, run: RunInstruction, kept: dict[str, str]) -> Context:
    """Return one command with what is around it; what it is piped is that of the command before it."""
    command = script.commands[index]
    address, reader = _fetched_before(script, command), command.pipe_to
    piped = None
    if command.pipe_from is not None:
        piped = printed(_context(script, command.pipe_from, step, run, kept))
        if pipe_of(script, command.pipe_from) and piped == Source(known=False, least_percent=0):
            # Whatever writes a requirement file for another command prints a page.
            piped = Source(text=KILOBYTES)
        fetching = script.commands[command.pipe_from].program in FETCHING
        piped = Source(address=address) if fetching and address else piped
    return Context(
        command=command,
        place=_place(step, run, command),
        mounts=run.mounts,
        standard_input=_given(script, command),
        piped_to=() if reader is None else tuple(word.text for word in script.commands[reader].words),
        fed_by="" if command.pipe_from is None else script.commands[command.pipe_from].program or "a program",
        piped_from=address,
        piped=piped,
        pipe=pipe_of(script, index),
        fed_from=pipe_of(script, command.pipe_from) or _read_from(command),
        user="" if (user := step.surroundings.user.partition(":")[0]) in _ROOT else user,
        remembered=kept,
    )


def _read_from(command: ShellCommand) -> str:
    """Return the file that a command's input is taken from; empty without one."""
    read = (each.path for each in reversed(command.redirections) if each.operator == "<" and not each.descriptor)
    return next((path for path in read if "$" not in path and not path.startswith("/dev/")), "")


def _script(
    run: RunInstruction,
    step: RecipeStep,
    answers: dict[str, str],
    files: Callable[[str], str | None] | None,
    *,
    of_sh: bool | None,
) -> Script:
    """Read the commands of a ``RUN``, in either form."""
    around = step.surroundings
    user = around.user.partition(":")[0]
    return read_script(
        run.script if run.words is None else run.words,
        {"HOME": "/root" if user in _ROOT else f"/home/{user}", **around.variables},
        directory=around.working_directory,
        complete=around.base_known,
        unset=around.unset,
        answers=answers,
        files=files,
        shell=run.reader or next((name for word in around.shell if (name := program((Word(word),))) in SHELLS), ""),
        of_sh=of_sh,
    )


def _with_cut_pipelines(script: Script) -> Script:
    """Return a script in which no pipeline is longer than any that people write: each command looks at all before."""
    commands = list(script.commands)
    place: list[int] = []
    for at, command in enumerate(commands):
        before = command.pipe_from
        place.append(0 if before is None else place[before] + 1)
        if before is not None and place[at] >= _LONGEST_PIPELINE:
            commands[at], commands[before] = replace(command, pipe_from=None), replace(commands[before], pipe_to=None)
            place[at] = 0
    return replace(script, commands=tuple(commands)) if len(commands) > _LONGEST_PIPELINE else script


def _effects(context: Context, script: Script, index: int) -> tuple[AnyEffect, ...]:
    """Return what one command does; one that feeds a program that cannot be read is part of that program."""
    command = script.commands[index]
    if command.program == "tar" and command.pipe_from is not None:
        packing = script.commands[command.pipe_from]
        if packing.program == "tar" and (copied := through_tar(context, packing)):
            return copied
    found = effects_of_command(context)
    if context.pipe and command.program in FOLLOWED - {"echo", "printf"}:
        found = (*found, *without_bytes((write(context, context.pipe, Source()),)))
    if command.pipe_from is None or not any(isinstance(each, Opaque) for each in found):
        return found
    chain = [index]
    while (before := script.commands[chain[0]].pipe_from) is not None:
        chain.insert(0, before)
    key = " | ".join(" ".join(word.text for word in script.commands[at].words) for at in chain)
    return tuple(replace(each, key=key) if isinstance(each, Opaque) else each for each in found)


def _added(step: RecipeStep, copy: CopyInstruction) -> tuple[AnyEffect, ...]:
    """Return what ``ADD`` fetches from addresses."""
    found: list[AnyEffect] = []
    for source in copy.sources if copy.adds else ():
        if _REPOSITORY.match(source):
            address = source.partition("#")[0]
            found.append(GitClone(command=step.text, place=step.place, address=address, directory=copy.destination))
        elif _ADDRESS.match(source):
            name = source.partition("?")[0].partition("#")[0].rpartition("/")[2]
            path = f"{copy.destination}{name}" if copy.destination.endswith("/") else copy.destination
            found.append(Download(command=step.text, place=step.place, address=source, path=path))
    return tuple(found)


def _place(step: RecipeStep, run: RunInstruction, command: ShellCommand) -> Place:
    if step.inherited:
        return step.place
    before = bisect_right(run.line_starts, command.offset, key=itemgetter(0))
    return Place(step.place.file, run.line_starts[before - 1][1] if before else step.place.line)


def _answers(platform: str) -> dict[str, str]:
    """Return what commands print that ask for the machine."""
    machine, debian = _MACHINES.get([*platform.split("/"), "", ""][1], ("", ""))
    answers = {"uname -s": "Linux", "uname": "Linux"}
    if machine:
        answers |= dict.fromkeys(("uname -m", "arch", "uname -p"), machine)
        answers |= dict.fromkeys(("dpkg --print-architecture", "dpkg-architecture -qDEB_HOST_ARCH"), debian)
    return answers


def _given(script: Script, command: ShellCommand) -> str | None:
    """Return what a command reads from its input, where that stands in the script."""
    for each in reversed(command.redirections):
        if each.operator in {"<<", "<<<"} and each.descriptor in {None, 0}:
            return each.text
    if command.pipe_from is None:
        return None
    before = script.commands[command.pipe_from]
    if before.program not in {"echo", "printf", "cat"} or not before.known:
        return None
    if before.program == "cat":
        return _given(script, before) if len(before.words) == 1 else None
    return printed_text([before.program, *(word.text for word in before.words[1:])], None, lambda _: None)


def _fetched_before(script: Script, command: ShellCommand) -> str:
    """Return the address that stands at the beginning of a command's pipeline."""
    address = ""
    while not address and command.pipe_from is not None:
        command = script.commands[command.pipe_from]
        address = address_of(command)
    return address


def effects_of_command(context: Context) -> tuple[AnyEffect, ...]:
    """Return what a command does."""
    command = context.command
    if command.words and not command.words[0].known:
        return (context.opaque("the program is not known"),)
    program, words = command.program, command.words[1:]
    if len(words) == 1 and words[0].text in _ASKS and program not in CHEAP and program.rstrip("0123456789.") != "pip":
        return (page(context),)
    found = python_effects(context, program, words) or _by_program(context, program, words) or cheap_effects(context)
    _remember(context, found)
    return found or (context.opaque(f"what {program} writes is not known"),)


def _by_program(context: Context, program: str, words: Sequence[Word]) -> tuple[AnyEffect, ...]:
    if is_node(program):
        return node(context, program, words)
    if manages(program):
        return other_manager(context, program, words)
    if program in _SIZED:
        return sized(context)
    if program in _BY_NAME:
        found = _BY_NAME[program](context, program, words)
    else:
        found = _READERS[program](context, words) if program in _READERS else ()
    return found if isinstance(found, tuple) else (found,)


def _xargs(context: Context, words: Sequence[Word]) -> tuple[AnyEffect, ...]:
    """Read ``xargs``: with known input the command with those words, else one whose words are not known."""
    at = 0
    while at < len(words) and words[at].text.startswith("-"):
        at += 2 if words[at].text in {"-n", "-L", "-P", "-I", "-d", "-s", "-a", "--arg-file"} else 1
    inner = tuple(words[at:])
    if not inner:
        return (Nothing(**context.shared),)
    if listed := option_of([word.text for word in words[:at]], "-a", "--arg-file"):
        context = replace(context, fed_from=context.absolute(listed))
    given = context.standard_input
    if given is None and context.fed_from and not any(word.text.startswith("-I") for word in words[:at]):
        # Each word of the file is one more of the command.
        named = replace(context.command, words=(*inner, Word(context.fed_from)), pipe_from=None)
        found = effects_of_command(replace(context, command=naming(named), standard_input=""))
        if all(isinstance(each, PythonInstall | AptInstall) for each in found):
            return found
    if given is None and inner[0].text in _REMOVING and context.fed_by != "find":
        return (anything_gone(context),)
    if given is None and _prints_only(inner[0].text):
        # What it writes does not depend on what it is given; that is more words, which nobody knows.
        command = replace(context.command, words=(*inner, Word("", known=False)), pipe_from=None)
        return effects_of_command(replace(context, command=command))
    if given is None:
        seen = context.fed_by == "find" and inner[0].text in _FOUND_FIRST
        quiet = seen or inner[0].text in {"grep", "echo", "ls"}
        reason = f"what xargs gives to {inner[0].text} is not known"
        return (Nothing(**context.shared) if quiet else context.opaque(reason),)
    added = tuple(replace(inner[0], text=text, known=True) for text in given.split())
    command = replace(context.command, words=(*inner, *added))
    return effects_of_command(replace(context, command=command))


def _prints_only(program: str) -> bool:
    row = CHEAP.get(program)
    return row is not None and row.percent is None and row.prints == KILOBYTES


def _remember(context: Context, found: tuple[AnyEffect, ...]) -> None:
    configures = any(isinstance(each, WriteFile) and each.path.startswith("/etc/apt/") for each in found)
    told = f"{context.text} {context.standard_input or ''}" if configures else ""
    if _RECOMMENDS_OFF.search(told):
        context.remembered["APT_INSTALL_RECOMMENDS"] = "0"
    if _KEEPS.search(told):
        context.remembered[APT_KEEPS] = "1"
    removed = (path for each in found if isinstance(each, Remove) and not each.conditional for path in each.paths)
    if any(fnmatchcase(_THROWS_AWAY, path) for path in removed):
        context.remembered[KEEPS] = "1"


_READERS: dict[str, Callable[[Context, Sequence[Word]], AnyEffect | tuple[AnyEffect, ...]]] = {
    "find": find, "sed": sed, "xargs": _xargs, "curl": curl, "wget": wget, "aria2c": aria2c, "mkdir": make_directory,
    **dict.fromkeys(("hf", "huggingface-cli", "ollama"), model_hub),
    "pipenv": pipenv, "tar": tar, "git": git, "dpkg": dpkg, "dpkg-deb": dpkg,
    "apt-mark": apt_mark,
    **dict.fromkeys((".", "source"), sourced), **dict.fromkeys(_REMOVING, remove),
    **dict.fromkeys(("apt", "apt-get", "aptitude"), apt),
}  # fmt: skip
