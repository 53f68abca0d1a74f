"""What package managers of other systems and languages install, build, and remove of their caches.

Source: the manual of each for what it calls installing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.forecast.commands.cheap_commands import cheap, option_of, write
from tonnage.lazily import regex
from tonnage.model.forecast.effects import PACKAGES_OF, Nothing, OtherInstall, Remove, Source
from tonnage.model.forecast.estimate import Estimate, Grade

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.forecast.commands.context import Context
    from tonnage.model.forecast.effects import AnyEffect
    from tonnage.model.forecast.shell_script import Word

# Managers, and the words that mean installing to them.
_MANAGERS: dict[str, frozenset[str]] = {
    name: frozenset(actions.split())
    for names, actions in (
        ("apk", "add upgrade update"),
        ("dnf", "install groupinstall upgrade update reinstall group makecache"),
        ("microdnf", "install update upgrade makecache"),
        ("yum", "install groupinstall update upgrade localinstall makecache"),
        ("zypper", "install in update up dup"),
        ("pacman", "-S -Sy -Syu -Syyu -U"),
        ("opkg gem bundle brew snap luarocks playwright", "install"),
        ("corepack", "prepare install use"),
        ("conda mamba micromamba", "install create env update"),
        ("pixi", "install add"),
        ("cargo", "install fetch build"),
        ("go", "install get mod build"),
        ("composer", "install require"),
        ("Rscript", "-e"),
        ("cpanm", ""),
        ("rustup", "toolchain target component"),
        ("rpm", "-i -U -ivh -Uvh --install"),
    )
    for name in names.split()
}
_VALUED = frozenset({
    "-t", "--virtual", "--repository", "-X", "--prefix", "-n", "--name", "-c", "--channel", "-f", "--file", "--repo",
    "--enablerepo", "--disablerepo", "--setopt", "-p", "--registry", "--root", "--target", "--version",
})  # fmt: skip
_GO_VALUED = frozenset({
    "o", "p", "mod", "modfile", "ldflags", "tags", "gcflags", "asmflags", "buildmode", "overlay", "pkgdir",
})  # fmt: skip
_LEADING = frozenset({"--prefix", "--cwd", "-C", "--dir", "--root", "--installroot", "--repository", "-X", "--arch"})
_FILES = frozenset({"-f", "--file"})
_CLEANS = frozenset({"clean", "cache", "autoclean", "purge"})
_WITHOUT_FILES = frozenset({"", "info", "list", "search", "version", "env", "activate", "shell"})
_FETCHES = frozenset({("bundle", "cache"), ("apk", "cache")})
_SETS = frozenset({"config", "set", "init", "enable", "disable", "config-manager"})
_OF_TWO_WORDS = frozenset({"env", "mod", "toolchain", "target", "component", "group"})
_APK_GROUPS = ("--virtual", "-t")
# No path of an image: only what the manager itself removes frees it.
_OF_APK, _OF_RPM = f"{PACKAGES_OF}apk", f"{PACKAGES_OF}rpm"
_RPM = frozenset({"dnf", "microdnf", "yum", "zypper", "rpm"})
# Each of these writes its database of what is installed as a whole. What a removal leaves besides, scripts of packages
# wrote: accounts, caches of fonts, lists of certificates. Source: 90 to 300 bytes of apk's for each file that is there.
DATABASES = {
    "apk": ("/lib/apk/db/installed", Estimate(0, 150_000, 4_000_000, Grade.DECLARED)),
    **dict.fromkeys(_RPM, ("/usr/lib/sysimage/rpm/rpmdb.sqlite", Estimate(0, 12_000_000, 90_000_000, Grade.DECLARED))),
}
_RPM_INSTALLS = regex(r"-[vh]*[iUF][vhiUF]*|--(?:install|upgrade|freshen)")
_RPM_CHANGES = regex(r"-[vh]*e[vh]*|--(?:erase|import|rebuilddb|initdb)")
_CACHES = {
    "apk": ("/var/cache/apk/*", "/etc/apk/cache/*"),
    **dict.fromkeys(("dnf", "yum", "microdnf"), ("/var/cache/dnf/*", "/var/cache/yum/*", "/var/cache/libdnf5/*")),
    **dict.fromkeys(("conda", "mamba", "micromamba"), ("/opt/conda/pkgs/*", "/root/*conda3/pkgs/*",
    "/root/micromamba/pkgs/*")),
    "composer": ("/root/.composer/cache/*", "/root/.cache/composer/*"),
}  # fmt: skip
_REMOVES = frozenset({"del", "remove", "uninstall", "erase", "rm", "prune", "autoremove"})


def manages(program: str) -> bool:
    """Return whether a program is another package manager that is known by name."""
    return program in _MANAGERS


def other_manager(context: Context, program: str, words: Sequence[Word]) -> tuple[AnyEffect, ...]:
    """Read another package manager; ``words`` are those after the program."""
    texts = [word.text for word in words]
    actions = (
        text
        for before, text in zip(["", *texts], texts, strict=False)
        if text in _MANAGERS[program] or not (text.startswith("-") or before in _LEADING)
    )
    action = next(actions, "")
    if not action and program == "bundle" and not {"--version", "--help"} & set(texts):
        action = "install"
    if program == "rpm":
        action = next((text for text in texts if _RPM_INSTALLS.fullmatch(text)), "")
        if any(map(_RPM_CHANGES.fullmatch, texts)):
            action = "erase"
    if (quiet := _without_installing(context, program, action, texts)) is not None:
        return quiet
    rest = texts[texts.index(action) + 1 :] if action in texts else texts
    if action in _OF_TWO_WORDS:
        action, rest = f"{action} {rest[0] if rest else ''}".strip(), rest[1:]
    packages, files, group = _named(context, program, rest)
    within = f"{_OF_APK}/{group}".rstrip("/") if program == "apk" else _OF_RPM if program in _RPM else ""
    if (program, action) == ("go", "build") and (output := option_of(texts, "-o", "--o").lstrip("=")):
        # What is built goes there; caches beside it are counted with it.
        within = context.absolute(output)
    if program == "bundle":
        within = _gems(context, texts)
    install = OtherInstall(
        **context.shared,
        manager=program,
        action=action,
        packages=packages,
        files=files,
        directory=context.absolute("."),
        within=within,
        one_place=not within.startswith(PACKAGES_OF) or bool(group),
        keeps_cache="--no-cache" not in texts,
    )
    return (install,)


def _gems(context: Context, texts: Sequence[str]) -> str:
    """Return where Bundler installs gems to: as it is told, else where images of Ruby have them."""
    told = option_of(texts, "--path", "--path") or context.setting("BUNDLE_PATH")
    deployed = "--deployment" in texts or context.on("BUNDLE_DEPLOYMENT")
    return context.absolute(told or "vendor/bundle") if told or deployed else "/usr/local/bundle"


def _bundle_config(context: Context, texts: Sequence[str]) -> None:
    """Remember what ``bundle config`` says of where gems go."""
    words = [text for text in texts if not text.startswith("-") and text not in {"config", "set"}]
    if len(words) > 1 and words[0] in {"path", "deployment"}:
        context.remembered[f"BUNDLE_{words[0].upper()}"] = words[1]


def _without_installing(
    context: Context, program: str, action: str, texts: Sequence[str]
) -> tuple[AnyEffect, ...] | None:
    """Return what a command does that installs nothing; None for one that does."""
    if (program, action) == ("bundle", "config"):
        _bundle_config(context, texts)
    if action in _REMOVES and program in DATABASES:
        return _removed(context, program, [text for text in texts if not text.startswith("-") and text != action])
    if program in _CACHES and (action == "clean" or (action == "cache" and "download" not in texts)):
        return (Remove(**context.shared, paths=_CACHES[program]),)
    if action in _MANAGERS[program] or (program == "rpm" and action):
        return None
    if (program, action) in _FETCHES:
        return (context.opaque(f"{program} {action} fetches packages"),)
    if action in _REMOVES or action in _SETS:
        return (cheap(context),)
    if action in _CLEANS or action in _WITHOUT_FILES:
        return (Nothing(**context.shared),)
    return (context.opaque(f"{program} {action} runs a program"),) if _MANAGERS[program] else None


def _removed(context: Context, program: str, names: Sequence[str]) -> tuple[AnyEffect, ...]:
    """Return what removing packages of the system does: its manager writes down what is left.

    What came along with them goes with apk; those of rpm keep it where it replaced what was there, or something else
    needs it.
    """
    path, size = DATABASES[program]
    noted = write(context, path, Source(text=size))
    if program == "apk":
        return (Remove(**context.shared, paths=tuple(f"{_OF_APK}/{name}" for name in names)), noted)
    paths = tuple(f"{_OF_RPM}/{name}" for name in names) or (_OF_RPM,)
    return (Remove(**context.shared, paths=paths, found=True, sure=False), noted)


def _named(context: Context, program: str, rest: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...], str]:
    """Return packages and files that are named, and the group that apk puts them into."""
    packages: list[str] = []
    files: list[str] = []
    group = ""
    waiting = iter(rest)
    for text in waiting:
        name, equals, value = text.partition("=")
        if program == "apk" and name in _APK_GROUPS:
            group = value if equals else next(waiting, "")
        elif text in _FILES:
            files += [context.absolute(each) for each in (next(waiting, ""),) if each]
        elif text in _VALUED or (program == "go" and text.lstrip("-") in _GO_VALUED):
            next(waiting, "")
        elif not text.startswith("-"):
            packages.append(text)
    return tuple(packages), tuple(files), group
