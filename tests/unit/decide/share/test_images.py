"""Shared images: named by what they hold, built with exact pins, taken again, put into a plan, and removed in time."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from tests.unit.builders import version
from tests.unit.decide.observed import container, image, inventory, service

from tonnage.decide.schedule.admission import waits_for
from tonnage.decide.share.images import labels_of, shared_images, spec_of
from tonnage.decide.share.steps import needless_steps, with_shared_images
from tonnage.model.deploy.expected_build import ExpectedBuild
from tonnage.model.deploy.plan import Build, Keep, RemoveImage, Step, Switch, Tag
from tonnage.model.deploy.run import OtherRun
from tonnage.model.deploy.sharing import SharedWheel, WheelOffer
from tonnage.model.forecast.estimate import exactly
from tonnage.model.inventory import Layer
from tonnage.model.stack import BuildSpec

if TYPE_CHECKING:
    from tonnage.model.deploy.sharing import SharedImage, Sharing
    from tonnage.model.inventory import Image, Inventory

MB = 1_000_000
BASE = Layer(chain_id="ground", diff_id="ground", size_bytes=MB)
TORCH = SharedWheel("torch", "2.3.1", "sha256:aa", "https://example.org/cpu", 900 * MB)
NUMPY = SharedWheel("numpy", "1.26.4", "sha256:bb", "", 60 * MB)
PANDAS = SharedWheel("pandas", "2.2.2", "sha256:cc", "", 70 * MB)


def offer(name: str, *wheels: SharedWheel, ground: str = "ground", target: str = "3.11") -> WheelOffer:
    return WheelOffer(service=name, base="python:3.11-slim", ground=ground, target=target, wheels=wheels)


def there(shared: SharedImage, number: int = 7) -> Image:
    """Return a shared image as the engine has it."""
    found = image(number, shared.reference)
    own = Layer(chain_id=f"shared-{number}", diff_id=f"shared-{number}", size_bytes=900 * MB)
    return replace(found, layers=(BASE, own), labels=dict(labels_of(shared)))


def standing_on(below: Image, number: int, *references: str) -> Image:
    own = Layer(chain_id=f"own-{number}", diff_id=f"own-{number}", size_bytes=MB)
    return replace(image(number, *references), layers=(*below.layers, own))


def three() -> Sharing:
    return shared_images(
        [offer("a", TORCH, NUMPY), offer("b", TORCH, NUMPY), offer("c", NUMPY)], inventory(), earns_bytes=MB
    )


def planned(sharing: Sharing, seen: Inventory, *names: str) -> list[Step]:
    steps = [
        Step(
            name=f"{name}.build",
            action=Build(spec=BuildSpec(context="/x", dockerfile="/x/Dockerfile"), reference=f"shop-{name}"),
            cause="no image yet",
            changes="adds it",
            service=name,
            learn_key=f"shop/{name}/build-cold",
        )
        for name in names
    ]
    builds = {
        name: ExpectedBuild(
            kept=exactly(1),
            transient=exactly(1),
            base="python:3.11-slim",
            stands_on=sharing.below(name),
            uv_directory="/c",
        )
        for name in (*names, *(each.reference for each in sharing.images))
    }
    return with_shared_images(steps, builds, seen)


def test_what_all_have_is_the_ground_of_what_two_have() -> None:
    lowest, pair = three().images
    assert (lowest.services, lowest.wheels, lowest.on) == (("a", "b", "c"), (NUMPY,), "python:3.11-slim")
    assert (pair.services, pair.wheels, pair.on) == (("a", "b"), (TORCH,), lowest.reference)


def test_another_ground_or_another_python_shares_nothing() -> None:
    for other in (offer("b", TORCH, ground="newer"), offer("b", TORCH, target="3.12")):
        assert shared_images([offer("a", TORCH), other], inventory()).images == ()


def test_a_service_that_shares_nothing_by_its_word_is_left_out() -> None:
    assert shared_images([offer("a", TORCH), offer("b", TORCH)], inventory(), off=("b",)).images == ()


def test_uv_installs_what_a_service_has_alone_where_that_is_said() -> None:
    offers = [offer("a", TORCH, NUMPY), offer("b", TORCH), offer("c", PANDAS)]
    common, own = shared_images(offers, inventory(), by_uv=("a",), earns_bytes=MB).images
    assert (common.services, common.wheels) == (("a", "b"), (TORCH,))
    assert (own.services, own.wheels, own.on, own.saved_bytes) == (("a",), (NUMPY,), common.reference, 0)
    [alone] = shared_images(offers, inventory(), by_uv=("c",), off=("a", "b", "c"), earns_bytes=MB).images
    assert (alone.services, alone.wheels, alone.on) == (("c",), (PANDAS,), "python:3.11-slim")


def test_what_uv_installs_for_one_service_need_not_save_anything() -> None:
    offers = [offer("a", TORCH, NUMPY), offer("b", TORCH)]
    [own] = shared_images(offers, inventory(), by_uv=("a",), once_bytes=5_000 * MB).images
    assert (own.services, set(own.wheels)) == (("a",), {TORCH, NUMPY})


def test_a_name_tells_its_content() -> None:
    first, same = three().images, three().images
    assert [each.reference for each in first] == [each.reference for each in same]
    newer = replace(NUMPY, digest="sha256:dd")
    [other] = shared_images([offer("a", newer), offer("b", newer)], inventory()).images
    assert other.reference not in {each.reference for each in first}


def test_every_wheel_is_pinned_with_its_hash_and_comes_from_its_own_index() -> None:
    [made] = shared_images([offer("a", TORCH, NUMPY), offer("b", TORCH, NUMPY)], inventory()).images
    spec = spec_of(made, "/cache/installer")
    assert spec.context == "/cache/installer"
    text = spec.dockerfile_inline
    assert text.startswith("FROM python:3.11-slim\nRUN --mount=type=bind,source=uv,target=/dev/uv")
    assert "torch==2.3.1 --hash=sha256:aa" in text
    assert "numpy==1.26.4 --hash=sha256:bb" in text
    for word in ("--no-deps", "--require-hashes", "--no-build", "--index-url=https://example.org/cpu"):
        assert word in text
    assert text.index("--require-hashes") < text.index("-type d -empty -delete") < text.index("compileall")
    assert "compileall" not in spec_of(replace(made, compiles=False), "/c").dockerfile_inline


def test_an_image_that_is_there_is_taken_by_one_service_alone() -> None:
    [made] = shared_images([offer("a", TORCH, NUMPY), offer("b", TORCH, NUMPY)], inventory()).images
    seen = inventory(images=(there(made),))
    [again] = shared_images([offer("a", TORCH, NUMPY, PANDAS)], seen).images
    assert (again.reference, again.services, again.present) == (made.reference, ("a",), True)
    assert shared_images([offer("a", TORCH)], seen).images == ()


def test_an_image_that_is_there_is_kept_where_little_more_could_be_shared() -> None:
    [made] = shared_images([offer("a", TORCH), offer("b", TORCH)], inventory()).images
    seen = inventory(images=(there(made),))
    [again] = shared_images([offer("a", TORCH, NUMPY), offer("b", TORCH, NUMPY)], seen).images
    assert again.reference == made.reference
    heavy = replace(NUMPY, kept_bytes=600 * MB)
    [new] = shared_images([offer("a", TORCH, heavy), offer("b", TORCH, heavy)], seen).images
    assert new.wheels == (heavy, TORCH)


def test_what_is_new_saves_more_than_what_builds_it_takes() -> None:
    pair = [offer("a", NUMPY), offer("b", NUMPY)]
    assert shared_images(pair, inventory(), once_bytes=61 * MB).images == ()
    [made] = shared_images(pair, inventory(), once_bytes=59 * MB).images
    assert made.saved_bytes == 60 * MB
    # One that is there costs nothing.
    seen = inventory(images=(there(made),))
    assert [each.reference for each in shared_images(pair, seen, once_bytes=61 * MB).images] == [made.reference]


def test_an_image_on_a_base_that_moved_is_not_taken() -> None:
    [made] = shared_images([offer("a", TORCH), offer("b", TORCH)], inventory()).images
    older = replace(there(made), layers=(replace(BASE, chain_id="older"), *there(made).layers[1:]))
    [again] = shared_images([offer("a", TORCH), offer("b", TORCH)], inventory(images=(older,))).images
    assert not again.present


def test_what_a_service_has_as_it_is_written_is_not_moved_to_an_image_that_is_there() -> None:
    [made] = shared_images([offer("a", TORCH), offer("b", TORCH)], inventory()).images
    seen = inventory(images=(there(made),))
    assert shared_images([replace(offer("a", TORCH), layers=("",))], seen).images == ()


def test_each_shared_image_is_built_once_before_the_first_build_on_it() -> None:
    sharing = three()
    lowest, pair = sharing.images
    steps = planned(sharing, inventory(), "c", "a", "b")
    built = [step.action.reference for step in steps if isinstance(step.action, Build)]
    assert built == [lowest.reference, "shop-c", pair.reference, "shop-a", "shop-b"]
    bases = {step.service: step.action.spec.bases for step in steps if isinstance(step.action, Build)}
    assert bases["c"] == (("python:3.11-slim", lowest.reference),)
    assert bases["a"] == bases["b"] == (("python:3.11-slim", pair.reference),)
    assert all("-on-" in step.learn_key for step in steps if step.service)


def test_a_build_that_could_begin_before_its_turn_waits_for_what_it_stands_on() -> None:
    steps = planned(three(), inventory(), "c", "a", "b")
    names = [step.name for step in steps]
    assert waits_for(names.index("c.build"), steps, ())
    assert waits_for(names.index("a.build"), steps, {0, names.index("c.build")})
    assert not waits_for(names.index("b.build"), steps, {0, 2})


def test_an_image_that_is_there_is_not_built_again() -> None:
    [made] = shared_images([offer("a", TORCH), offer("b", TORCH)], inventory()).images
    seen = inventory(images=(there(made),))
    sharing = shared_images([offer("a", TORCH), offer("b", TORCH)], seen)
    assert [step.name for step in planned(sharing, seen, "a", "b")] == ["a.build", "b.build"]


@pytest.mark.parametrize("keeps", ["an image", "a container", "another name", "an unknown image", "another run"])
def test_a_shared_image_goes_only_when_nothing_can_stand_on_it(keeps: str) -> None:
    [made] = shared_images([offer("a", TORCH), offer("b", TORCH)], inventory()).images
    shared = there(made)
    alone = inventory(images=(shared, image(3, "other")))
    [removal] = needless_steps(alone)
    assert isinstance(removal.action, RemoveImage)
    assert removal.action.references == (made.reference,)
    seen = {
        "an image": inventory(images=(shared, standing_on(shared, 9, "kept:v1"))),
        "a container": inventory(images=(shared,), containers=(container(service(), shared),)),
        "another name": inventory(images=(replace(shared, references=(*shared.references, "mine:1")),)),
        "an unknown image": inventory(images=(shared, replace(image(3, "other"), layers=()))),
        "another run": replace(alone, others=(OtherRun(stack="x", pid=1, user="u", command="deploy"),)),
    }[keeps]
    assert needless_steps(seen) == []
    assert needless_steps(alone, [made.reference]) == []


@pytest.mark.parametrize(
    ("case", "goes"),
    [
        ("removed in the same plan", True),
        ("removed after its container was replaced", True),
        ("it has another name", False),
        ("it gets another name", False),
        ("the container of another stack has it", False),
        ("the container of another service has it", False),
        ("its container is not replaced", False),
        ("another image stands on it too", False),
        ("it is the version that comes back", False),
    ],
)
def test_a_shared_image_goes_with_the_last_image_on_it(case: str, *, goes: bool) -> None:
    [made] = shared_images([offer("a", TORCH), offer("b", TORCH)], inventory()).images
    shared = there(made)
    old = standing_on(shared, 9, "shop-a:latest", "kept:v1", *(["mine:1"] if case == "it has another name" else []))
    built, *_ = planned(shared_images([], inventory()), inventory(), "a")
    built = replace(built, action=replace(built.action, reference="shop-a:latest"))
    removal = replace(built, name="a.forget", action=RemoveImage(image=old.image_id, references=("kept:v1",)))
    switch = replace(built, name="a.switch", action=Switch(project={}, image="candidate", image_name="shop-a"))
    tag = replace(built, name="a.tag", action=Tag(image="shop-a", reference="mine:2"))
    running = container(service("b" if "another service" in case else "a"), old)
    running = replace(running, project="shop", service="b" if "another service" in case else "a")
    holders = {
        "removed after its container was replaced": running,
        "the container of another stack has it": replace(running, project="mart"),
        "the container of another service has it": running,
        "its container is not replaced": running,
    }
    more = (standing_on(shared, 10, "other:1"),) if "too" in case else ()
    seen = inventory(
        images=(shared, old, *more), containers=(holders[case],) if case in holders else ()
    )  # fmt: skip
    steps = [built, *([tag] if case == "it gets another name" else [])]
    steps += [removal] if case == "its container is not replaced" else [switch, removal]
    if "comes back" in case:
        good = Keep(reference="kept:v2", record="kept:v2.record")
        steps.append(replace(built, action=good, version=version(image_id=old.image_id)))
    found = with_shared_images(steps, {}, seen, stack="shop")
    removed = [step.action.image for step in found if isinstance(step.action, RemoveImage)]
    assert (shared.image_id in removed) == goes
    assert [step.kept.low_bytes for step in found if step.name.startswith("unshare.")] == ([-901 * MB] if goes else [])
    assert found[: len(steps)] == steps


def test_an_environment_is_left_to_the_build_and_only_wheels_stay_in_it() -> None:
    offers = [replace(offer(name, TORCH), environment="/opt/venv") for name in ("a", "b")]
    [shared] = shared_images(offers, inventory(), earns_bytes=MB).images
    text = spec_of(shared, "/c").dockerfile_inline
    assert "/usr/local/bin/python -m venv --without-pip /opt/venv" in text
    assert "--python=/opt/venv/bin/python" in text
    assert text.index("find /opt/venv ! -type d -print0 >/tmp/own") < text.index("pip install")
    assert text.index("compileall") < text.index("xargs -0 rm -f /opt/venv/.lock </tmp/own")
    [other] = shared_images([offer("a", TORCH), offer("b", TORCH)], inventory(), earns_bytes=MB).images
    assert shared.reference != other.reference
    assert "venv" not in spec_of(other, "/c").dockerfile_inline


def test_the_name_of_an_environment_is_no_command() -> None:
    offers = [replace(offer(name, TORCH), environment="/opt/a b;touch x") for name in ("a", "b")]
    [shared] = shared_images(offers, inventory(), earns_bytes=MB).images
    _, _, script = spec_of(shared, "/c").dockerfile_inline.partition("target=/tmp ")
    said = json.loads(script)[2]
    assert "touch x" not in re.sub(r"'[^']*'", "", said)


def test_an_image_below_stages_that_are_only_copied_is_removed_when_all_is_built() -> None:
    offers = [replace(offer(name, TORCH), inner=True, base_line=1) for name in ("a", "b")]
    offers = [replace(each, wheels=(replace(TORCH, inner_bytes=TORCH.kept_bytes),)) for each in offers]
    sharing = shared_images(offers, inventory(), earns_bytes=MB)
    [shared] = sharing.images
    assert sharing.passing == {shared.reference}
    builds = {
        name: ExpectedBuild(
            kept=exactly(5), transient=exactly(1), base="python:3.11-slim", base_line=1,
            stands_on=sharing.below(name), passes=name in sharing.passing, uv_directory="/c",
        )
        for name in ("a", "b", shared.reference)
    }  # fmt: skip
    steps = [
        Step(
            name=f"{name}.build",
            action=Build(spec=BuildSpec(context="/x", dockerfile="/x/Dockerfile"), reference=f"shop-{name}"),
            cause="no image yet",
            changes="adds it",
            service=name,
        )
        for name in ("a", "b")
    ]
    first, *built, last = with_shared_images(steps, builds, inventory())
    assert (first.action.reference, len(built)) == (shared.reference, 2)  # type: ignore[union-attr]
    assert all(step.action.spec.base_line == 1 for step in built)  # type: ignore[union-attr]
    assert last.action == RemoveImage(image=shared.reference, references=(shared.reference,), with_cache=True)
    assert (last.kept.low_bytes, last.kept.high_bytes) == (-5, 0)
    kept = with_shared_images(
        steps, builds, replace(inventory(), others=(OtherRun(stack="x", pid=1, user="u", command="deploy"),))
    )
    assert not any(isinstance(step.action, RemoveImage) for step in kept)
    assert not any(
        isinstance(step.action, RemoveImage) for step in with_shared_images(steps, builds, inventory(), tidies=False)
    )


def test_an_image_for_stages_alone_saves_more_archives_than_its_program_takes() -> None:
    wheel = replace(TORCH, inner_bytes=TORCH.kept_bytes, archive_bytes=40 * MB)
    offers = [replace(offer(name, wheel), inner=True) for name in ("a", "b")]
    assert shared_images(offers, inventory(), once_bytes=41 * MB).images == ()
    assert len(shared_images(offers, inventory(), once_bytes=40 * MB).images) == 1
    # Where an image consists of it, bytes are saved for as long as that is there.
    outer = [*offers, offer("c", wheel)]
    assert len(shared_images(outer, inventory(), once_bytes=41 * MB).images) == 1
