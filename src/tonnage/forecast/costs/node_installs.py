"""What an installation of packages for Node.js costs: from what registries tell, else from usual sizes. Pure.

Where a registry told nothing of a package, a usual size is put in its place: what a package of the large ones takes,
else what one takes on average, which holds for many together and not for one. What scripts of packages fetch when they
are installed stands in no metadata: known of the usual ones, of others assumed.

Source: measured with npm 10: 445 packages of a project with next, webpack, jest and typescript took 306 MB in 14,588
files and 356 MB of disk, 0.08 MB each without the six largest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.model.forecast.compression import Content
from tonnage.model.forecast.estimate import NOTHING, Estimate, Grade, assumed, total, weakest
from tonnage.model.forecast.node_packages import NodeSize
from tonnage.model.forecast.sized_effects import SizedEffect, WrittenBytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tonnage.model.forecast.node_packages import NodeInstall, NodePackage, NodeTarget

_MB = 1_000_000
_MOST_NAMED = 20
# npm and pnpm ask now and then whether there is a newer one. Source: npm 11 and pnpm 9 in builds, measured.
_NEWEST_NPM = Estimate(0, 3_900_000, 8 * _MB, Grade.DECLARED)
# Since version 22 npm has Node.js keep what it compiled of npm.
_COMPILE_CACHE = Estimate(0, 450_000, 6 * _MB, Grade.DECLARED)
# Megabytes unpacked of what is far above the average: at least and at most over versions of five years.
_LARGE = """
next 30 180 | typescript 30 75 | @next/swc-linux-x64-gnu 80 160 | @next/swc-linux-x64-musl 80 180
@next/swc-linux-arm64-gnu 80 160 | @next/swc-linux-arm64-musl 80 180 | @swc/core-linux-x64-gnu 25 70
@swc/core-linux-x64-musl 25 90 | @esbuild/linux-x64 7 13 | esbuild-linux-64 6 12 | googleapis 60 220
aws-sdk 60 110 | @prisma/client 1 90 | prisma 8 90 | @prisma/engines 1 120 | date-fns 5 40 | core-js 1 9
webpack 2 8 | sass 3 7 | @angular/core 4 30 | @angular/cli 1 5 | @mui/icons-material 15 60 | @mui/material 5 20
antd 20 70 | three 15 40 | @tensorflow/tfjs-node 10 500 | onnxruntime-node 50 350 | electron 1 4 | pdfjs-dist 8 50
monaco-editor 40 100 | @fortawesome/fontawesome-free 12 40 | lucide-react 8 40 | react-icons 30 100
plotly.js 40 110 | echarts 30 60 | firebase 10 40 | @aws-sdk/client-s3 2 8 | jsdom 3 8 | @babel/standalone 5 20
vite 2 6 | sharp 0 2 | rxjs 4 12 | @img/sharp-libvips-linux-x64 10 20 | @img/sharp-libvips-linuxmusl-x64 10 20
lodash 1 6 | moment 3 6 | puppeteer 0 4 | @nx/nx-linux-x64-gnu 5 20 | @sentry/cli-linux-x64 10 30
turbo-linux-64 15 50 | @rollup/rollup-linux-x64-gnu 2 4
"""
LARGE = {
    name: (int(low) * _MB, int(high) * _MB)
    for name, low, high in (entry.split() for entry in _LARGE.replace("\n", "|").split("|") if entry.strip())
}
# Megabytes that the script of a package fetches or makes, at most.
_SCRIPTS = {
    **dict.fromkeys(("puppeteer",), 700), "cypress": 900, "electron": 400, "playwright": 1500,
    "@tensorflow/tfjs-node": 900,
    "onnxruntime-node": 700, "phantomjs-prebuilt": 80, "chromedriver": 60, "node-sass": 60, "canvas": 80, "sharp": 40,
    "bcrypt": 15, "sqlite3": 30, "better-sqlite3": 60, "argon2": 15, "grpc": 90, "@prisma/engines": 200, "prisma": 200,
    "@prisma/client": 120, "@sentry/cli": 40, "ngrok": 40, "libpq": 15, "re2": 60, "node-gyp": 10, "@swc/core": 2,
    **dict.fromkeys(
        ("esbuild", "core-js", "core-js-pure", "husky", "fsevents", "protobufjs", "@nestjs/core", "nodemon", "vue-demi",
         "styled-components", "msgpackr-extract", "bufferutil", "utf-8-validate", "es5-ext", "lefthook",
         "simple-git-hooks",
         "@parcel/watcher", "unrs-resolver", "@biomejs/biome", "@tailwindcss/oxide", "less", "ejs", "parcel",
         "msw", "nx",
         "@apollo/protobufjs", "@firebase/util", "dtrace-provider", "highlight.js", "iltorb", "ssh2", "cpu-features",
         "workerd", "@scarf/scarf", "aws-sdk", "web3", "bigint-buffer", "secp256k1", "keccak", "leveldown",
         "classic-level"),
        10,
    ),
}  # fmt: skip


def chosen(lock: Sequence[NodePackage], install: NodeInstall, target: NodeTarget) -> tuple[NodePackage, ...]:
    """Return what of a lock is installed: for this platform, and without what is left out."""
    return tuple(
        each
        for each in lock
        if not (install.production and each.development)
        and not (install.without_optional and each.optional)
        and _fits(each.systems, target.system)
        and _fits(each.machines, target.machine)
        and (target.musl is None or _fits(each.libraries, "musl" if target.musl else "glibc"))
    )


def _fits(named: Sequence[str], own: str) -> bool:
    wanted = [each for each in named if not each.startswith("!")]
    return f"!{own}" not in named and (not wanted or own in wanted or "any" in wanted)


def installed(
    install: NodeInstall,
    packages: Sequence[NodePackage],
    sizes: Mapping[NodePackage, NodeSize],
    *,
    assume_bytes: int,
    doubtful: bool = False,
) -> SizedEffect:
    """Return what installing packages does."""
    place = f"{install.directory.rstrip('/')}/node_modules"
    untold = [each for each in packages if each not in sizes]
    told = [(each, _copies(sizes[each], each.copies, install.manager)) for each in packages if each in sizes]
    told += [(each, usual(each.name)) for each in untold if each.name in LARGE]
    told.sort(key=lambda each: -each[1].disk.likely_bytes)
    few = [each for each in untold if each.name not in LARGE]
    pieces = [
        _piece(f"{package.name} {package.version}", place, (size,), _source(package in sizes))
        for package, size in told[:_MOST_NAMED]
    ]
    rest = [size for _, size in told[_MOST_NAMED:]]
    if rest:
        pieces.append(_piece(f"{len(rest)} smaller packages", place, rest, "the registry"))
    if few:
        count = sum(1 if install.manager == "pnpm" else each.copies for each in few)
        pieces.append(_piece(f"{len(few)} packages", place, (usual_of(count),), "usual size of a package"))
    if install.fetches:
        pieces = [_elsewhere(each, install.cache) for each in pieces]
    else:
        pieces += _kept(install, pieces, packages)
        pieces += _of_scripts(install, packages, place, assume_bytes)
    if doubtful:
        pieces = [_doubted(each) for each in pieces]
    return SizedEffect(writes=tuple(pieces))


def usual(name: str) -> NodeSize:
    """Return what one of the large packages takes."""
    low, high = LARGE[name]
    likely = (low + high) // 2
    image = Estimate(low, likely, high, Grade.DECLARED)
    packed = Estimate(low // 8, likely // 4, high // 2, Grade.DECLARED)
    return NodeSize(image=image, disk=image.each(lambda each: each * 11 // 10), packed=packed)


def usual_of(count: int) -> NodeSize:
    """Return what so many packages take of which nothing is told: the fewer they are the less it says."""
    image = Estimate(10_000 * count, 130_000 * count, 700_000 * count + 60 * _MB, Grade.DECLARED)
    disk = image.each(lambda each: each * 5 // 4)
    return NodeSize(
        image=image, disk=disk, packed=Estimate(4_000 * count, 70_000 * count, image.high_bytes // 2, Grade.DECLARED)
    )


def _copies(size: NodeSize, copies: int, manager: str) -> NodeSize:
    """Return what a package takes that lies in several places; pnpm has them as other names of the same files."""
    if copies == 1 or manager == "pnpm":
        return size
    return NodeSize(
        image=size.image.each(lambda each: each * copies), disk=size.disk.each(lambda each: each * copies),
        packed=size.packed,
    )  # fmt: skip


def _source(told: bool) -> str:  # noqa: FBT001 - one word of its caller
    return "the registry" if told else "usual size"


def _piece(name: str, place: str, sizes: Iterable[NodeSize], source: str) -> WrittenBytes:
    sizes = tuple(sizes)
    packed = total(each.packed for each in sizes)
    # A layer compresses about as an archive of the registry does, a little less.
    compressed = Estimate(
        packed.low_bytes,
        packed.likely_bytes * 11 // 10,
        packed.high_bytes * 3 // 2,
        weakest((packed.grade, Grade.DECLARED)),
    )
    return WrittenBytes(
        name=name, place=place, image=total(each.image for each in sizes), disk=total(each.disk for each in sizes),
        compressed=compressed, download=packed, source=source,
    )  # fmt: skip


def _kept(install: NodeInstall, pieces: Sequence[WrittenBytes], packages: Sequence[NodePackage]) -> list[WrittenBytes]:
    """Return what stays in the program's cache, and what Node.js keeps of the program itself."""
    packed = total(each.download for each in pieces)
    unpacked = total(each.disk for each in pieces)
    if not unpacked.high_bytes:
        return []
    count = len(packages)
    asked = _NEWEST_NPM if install.manager in {"npm", "pnpm"} else NOTHING
    if install.manager == "npm":
        # Where the lock does not say where archives lie, it is asked for every package, and what it hears is kept.
        without = sum(1 for each in packages if not each.address)
        asked += Estimate(0, 30_000 * without, 400_000 * without + (5 * _MB if without else 0), Grade.DECLARED)
        size = Estimate(
            packed.low_bytes,
            packed.likely_bytes * 21 // 20 + 5 * 4096 * count,
            packed.high_bytes * 3 // 2 + 10 * _MB,
            Grade.DECLARED,
        )
    elif install.manager == "yarn":
        # Version 1 keeps every package unpacked and packed, newer ones an archive of each.
        size = Estimate(
            packed.low_bytes,
            packed.likely_bytes + unpacked.likely_bytes,
            2 * unpacked.high_bytes + packed.high_bytes,
            Grade.DECLARED,
        )
    elif install.manager == "pnpm":
        # Its files are other names of those in its store; what it knows of packages it keeps besides.
        size = Estimate(0, 3 * _MB, 60 * _MB, Grade.DECLARED)
    else:
        size = Estimate(0, unpacked.likely_bytes, unpacked.high_bytes + 20 * _MB, Grade.DECLARED)
    grade = weakest((size.grade, packed.grade, unpacked.grade))
    size = Estimate(size.low_bytes, size.likely_bytes, size.high_bytes, grade)
    if install.manager == "npm":
        size += asked
    name = f"cache of {install.manager}"
    return [
        WrittenBytes.of_size(name, install.cache, size, "kept in the layer", download=asked, content=Content.PACKED),
        WrittenBytes.of_size("compile cache of Node.js", "/tmp/node-compile-cache", _COMPILE_CACHE, "usual size"),  # noqa: S108 - in the image
    ]


