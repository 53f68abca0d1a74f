"""Which reader a command goes to, by its program."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from tonnage.model.effects import (
    CompilePython,
    MakeEnvironment,
    Nothing,
    Opaque,
    PythonRemove,
    WriteFile,
)
from tonnage.model.installs import Installer
from tonnage.sources.downloads import aria2c, curl, git, tar, unpack, wget
from tonnage.sources.file_commands import (
    change,
    find,
    make_directory,
    remove,
    sed,
    sized,
    tee,
    text_output,
    transfer,
)
from tonnage.sources.project_installs import (
    pdm_install,
    pipx_install,
    poetry_install,
    remembered_from_poetry_config,
)
from tonnage.sources.python_installs import (
    pip_install,
    remembered_from_pip_config,
    uv_pip_install,
    uv_sync,
    uv_tool,
)
from tonnage.sources.system_installs import apt, dpkg, manages, other_manager

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.effects import (
        AnyEffect,
    )
    from tonnage.model.shell import Word
    from tonnage.sources.command_context import Context

_PIP = re.compile(r"pip(?:\d+(?:\.\d+)?)?")
_PYTHON = re.compile(r"(?:python|pypy)(?:\d+(?:\.\d+)?)?")
_ASKS = frozenset({"--version", "-V", "--help", "-h", "-version", "version", "--list", "help"})
_TEXT = frozenset({
    ":", "[", "awk", "base64", "basename", "cat", "cut", "date", "diff", "dirname", "echo", "egrep", "env", "expr",
    "fgrep", "file", "gawk", "getent", "grep", "head", "hostname", "id", "jq", "ldd", "ls", "mawk", "md5sum", "nproc",
    "openssl", "printenv", "printf", "pwd", "readlink", "realpath", "rev", "seq", "sha1sum", "sha256sum", "sha512sum",
    "sort", "stat", "tac", "tail", "tr", "uname", "uniq", "wc", "which", "whoami", "yq", "yes", "lsb_release", "gpg",
    "envsubst", "comm", "paste", "od", "hexdump", "xxd", "cksum", "tput", "free", "df", "du", "ps", "arch", "column",
})  # fmt: skip
_QUIET = frozenset({
    ".", "addgroup", "adduser", "alias", "apt-cache", "apt-key", "apt-mark", "break", "cd", "chage", "chpasswd",
    "chsh", "cmp", "command", "continue", "declare", "delgroup", "deluser", "dirs", "dpkg-query", "exit", "export",
    "false", "groupadd", "groupdel", "groupmod", "gpasswd", "gpgconf", "hash", "kill", "killall", "ldconfig", "let",
    "local", "ln", "mkfifo", "mknod", "newgrp", "passwd", "popd", "pushd", "read", "readonly", "return", "set",
    "shift", "shopt", "sleep", "source", "ssh-keygen", "ssh-keyscan", "stty", "su", "sync", "test", "timedatectl",
    "trap", "true", "type", "ulimit", "umask", "unalias", "unset", "update-alternatives", "update-ca-certificates",
    "useradd", "userdel", "usermod", "visudo", "wait", "add-shell", "corepack", "a2enmod", "a2dismod", "a2ensite",
    "mountpoint", "mount", "umount", "dpkg-divert", "dpkg-statoverride", "debconf-set-selections", "hostnamectl",
})  # fmt: skip
_RECOMMENDS_OFF = re.compile(r"APT::Install-Recommends\s+\"?(?:0|false|no)\"?", re.IGNORECASE)
_CLEANING = frozenset({"purge", "remove", "clean", "prune"})


def effects_of_command(context: Context) -> tuple[AnyEffect, ...]:
    """Return what a command does."""
    command = context.command
    if not command.words:
        return (text_output(context),)
    if not command.words[0].known:
        return (_opaque(context, "the program is not known"),)
    program, words = command.program, command.words[1:]
    texts = [word.text for word in words]
    if texts and texts[0] in _ASKS and len(texts) == 1 and program not in _TEXT:
        return (Nothing(**context.shared),)
    found = _python(context, program, words) or _system(context, program, words) or _files(context, program, words)
    if found:
        _remember(context, found)
        return found
    if program in _TEXT:
        found = (text_output(context),)
        _remember(context, found)
        return found
    if program in _QUIET or not program:
        return (Nothing(**context.shared),)
    return (_opaque(context, f"what {program} writes is not known"),)


def _opaque(context: Context, reason: str) -> Opaque:
    return Opaque(**context.shared, key=" ".join(context.text.split()), reason=reason)


def _python(context: Context, program: str, words: Sequence[Word]) -> tuple[AnyEffect, ...]:
    texts = [word.text for word in words]
    if _PIP.fullmatch(program):
        return _pip(context, words, program.removeprefix("pip"))
    if _PYTHON.fullmatch(program):
        return _interpreter(context, words)
    if program == "uv":
        return _uv(context, words)
    if program == "uvx":
        return (_opaque(context, "uvx installs a tool and runs it"),)
    if program == "virtualenv":
        folder = next((text for text in texts if not text.startswith("-")), "venv")
        return (
            MakeEnvironment(
                **context.shared,
                directory=context.absolute(folder),
                program="virtualenv",
                with_pip="--no-pip" not in texts,
                python=_after(texts, "-p", "--python"),
            ),
        )
    verb = next((at for at, text in enumerate(texts) if not text.startswith("-")), len(texts))
    action = texts[verb] if verb < len(texts) else ""
    if program == "poetry":
        if action in {"install", "sync", "add", "update"}:
            return (poetry_install(context, (words[verb], *words[:verb], *words[verb + 1 :])),)
        if action == "config":
            context.remembered.update(remembered_from_poetry_config(words[verb + 1 :]))
        output = _after(texts, "-o", "--output")
        if action == "export" and output:
            return (WriteFile(**context.shared, path=context.absolute(output)),)
        quiet = action in {"config", "export", "check", "lock", "env", "cache", "show", "version", "about", "self", ""}
        return (Nothing(**context.shared) if quiet else _opaque(context, f"poetry {action} runs a program"),)
    if program == "pdm":
        if action in {"install", "sync", "add", "update"}:
            return (pdm_install(context, (words[verb], *words[:verb], *words[verb + 1 :])),)
        quiet = action in {"config", "export", "lock", "use", "cache", "list", "info", "show", ""}
        return (Nothing(**context.shared) if quiet else _opaque(context, f"pdm {action} runs a program"),)
    if program == "pipx":
        if action == "install":
            return (pipx_install(context, words[verb:]),)
        quiet = action in {"ensurepath", "list", "environment", ""}
        return (Nothing(**context.shared) if quiet else _opaque(context, f"pipx {action} runs a program"),)
    return ()


def _pip(context: Context, words: Sequence[Word], python: str) -> tuple[AnyEffect, ...]:
    """Read the words after ``pip``; options may stand before the verb."""
    texts = [word.text for word in words]
    verb = next((at for at, text in enumerate(texts) if not text.startswith("-")), len(texts))
    action = texts[verb] if verb < len(texts) else ""
    rest = words[verb + 1 :]
    if action in {"install", "download", "wheel"}:
        return (pip_install(context, (words[verb], *words[:verb], *rest), python),)
    if action == "uninstall":
        packages = tuple(text for text in texts[verb + 1 :] if not text.startswith("-"))
        return (PythonRemove(**context.shared, packages=packages),)
    if action == "cache" and _CLEANING & set(texts):
        return (PythonRemove(**context.shared, cache_of=Installer.PIP),)
    if action == "config":
        context.remembered.update(remembered_from_pip_config(rest))
    return (text_output(context),)


def _interpreter(context: Context, words: Sequence[Word]) -> tuple[AnyEffect, ...]:
    texts = [word.text for word in words]
    at = texts.index("-m") if "-m" in texts else None
    if at is None or at + 1 >= len(texts) or any(not text.startswith("-") for text in texts[:at]):
        if texts[:1] == ["-c"] or not texts:
            return (_opaque(context, "it runs a program of its own"),)
        return (_opaque(context, f"it runs {texts[0]}"),)
    module, rest = texts[at + 1], words[at + 2 :]
    own = context.command.words[0].text
    if module == "pip":
        return _pip(context, rest, own)
    if module == "uv":
        return _uv(context, rest)
    if module in {"venv", "virtualenv"}:
        plain = [word.text for word in rest if not word.text.startswith("-")]
        return tuple(
            MakeEnvironment(
                **context.shared,
                directory=context.absolute(folder),
                program=module,
                with_pip=not {"--without-pip", "--no-pip"} & {word.text for word in rest},
                python=own,
            )
            for folder in plain[:1]
        )
    if module == "compileall":
        plain = [word.text for word in rest if not word.text.startswith("-")]
        return (CompilePython(**context.shared, paths=tuple(context.absolute(path) for path in plain)),)
    if module in {"poetry", "pdm", "pipx"}:
        return _python(context, module, rest)
    return (_opaque(context, f"it runs the module {module}"),)


def _uv(context: Context, words: Sequence[Word]) -> tuple[AnyEffect, ...]:
    """Read the words after ``uv``; options may stand before the verb."""
    texts = [word.text for word in words]
    verb = 0
    while verb < len(texts) and texts[verb].startswith("-"):
        verb += 2 if texts[verb] in {"--directory", "--project", "--cache-dir", "--color", "--config-file"} else 1
    action = texts[verb] if verb < len(texts) else ""
    before, rest = words[:verb], words[verb + 1 :]
    if action == "pip":
        inner = rest[0].text if rest else ""
        if inner in {"install", "sync"}:
            return (uv_pip_install(context, (rest[0], *before, *rest[1:])),)
        if inner == "uninstall":
            plain = tuple(word.text for word in rest[1:] if not word.text.startswith("-"))
            return (PythonRemove(**context.shared, packages=plain),)
        output = _after([word.text for word in rest], "-o", "--output-file")
        if inner == "compile" and output:
            return (WriteFile(**context.shared, path=context.absolute(output)),)
        return (text_output(context),)
    if action in {"sync", "add"}:
        return (uv_sync(context, (words[verb], *before, *rest)),)
    if action == "run":
        return _uv_run(context, (words[verb], *before, *rest))
    if action == "tool" and rest and rest[0].text == "install":
        return (uv_tool(context, rest),)
    if action == "venv":
        plain = [
            word.text
            for at, word in enumerate(rest)
            if not word.text.startswith("-") and not (at and rest[at - 1].text in {"-p", "--python", "--prompt"})
        ]
        folder = plain[0] if plain else context.setting("UV_PROJECT_ENVIRONMENT") or ".venv"
        names = [word.text for word in rest]
        return (
            MakeEnvironment(
                **context.shared,
                directory=context.absolute(folder),
                program="uv venv",
                with_pip="--seed" in names,
                python=_after(names, "-p", "--python"),
            ),
        )
    if action == "cache" and rest and rest[0].text in _CLEANING:
        return (PythonRemove(**context.shared, cache_of=Installer.UV_PIP),)
    if action in {"lock", "export", "version", "cache", "init", "tree", "self", "help", ""}:
        return (text_output(context),)
    return (_opaque(context, f"what uv {action} writes is not known"),)


def _uv_run(context: Context, words: Sequence[Word]) -> tuple[AnyEffect, ...]:
    """``uv run`` first does what ``uv sync`` does, then runs a program."""
    texts = [word.text for word in words]
    end = 1
    while end < len(texts) and texts[end].startswith("-") and texts[end] != "--":
        valued = {
            "--extra",
            "--group",
            "--no-group",
            "--only-group",
            "--python",
            "-p",
            "--with",
            "--package",
            "--directory",
        }
        end += 2 if texts[end] in valued else 1
    ran = " ".join(texts[end:]).removeprefix("-- ")
    run = _opaque(context, f"uv runs {ran.partition(' ')[0]}")
    if {"--no-sync", "--no-project"} & set(texts[:end]) or context.on("UV_NO_SYNC"):
        return (run,)
    return (uv_sync(context, words[:end]), run)


def _system(context: Context, program: str, words: Sequence[Word]) -> tuple[AnyEffect, ...]:
    if program in {"apt-get", "apt", "aptitude"}:
        return (apt(context, words),)
    if program == "dpkg":
        return (dpkg(context, words),)
    if program == "curl":
        return curl(context, words)
    if program == "wget":
        return wget(context, words)
    if program == "aria2c":
        return aria2c(context, words)
    if program == "git":
        return (git(context, words),)
    if manages(program):
        return (other_manager(context, program, words),)
    return ()


def _files(context: Context, program: str, words: Sequence[Word]) -> tuple[AnyEffect, ...]:
    match program:
        case "rm" | "rmdir" | "unlink":
            return remove(context, words)
        case "find":
            return (find(context, words),)
        case "chmod" | "chown" | "chgrp" | "touch" | "setcap" | "strip":
            return (change(context, program, words),)
        case "sed":
            return (sed(context, words),)
        case "cp" | "mv" | "ln" | "install" | "rsync":
            return (transfer(context, program, words),)
        case "mkdir":
            return (make_directory(context, words),)
        case "tee":
            return tee(context, words)
        case "dd" | "fallocate" | "truncate" | "head":
            return (sized(context, program, words),)
        case "tar":
            return (tar(context, words),)
        case (
            "unzip"
            | "gunzip"
            | "bunzip2"
            | "unxz"
            | "unzstd"
            | "gzip"
            | "xz"
            | "bzip2"
            | "zstd"
            | "7z"
            | "7za"
            | "zcat"
        ):
            return (unpack(context, program, words),)
        case "xargs":
            return _xargs(context, words)
        case _:
            return ()


def _xargs(context: Context, words: Sequence[Word]) -> tuple[AnyEffect, ...]:
    """Read ``xargs``: with known input the command with those words, else one whose words are not known."""
    at = 0
    while at < len(words) and words[at].text.startswith("-"):
        at += 2 if words[at].text in {"-n", "-L", "-P", "-I", "-d", "-s", "-a"} else 1
    inner = tuple(words[at:])
    if not inner:
        return (Nothing(**context.shared),)
    given = context.standard_input
    if given is None:
        if context.command.pipe_from is not None and inner[0].text in {"rm", "chmod", "chown", "grep", "echo"}:
            return (Nothing(**context.shared),) if inner[0].text in {"grep", "echo"} else ()
        return (_opaque(context, f"what xargs gives to {inner[0].text} is not known"),)
    added = tuple(replace(inner[0], text=text, known=True) for text in given.split())
    command = replace(context.command, words=(*inner, *added))
    return effects_of_command(replace(context, command=command))


def _remember(context: Context, found: tuple[AnyEffect, ...]) -> None:
    """Remember settings that are written into configuration files."""
    for each in found:
        if not isinstance(each, WriteFile) or not each.path.startswith("/etc/apt/"):
            continue
        written = f"{context.text} {context.standard_input or ''}"
        if _RECOMMENDS_OFF.search(written):
            context.remembered["APT_INSTALL_RECOMMENDS"] = "0"


def _after(texts: Sequence[str], *names: str) -> str:
    """Return the value of an option in a plain row of words."""
    for at, text in enumerate(texts):
        if text in names:
            return texts[at + 1] if at + 1 < len(texts) else ""
        for name in names:
            if text.startswith(f"{name}="):
                return text.partition("=")[2]
    return ""

