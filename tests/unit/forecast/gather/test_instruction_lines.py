"""Lines of shell, and what they are forecast to write: rightly sized, or unknown with a bound; never 0 in silence.

The context has ``big`` (3,000,017 bytes), ``small``, a directory ``d`` of 3,500,011 bytes, and archives: in ``/src``.
"""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from typing import TYPE_CHECKING

import pytest
from tests.forecasts.stacks import FactImage, FactLookups, Facts

from tonnage.forecast.gather.context import ForecastContext
from tonnage.forecast.gather.services import forecast_services
from tonnage.model.forecast.estimate import KILOBYTES, Grade
from tonnage.model.stack import BuildSpec, Service

if TYPE_CHECKING:
    from pathlib import Path

    from tonnage.model.forecast.estimate import Estimate

BIG, ONE, TWO = 3_000_017, 2_000_003, 1_500_008
DIRECTORY = ONE + TWO
BOUND = 77_000_003
FETCHED = 40_000_003
FACTS = Facts(
    images={"base": FactImage(layers=[100_000_007], python="3.11")},
    addresses={"https://example.org/big.bin": FETCHED, "https://example.org/a.tgz": 5_000_011},
)

# What is known to the byte.
EXACT = {
    "cat big > other": BIG,
    "cp d/* /opt/ && cp /opt/one /srv/": DIRECTORY + ONE,
    "cp d/* /opt/ && rm /opt/one": TWO,
    "mkdir /w && cp d/*o* /w && mv /w/one /w/x && cp -r /w /v": 2 * DIRECTORY,
    "mv d/* /opt/ && cp /opt/one /srv/": DIRECTORY + ONE,
    "cp -r d /w && mv /w/one /x && rm /x": TWO,
    "cp -r d /w && mv /w/one /x && rm -r /w": ONE,
    "tar c -C d . | tar x -C /opt": DIRECTORY,
    "tar c d | tar x -C /opt": DIRECTORY,
    "tar czf - d | tar -xzC /opt": DIRECTORY,
    "(cd d && tar c one) | tar xv -C /opt": ONE,
    "tar cf - d/one d/two | (tar xf - -C /opt)": DIRECTORY,
    "for f in d/*; do cp $f /opt/; done": DIRECTORY,
    'for f in d/*; do cp "$f" /opt/; rm $f; done': DIRECTORY,
    "for f in d/*; do chmod 600 $f; done": DIRECTORY,
    "for i in $(seq 3); do cp big $i; done": 3 * BIG,
    "for i in $(seq 2 3); do cp big $i; done": 2 * BIG,
    "trap 'rm -f /opt/x' EXIT; cp big /opt/x; cp d/one /opt/y": ONE,
    "trap 'rm -f /opt/x' EXIT; cp big /opt/x; trap - EXIT": BIG,
    "trap 'rm -f /opt/x' INT; cp big /opt/x": BIG,
    "(trap 'rm -f /opt/x' EXIT); cp big /opt/x": BIG,
    "if [ -f /x ]; then trap 'rm -f /opt/x' EXIT; fi; cp big /opt/x": BIG,
    "set -e; trap 'rm -f /opt/x' EXIT; cp big /opt/x; exit 0": 0,
    "cat < big > other": BIG,
    "cat big big > other": 2 * BIG,
    "cat big >> other": BIG,
    "cat d/* > all": DIRECTORY,
    "cat big | tee other": BIG,
    "cat big | tee -a other > /dev/null": BIG,
    "tee other < big": BIG,
    "tee one two < big": 2 * BIG,
    "bash -c 'cat big > x'": BIG,
    "env X=1 nice cat big > x": BIG,
    "for each in 1 2 3; do cat big > $each; done": 3 * BIG,
    "(cat big; cat big) > x": BIG * 2,
    "cat big > x && mv x /opt/x": BIG,
    "cp big x": BIG,
    "cp -a d /opt/d": DIRECTORY,
    "mkdir /k && cp --parents d/one d/two /k && cp d/one /k": DIRECTORY + ONE,
    "rsync -avz --progress d/ /opt/d": DIRECTORY,
    "install -m 755 big /usr/local/bin/x": BIG,
    "mv big x": BIG,
    "ln big x": BIG,
    "cp -l big x": BIG,
    "cp big /opt/x && cp -l /opt/x /opt/y": BIG,
    "cp big /opt/x && cp -l /opt/x /opt/y && sed -i s/a/b/ /opt/y": 2 * BIG,
    "cp big /opt/x && ln /opt/x /opt/y && sed -i s/a/b/ /opt/x": 2 * BIG,
    "cp big /opt/x && ln /opt/x /opt/y && sed -i s/a/b/ /opt/x /opt/y": 2 * BIG,
    "sed -i s/a/b/ big": BIG,
    "sed -i -e s/a/b/ -e 's#/c#/d#g' big": BIG,
    "sed -i.bak s/a/b/ big": 2 * BIG,
    "sed -ie s/a/b/ big": 2 * BIG,
    "wget -nc https://example.org/big.bin; wget https://example.org/big.bin": FETCHED,
    "touch big": BIG,
    "chmod 600 big": BIG,
    "wget https://example.org/big.bin": FETCHED,
    "wget -O out https://example.org/big.bin": FETCHED,
    "curl -o out https://example.org/big.bin": FETCHED,
    "curl -sSLO https://example.org/big.bin": FETCHED,
    "curl https://example.org/big.bin > out": FETCHED,
    "curl https://example.org/big.bin | tee out": FETCHED,
    "curl https://example.org/big.bin | cat > out": FETCHED,
    "echo more >> big": BIG + 5,
    "echo x > /etc/y": 2,
    "echo x | tee -a /etc/y": 2,
    "fallocate -l 5M f": 5 * 1024**2,
    "head -c 5MB < /dev/urandom > f": 5_000_000,
    "head -c 5000000 /dev/zero > f": 5_000_000,
    "dd if=/dev/zero of=f bs=1M count=5": 5 * 1024**2,
}
# What is known within bounds: the least and the most.
DECLARED: dict[str, tuple[int, int]] = {
    "truncate --size=5M f g": (0, 10 * 1024**2),
    "truncate -s 5M f": (0, 5 * 1024**2),
    "sed -i s/a/bbb/ big": (BIG, 3 * BIG),
    "sed -i 's/abc/x/' big": (BIG // 3, BIG),
    "sed -i -e '/x/d' -e s/y/zz/ big": (0, 2 * BIG),
    "sed -i -f small big": (0, 10 * BIG),
    "cp big x && sed -i s/a/bb/ x": (BIG, 2 * BIG),
    "cat -n big > out": (0, 8 * BIG),
    "sort big > out": (0, BIG),
    "sort -o out big": (0, BIG),
    "grep x big > out": (0, BIG),
    "head -n 3 big > f": (0, BIG),
    "dd if=/dev/stdin of=f bs=1M count=5": (0, 5 * 1024**2),
    "echo -n x > /etc/y": (0, 5),
    "printf 'x%s' a b > /etc/y": (0, 8),
    "cat <<EOF > /etc/y\nx\nEOF": (0, 2),
    "[ -f /x ] && echo x > /etc/y": (0, 2),
    "if [ -f /x ]; then echo x; else echo yy; fi > /etc/y": (0, 5),
    "ln -s a b && ldconfig && update-ca-certificates": (0, 500_000),
    'echo "deb $(. /etc/os-release && echo $NAME) main" > /etc/apt/sources.list': (0, 4_096),
    "head -c 5000000 big > f": (0, 5_000_000),
    "sed s/a/b/ big > out": (0, BIG),
    "tr a b < big > out": (0, BIG),
    "cat big | sed s/a/b/ | tee out": (0, BIG),
    "cat small | base64 | tee -a big": (BIG, BIG),
    "base64 big > out": (0, BIG * 4 // 3),
    "gzip big": (0, BIG),
    "gzip -c big > out": (0, BIG),
    "tar cf x.tar d": (0, DIRECTORY),
    "tar czf x.tgz -C d .": (0, DIRECTORY),
    "tar xf a.tar": (0, DIRECTORY),
    "tar xf a.tar -C /opt --strip-components=1": (0, DIRECTORY),
    "cat /usr/lib/x.so > other": (0, 4096),
    "cat /etc/passwd > other": (0, 4096),
    'echo "$(date)" > x': (0, 30),
    'echo "$(cat big)" > x': (0, BIG),
}
# What nobody knows: from nothing, or from what is known of it, to the assumed bound.
UNKNOWN = (
    "some-program > other",
    "some-program | tee other",
    "some-program | sort > other",
    "some-program | gzip > other.gz",
    "cat $(find / -name big) > other",
    "cat $MISSING/big | some-filter > other",
    "yes > f",
    "seq 1 1000000000 > f",
    "printf '%0500000000d' 0 > f",
    "dd if=/dev/zero of=f",
    "openssl rand -out f 5000000",
    "awk '{ print }' big > out",
    "xxd big out",
    "dd if=/dev/zero of=f bs=1M count=0 seek=5",
    "dd if=big of=f",
    "truncate -s +5M big",
    "while true; do cat big >> x; done",
    "if [ -f /x ]; then cat big > y; fi",
    "awk 'BEGIN { while (n++ < 1e9) print n > \"/x\" }'",
    "awk 'BEGIN { while (n++ < 1e9) print n }' > x",
    "dpkg -x unknown.deb /opt",
    "dpkg-deb --extract unknown.deb /opt",
    "tar xf a.tgz",
    "tar xzf a.tgz -C /opt",
    "tar xz < a.tgz",
    "cat a.tgz | tar xz",
    "tar xf unknown.tgz",
    "tar c d | some-program",
    "unzip unknown.zip",
    "gzip -d big.gz",
    "gunzip -c big.gz > out",
    "zcat big.gz > out",
    "xz -d x.xz",
    "cp -r /usr/lib x",
    "mv /usr/lib/x /opt/x",
    "chown -R 1000 /usr",
    "git clone https://example.org/x.git",
    "git clone --depth 1 https://example.org/x.git && rm -rf x/.git",
    "git submodule update --init",
    "wget https://example.org/unknown",
    "wget -r https://example.org/",
    "curl -O https://example.org/unknown",
    "curl -K list",
    "curl -L https://example.org/a.tgz | tar xz",
    "curl -L https://example.org/install.sh | sh",
    'bash -c "$(curl -L https://example.org/install.sh)"',
    'echo "$(curl https://example.org/unknown)" > x',
    "npm ci",
    "npm install && npm run build",
    "go build ./...",
    "go mod download",
    "make",
    "make -j4 install",
    "cargo build --release",
    "./gradlew build",
    "python train.py",
    "sh ./script.sh",
    "find . -name '*.txt' -exec install {} /opt \\;",
    "find -L . -name '*.txt' -exec cp {} /opt \\;",
    "find . -name '*.txt' | grep x | xargs cp -t /opt",
    "find . -name '*.txt' | xargs install -t /opt",
    "for f in d/*; do cp $f /opt/same; done",
    "for f in d/*; do cat $f > /opt/last; done",
    "for f in d/*; do [ -x $f ] || cp $f /opt/; done",
    "for f in d/*; do case $f in d/o*) cp big /opt/;; esac; done",
    "for f in d/*; do cp big /opt/$(basename $f); done",
    "for i in $(seq 100000); do cp big $i; done",
    "for i in $(seq $N); do cp big $i; done",
    "tar c -C d . | ssh host tar x",
    "some-program | tar x -C /opt",
    "find . -name one -exec cp {} /opt \\; -delete",
    "cp -b big d/one",
    "find . -type f | xargs cat > all",
    "useradd -m -k /src x",
    "useradd -u $NUMBER x",
    "usermod -u 1001 x",
    "usermod -d /opt/home -m x",
    "cat /dev/zero > f",
    "head -n 3 /dev/zero > f",
    "sort -t x -k 2n < /dev/zero > f",
    "some-program | sort -k 2n > f",
    "echo x | some-generator > f",
    'echo "$(some-generator)" > f',
    'echo "$(base64 big)" > f',
    "find / -printf '%p' > f",
    "apt-cache dump > f",
    "while true; do echo x >> f; done",
    "openssl enc -in big -out f",
)
# What leaves no byte of a file in the layer, and is known to.
NOTHING = (
    "true",
    "cat big",
    "cat big > /dev/null",
    "cat big >&2",
    "ln -s big x",
    "cp big /tmp/x && rm /tmp/x",
    "rm -r d",
    "cp big /dev/null",
    "find . -name one -print -delete",
    "truncate -s 0 f",
    "curl -L https://example.org/big.bin",
    "tar tf a.tgz",
)


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("lines") / "context"
    (made / "d").mkdir(parents=True)
    for name, size in (("big", BIG), ("d/one", ONE), ("d/two", TWO)):
        (made / name).write_bytes(os.urandom(size))
    (made / "small").write_text("x\n")
    for name, mode in (("a.tar", "w"), ("a.tgz", "w:gz")):
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode=mode) as archive:  # type: ignore[call-overload]
            archive.add(made / "d", "d")
        (made / name).write_bytes(packed.getvalue())
    (made / "big.gz").write_bytes(gzip.compress((made / "big").read_bytes()))
    return made


def forecast(context: Path, line: str, cache: Path) -> Estimate:
    (context / "Dockerfile").write_text(f"FROM base\nWORKDIR /src\nCOPY . .\nRUN {line}\n")
    build = BuildSpec(context=str(context), dockerfile=str(context / "Dockerfile"))
    service = Service(name="web", image="web", build=build)
    with FactLookups(FACTS, cache) as lookups:
        [found] = forecast_services([service], ForecastContext(assume_bytes=BOUND), lookups)
    assert found.found_out
    return found.steps[-1].image


@pytest.mark.parametrize("line", EXACT)
def test_what_is_known_is_known_to_the_byte(context: Path, tmp_path: Path, line: str) -> None:
    told = forecast(context, line, tmp_path)

    assert told.grade is Grade.EXACT
    assert (told.low_bytes, told.likely_bytes, told.high_bytes) == (EXACT[line],) * 3


@pytest.mark.parametrize("line", DECLARED)
def test_what_depends_on_what_goes_in_has_its_bounds(context: Path, tmp_path: Path, line: str) -> None:
    told = forecast(context, line, tmp_path)
    least, most = DECLARED[line]

    assert told.grade is Grade.DECLARED or told.weaker
    assert told.low_bytes <= least + DIRECTORY
    assert told.likely_bytes > 0
    assert most <= told.high_bytes < BOUND


@pytest.mark.parametrize("line", UNKNOWN)
def test_what_nobody_knows_has_the_bound(context: Path, tmp_path: Path, line: str) -> None:
    told = forecast(context, line, tmp_path)

    assert told.grade is Grade.UNKNOWN
    assert told.high_bytes >= min(BOUND, 3_000_000)
    assert told.likely_bytes > 0


@pytest.mark.parametrize(
    ("line", "most"),
    [
        ("cp -n big x", BIG),
        ("cp -u big x", BIG),
        ("rsync -a --exclude one d/ /opt/d", DIRECTORY),
        ("find d -name one -exec cp {} /opt \\;", DIRECTORY),
        ("find d -type f -exec cp -t /opt {} +", DIRECTORY),
        ("find d -name one | xargs cp -t /opt", DIRECTORY),
        ("find d -type f -print0 | xargs -0 -I{} cp {} /opt/", DIRECTORY),
        ("find d -type f -exec mv {} /opt \\;", DIRECTORY),
        ("tar c --exclude=one -C d . | tar x -C /opt", DIRECTORY),
    ],
)
def test_what_may_leave_out_files_is_told_within_bounds(context: Path, tmp_path: Path, line: str, most: int) -> None:
    told = forecast(context, line, tmp_path)

    assert (told.low_bytes, told.high_bytes) == (0, most)
    assert told.grade is not Grade.EXACT


def test_what_is_given_to_a_program_that_only_tells_is_of_no_weight(context: Path, tmp_path: Path) -> None:
    listing = "find / -name x -exec ldd {} + | awk '/=>/' | xargs -r dpkg-query --search"
    assert (
        forecast(context, f"{listing} | cut -d: -f1 | xargs apt-mark manual", tmp_path).high_bytes
        <= KILOBYTES.high_bytes
    )


@pytest.mark.parametrize("line", NOTHING)
def test_what_writes_nothing_is_known_to(context: Path, tmp_path: Path, line: str) -> None:
    told = forecast(context, line, tmp_path)

    assert (told.high_bytes, told.grade) == (0, Grade.EXACT)


@pytest.mark.parametrize(
    ("line", "least_bytes"),
    [("useradd -m x", 1), ("useradd -u 100000 x", 1), ("ldconfig", 1), ("adduser x", 1)],
)
def test_records_of_the_system_are_written_anew(context: Path, tmp_path: Path, line: str, least_bytes: int) -> None:
    told = forecast(context, line, tmp_path)

    assert told.low_bytes == 0
    assert told.likely_bytes >= least_bytes