def _of_scripts(
    install: NodeInstall, packages: Sequence[NodePackage], place: str, assume_bytes: int
) -> list[WrittenBytes]:
    """Return what the scripts of packages write."""
    if not install.scripts:
        return []
    told = [each for each in packages if each.scripts or each.name in {"puppeteer", "cypress", "electron"}]
    most = sum(_SCRIPTS.get(each.name, 0) for each in told) * _MB
    found = []
    if most:
        names = ", ".join(sorted({each.name for each in told if each.name in _SCRIPTS}))
        size = Estimate(0, most // 3, most, Grade.DECLARED)
        found.append(WrittenBytes.of_size(f"scripts of {names[:60]}", place, size, "usual size", download=size))
    others = sorted({each.name for each in told if each.name not in _SCRIPTS})
    if others:
        bound = assumed(assume_bytes)
        size = Estimate(0, min(len(others) * 5 * _MB, bound.likely_bytes), bound.high_bytes, Grade.UNKNOWN)
        names = ", ".join(others)
        found.append(
            WrittenBytes.of_size(
                f"scripts of {names[:60]}", place, size, "what they write is not reported: assumed", download=size
            )
        )
    return found


def _doubted(piece: WrittenBytes) -> WrittenBytes:
    def weak(each: Estimate) -> Estimate:
        return Estimate(0, each.likely_bytes, each.high_bytes * 2, Grade.UNKNOWN) if each.high_bytes else each

    return replace(piece, image=weak(piece.image), disk=weak(piece.disk), download=weak(piece.download))


def _elsewhere(piece: WrittenBytes, place: str) -> WrittenBytes:
    return replace(piece, place=place) if piece.image is not NOTHING else piece
