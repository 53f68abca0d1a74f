"""Intent: whatever may be shared makes the same image when it is; what may not be is not, and the reason is said.

Steps: for each service of ``shared_cases`` ask what of it may be shared; build an image of just that, the service on
it, and the service as it is written.
State checked: every file of both images with its kind, mode, owner and content; the layers in common.
"""

from __future__ import annotations

import hashlib
import re
import tarfile
import tempfile
from threading import Event
from typing import IO, TYPE_CHECKING, Any, cast

import pytest
from msgspec.structs import replace
from tests.scenarios.shared_cases import CASES
from tests.scenarios.vision_stack import base_image, why_there_is_no_base_image

from tonnage.adapters.docker.acts import DockerActs
from tonnage.adapters.docker.tools import Tools
from tonnage.decide.share.images import labels_of, shared_images, spec_of
from tonnage.flows.deploy import make_plan
from tonnage.flows.requests import StackFlags
from tonnage.flows.stack import read_wanted
from tonnage.model.deploy.plan import Purpose
from tonnage.runtime.deploy.observe import observe
from tonnage.wiring.ports import Ports

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.real_engine import RealEngine
    from tests.scenarios.driving import Project

    from tonnage.model.deploy.sharing import WheelOffer
    from tonnage.model.stack import BuildSpec

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(bool(why_there_is_no_base_image()), reason=why_there_is_no_base_image()),
]
# What may differ: who installed it, its record, what was asked for by name, bytecode, pip's cache, and the heads of
# commands.
OTHERWISE = re.compile(r".*\.dist-info/(INSTALLER|RECORD|REQUESTED)|.*\.pyc|.*/__pycache__|root/\.cache(/.*)?")
COMMANDS = "usr/local/bin/"
_IN_ENVIRONMENT = re.compile(r"(?:^|/)\.?v[a-z]*/bin/[^/]+$")
# What every run of a container writes.
_ALWAYS = ("dev/", "proc/", "sys/", "etc/hostname", "etc/hosts", "etc/resolv.conf", ".dockerenv")


class Yard:
    """An engine, and builds on it as Tonnage makes them."""

    def __init__(self, engine: RealEngine, project: Project) -> None:
        self.engine = engine
        self.project = project
        environment = {**project.environment, "DOCKER_HOST": engine.endpoint}
        self.ports = Ports(environment)
        self.acts = DockerActs(engine.connection, Tools(engine.environment), engine.environment)
        self.known: dict[str, tuple[Any, ...]] = {}

    def offers(self) -> tuple[dict[str, WheelOffer], dict[str, BuildSpec]]:
        """Return what of each service may be shared, and how it is built."""
        # A plan gives up what takes long; what was asked once is at hand.
        asked = self.project.tonnage("forecast")
        assert asked.exit_code == 0, asked.stderr
        flags = StackFlags(files=(str(self.project.directory / "compose.yaml"),))
        wanted = read_wanted(self.ports, flags)
        with self.ports.engines.facts("") as facts:
            plan = make_plan(self.ports, facts, Purpose.BUILD, wanted, explains_sharing=True)
            self.inventory = observe(facts, ())
        assert plan.sharing is not None
        specs = {each.name: each.build for each in wanted.stack.services if each.build is not None}
        return {offer.service: offer for offer in plan.sharing.offers}, specs

    def build(self, spec: BuildSpec, reference: str, labels: Mapping[str, str] | None = None) -> None:
        """Build an image."""
        said: list[str] = []
        try:
            self.acts.build(spec, reference, labels or {}, progress=Said(said), cancel=Event())
        except Exception as error:
            error.add_note("\n".join(said[-30:]))
            raise

    def files(self, image: str) -> dict[str, tuple[Any, ...]]:
        """Return every file of an image: its kind, mode, owner, and what it holds or leads to."""
        made = self.engine.client.containers.create(image)
        found: dict[str, tuple[Any, ...]] = {}
        try:
            with tempfile.TemporaryFile() as written:
                for piece in made.export():
                    written.write(cast("bytes", piece))
                written.seek(0)
                with tarfile.open(fileobj=written) as archive:
                    for each in archive:
                        if not each.name.startswith(_ALWAYS):
                            found[each.name] = self._told(archive, each)
        finally:
            made.remove()
        return found

    def _told(self, archive: tarfile.TarFile, each: tarfile.TarInfo) -> tuple[Any, ...]:
        told = (each.type, oct(each.mode), each.uid, each.gid)
        # Most files are those of the image below, which are not read again and again.
        same = (*told, each.size, each.mtime, each.linkname)
        if self.known.get(each.name, ())[: len(same)] == same:
            return self.known[each.name][len(same) :]
        held = cast("IO[bytes]", archive.extractfile(each)).read() if each.isfile() else b""
        if each.name.startswith(COMMANDS) and held.startswith(b"#!"):
            held = _command(held)
        elif _IN_ENVIRONMENT.search(each.name) and held.startswith(b"#!"):
            # Which interpreter runs it is what an environment is for.
            held = held.partition(b"\n")[0] + b"\n" + _command(held)
        content = hashlib.sha256(held).hexdigest() if each.isfile() else each.linkname
        self.known.setdefault(each.name, (*same, *told, content))
        return (*told, content)

    def layers(self, image: str) -> list[str]:
        """Return the layers of an image."""
        return cast("list[str]", self.engine.client.images.get(image).attrs["RootFS"]["Layers"])


def _command(held: bytes) -> bytes:
    """Return of a command what has to be the same: pip and uv name the interpreter, and call it, differently."""
    _, *lines = held.splitlines()
    if b"sys.argv[0]" in held:
        lines = [line for line in lines if b"import" in line and line != b"import re"]
    return b"\n".join(lines)


class Said:
    """Keeps what a build says."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines

    def log(self, line: str) -> None:
        """Keep a line."""
        self._lines.append(line)

    def at(self, where: str) -> None:
        """Keep nothing."""


def compare(yard: Yard, name: str, offer: WheelOffer, spec: BuildSpec) -> str:
    """Build a service both ways; return what differs, empty for nothing."""
    # Whether it pays is not the question here.
    twins = [replace(offer, service=each, layers=(), inner=False) for each in (name, "twin")]
    uv = yard.ports.programs.uv(yard.inventory.engine.architecture)
    assert uv is not None
    [image] = shared_images(twins, yard.inventory, earns_bytes=1).images
    yard.build(spec_of(image, uv[0].rpartition("/")[0]), image.reference, dict(labels_of(image)))
    yard.build(replace(spec, bases=((offer.base, image.reference),), base_line=offer.base_line), f"shared-{name}")
    yard.build(spec, f"alone-{name}")
    below = yard.layers(image.reference)
    if (yard.layers(f"shared-{name}")[: len(below)] == below) is offer.inner:
        return "the image consists of the shared one" if offer.inner else "it does not stand on the shared image"
    alone, shared = yard.files(f"alone-{name}"), yard.files(f"shared-{name}")
    for each in (image.reference, f"alone-{name}", f"shared-{name}"):
        yard.engine.client.images.remove(each)
    odd = [one for one in {*alone, *shared} if alone.get(one) != shared.get(one) and not OTHERWISE.fullmatch(one)]
    return "\n    ".join(f"{one}: {alone.get(one)} alone, {shared.get(one)} shared" for one in sorted(odd)[:9])


def check(engine: RealEngine, project: Project, names: list[str]) -> None:
    """Compare each of some cases; all that is wrong is told at once."""
    with open(base_image(), "rb") as archive:  # noqa: PTH123 - as text
        engine.client.images.load(archive)
    major = int(str(engine.client.version()["Version"]).split(".")[0])
    names = [name for name in names if CASES[name].since <= major]
    for name in names:
        CASES[name].write(project.directory / name)
        project.services[name] = {"build": {"context": f"./{name}", **CASES[name].keys}}
    project.write()
    yard = Yard(engine, project)
    offers, specs = yard.offers()
    wrong: list[str] = []
    for name in names:
        case, offer = CASES[name], offers[name]
        wheels = {wheel.name for wheel in offer.wheels}
        why = "; ".join(f"{each.what}: {each.why}" for each in offer.apart)
        if case.why and (wheels or case.why not in why):
            wrong.append(f"{name}: must not be shared for {case.why}, but {sorted(wheels)}: {why}")
        elif not case.shares <= wheels or wheels & case.alone:
            wrong.append(f"{name}: shares {sorted(wheels)}: {why}")
        elif wheels and (odd := compare(yard, name, offer, specs[name])):
            wrong.append(f"{name}:\n    {odd}")
    assert not wrong, "\n".join(wrong)


def test_services_on_shared_wheels_hold_what_they_hold_alone(engine: RealEngine, project: Project) -> None:
    check(engine, project, [name for name, case in CASES.items() if case.short])


@pytest.mark.each_engine
@pytest.mark.timeout(1500)
@pytest.mark.long("it builds eighty images with packages from an index")
def test_services_of_every_kind_hold_on_shared_wheels_what_they_hold_alone(
    engine: RealEngine, project: Project
) -> None:
    check(engine, project, list(CASES))
