"""Which images are pulled, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from tests.unit.builders import context
from tests.unit.decide.observed import container, image, inventory, service, stack

from tonnage.decide.deploy.changes import change_of, config_digest
from tonnage.decide.deploy.planning import plan_deploy
from tonnage.decide.deploy.pulls import (
    asked_for_offers,
    check_image_comes,
    origin_matters,
    why_not_asked,
    with_pulls,
)
from tonnage.errors import UsageError
from tonnage.model.deploy.plan import Purpose
from tonnage.model.deploy.policy import Policy
from tonnage.model.deploy.run import History
from tonnage.model.inventory import Inputs
from tonnage.model.offer import OfferedImage, names_by_digest, with_registries
from tonnage.model.stack import BuildSpec, PullWhen
from tonnage.sources.compose.pull_policy import pull_policy

if TYPE_CHECKING:
    from tonnage.model.inventory import Image
    from tonnage.model.stack import PullPolicy, Service

NAME = "registry.example.org/web:1"
HERE = replace(image(1, NAME), digests=("registry.example.org/web@sha256:aa",))
OTHER = OfferedImage(reference=NAME, digests=("sha256:bb", "sha256:b0"))
SAME = OfferedImage(reference=NAME, digests=("sha256:aa",))
ABSENT = OfferedImage(reference=NAME, trouble="there is no image", absent=True)
SILENT = OfferedImage(reference=NAME, trouble="nobody answers")
WITHHELD = OfferedImage(reference=NAME, trouble="it was not asked", withheld=True)
NOW = Inputs(service="web", digest="now")
NOW_S = 1_000_003.0


def says(words: str) -> PullPolicy | None:
    return pull_policy(words)


def only_image(words: str = "") -> Service:
    return service(image=NAME, build=None, pull=says(words))


def built(words: str = "") -> Service:
    return service(image=NAME, pull=says(words))


def changes(of: Service, here: Image | None, offer: OfferedImage | None) -> tuple[str, str]:
    """Return why it is pulled and why it is built."""
    seen = replace(inventory(images=(here,) if here else (), inputs=(NOW,)), offers=(offer,) if offer else ())
    change = change_of(stack(of), of, seen)
    return change.pull, change.build


def test_without_a_word_only_what_is_missing_is_pulled() -> None:
    assert changes(only_image(), HERE, None) == ("", "")
    assert changes(only_image(), None, None) == (f"no image {NAME} on this engine", "")
    assert changes(built(), None, None) == ("", f"no image {NAME} yet")


@pytest.mark.parametrize(
    ("offer", "pulled"),
    [
        (OTHER, "its registry has another registry.example.org/web:1 now: bb (pull_policy: always)"),
        (SAME, ""),
        (SILENT, "pull_policy: always, and which image its registry has is not known: nobody answers"),
    ],
)
def test_always_pulls_what_is_another_and_what_is_not_known(offer: OfferedImage, pulled: str) -> None:
    assert changes(only_image("always"), HERE, offer) == (pulled, "")


def test_an_image_is_known_by_any_of_its_digests() -> None:
    for digests in (("sha256:aa",), ("sha256:ff", HERE.image_id), ("sha256:ff", "sha256:manifest")):
        known = replace(HERE, manifest_digests=("sha256:manifest",))
        assert OfferedImage(reference=NAME, digests=digests).is_of(known)
    assert not OTHER.is_of(HERE)


@pytest.mark.parametrize(
    ("words", "here", "offer", "pulled", "is_built"),
    [
        ("always", None, OTHER, True, False),
        ("always", None, ABSENT, False, True),
        ("always", None, SILENT, False, True),
        ("always", None, WITHHELD, True, False),
        ("always", HERE, OTHER, True, False),
        ("always", HERE, SAME, False, False),
        ("always", HERE, ABSENT, False, True),
        ("missing", None, OTHER, True, False),
        ("missing", None, ABSENT, False, True),
        ("missing", HERE, None, False, True),
        ("daily", HERE, None, False, False),
        ("daily", HERE, OTHER, True, False),
        ("daily", replace(HERE, digests=()), None, False, True),
        ("never", None, None, False, True),
        ("build", None, None, False, True),
        ("", None, None, False, True),
    ],
)
def test_what_could_be_built_is_pulled_where_that_is_said_and_its_registry_has_it(
    words: str, here: Image | None, offer: OfferedImage | None, *, pulled: bool, is_built: bool
) -> None:
    pull, build = changes(built(words), here, offer)
    assert (bool(pull), bool(build)) == (pulled, is_built)


@pytest.mark.parametrize(
    ("of", "here", "asked"),
    [
        (only_image(), None, False),
        (only_image(), HERE, False),
        (only_image("always"), None, False),
        (only_image("always"), HERE, True),
        (only_image("missing"), HERE, False),
        (only_image("never"), HERE, False),
        (only_image("every_10m"), replace(HERE, named_s=NOW_S - 599), False),
        (only_image("every_10m"), replace(HERE, named_s=NOW_S - 600), True),
        (built("missing"), None, True),
        (built("always"), HERE, True),
        (built("never"), None, False),
        (built(), None, False),
    ],
)
def test_registries_are_asked_only_where_something_depends_on_it(
    of: Service, here: Image | None, *, asked: bool
) -> None:
    seen = inventory(images=(here,) if here else ())
    assert bool(list(asked_for_offers([of], (), seen, NOW_S))) is asked


def test_names_of_this_machine_and_digests_are_never_asked_for() -> None:
    for name in ("localhost/web:1", f"registry.example.org/web@sha256:{'a' * 64}"):
        of = replace(only_image("always"), image=name)
        seen = inventory(images=(image(1, name),))
        assert not list(asked_for_offers([of], (), seen, NOW_S))


def test_a_loopback_is_another_machines_where_the_engine_is() -> None:
    engine = inventory().engine
    away = replace(engine, endpoint="ssh://ops@vm.example.org")
    for name in ("127.0.0.1:5000/web:1", "localhost:5000/web", "[::1]:5000/web"):
        assert why_not_asked(name, away)
        assert not why_not_asked(name, engine)
    assert not why_not_asked(NAME, away)
    assert not why_not_asked("web", away)


def test_what_is_typed_goes_before_what_is_written_for_every_service() -> None:
    written = stack(only_image("never"), replace(built("daily"), name="worker"))
    typed = with_pulls(written, Policy(pull=PullWhen.ALWAYS), Purpose.DEPLOY)
    assert [each.pull and each.pull.when for each in typed.services] == [PullWhen.ALWAYS] * 2
    assert [each.pull for each in with_pulls(written, Policy(), Purpose.BUILD).services] == [None, None]
    assert with_pulls(written, Policy(), Purpose.DEPLOY) == written


def test_what_is_named_after_the_stack_is_never_asked_for() -> None:
    unnamed = service(names_image=False, pull=says("always"))
    assert with_pulls(stack(unnamed), Policy(), Purpose.DEPLOY).services[0].pull is None
    (alone,) = with_pulls(stack(unnamed), Policy(no_build=True), Purpose.DEPLOY).services
    assert not list(asked_for_offers([alone], (), inventory(), NOW_S))
    with pytest.raises(UsageError, match="is not on this engine") as caught:
        check_image_comes(context(stack(alone), alone, inventory()))
    assert "no registry has it" in caught.value.why


def test_without_builds_what_this_engine_has_built_stays_and_what_came_from_a_registry_is_asked_for() -> None:
    (of,) = with_pulls(stack(built()), Policy(no_build=True), Purpose.DEPLOY).services
    assert of.build is None
    own = replace(HERE, digests=())
    assert not list(asked_for_offers([of], (), inventory(images=(own,)), NOW_S))
    assert list(asked_for_offers([of], (), inventory(images=(HERE,)), NOW_S))
    assert list(asked_for_offers([of], (), inventory(), NOW_S))
    assert changes(of, HERE, OTHER)[0]
    assert changes(of, HERE, ABSENT) == changes(of, HERE, SILENT) == ("", "")
    plan = plan_deploy(
        stack(of), replace(inventory(images=(HERE,)), offers=(SILENT,)), Policy(no_build=True), History()
    )
    assert "web: --no-build, but what is on this engine runs: nobody answers" in plan.notes


@pytest.mark.parametrize(
    ("words", "offer", "no_build", "why"),
    [
        ("never", None, False, "pull_policy: never: it is not pulled."),
        ("build", None, False, "pull_policy: build: it is not pulled."),
        ("", ABSENT, True, "there is no image."),
        ("never", None, True, "pull_policy: never: it is not pulled."),
    ],
)
def test_an_image_that_comes_from_nowhere_is_refused_before_anything_is_done(
    words: str, offer: OfferedImage | None, *, no_build: bool, why: str
) -> None:
    written = stack(built(words) if no_build else only_image(words))
    policy = Policy(no_build=no_build)
    meant = with_pulls(written, policy, Purpose.DEPLOY)
    seen = replace(inventory(), offers=(offer,) if offer else ())
    with pytest.raises(UsageError, match="web needs the image") as caught:
        plan_deploy(meant, seen, policy, History())
    assert caught.value.why == why


def test_a_pull_of_what_its_registry_does_not_have_is_refused() -> None:
    of = only_image("always")
    seen = replace(inventory(images=(HERE,), containers=(container(of, HERE),)), offers=(ABSENT,))
    with pytest.raises(UsageError, match="which its registry does not have") as caught:
        plan_deploy(stack(of), seen, Policy(), History())
    assert caught.value.why == "pull_policy: always, and there is no image."


def test_when_an_image_is_pulled_is_no_part_of_the_configuration() -> None:
    plain = only_image()
    said = replace(plain, config={**plain.config, "pull_policy": "always"})
    assert config_digest(said) == config_digest(plain)


def test_a_name_that_a_pull_moves_is_not_counted_for_the_image_that_had_it() -> None:
    of = only_image("always")
    kept = replace(HERE, references=(NAME, "localhost/tonnage/shop/web:v1"))
    seen = replace(inventory(images=(kept,), containers=(container(of, kept),)), offers=(OTHER,))
    plan = plan_deploy(stack(of), seen, Policy(keep_versions=0), History())
    names = [step.name for step in plan.steps]
    assert names.index("web.pull") < names.index("web.switch")
    assert any(name.startswith("web.forget") for name in names)


@pytest.mark.parametrize(
    ("words", "seconds"),
    [("daily", 86_400), ("weekly", 604_800), ("every_12h", 43_200), ("every_1d12h", 129_600), ("every_30s", 30)],
)
def test_spans_of_time_are_read_as_compose_reads_them(words: str, seconds: int) -> None:
    found = says(words)
    assert found is not None
    assert (found.when, found.every_s) == (PullWhen.REFRESH, seconds)


@pytest.mark.parametrize(
    ("words", "when"),
    [
        ("if_not_present", PullWhen.MISSING),
        ("missing", PullWhen.MISSING),
        ("refresh", PullWhen.MISSING),
        ("never", PullWhen.NEVER),
        ("build", PullWhen.BUILD),
    ],
)
def test_words_of_a_policy_are_read_as_compose_reads_them(words: str, when: PullWhen) -> None:
    found = says(words)
    assert found is not None
    assert found.when is when
    assert says("") is None


def test_a_span_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="'1hx' is not a time span"):
        says("every_1hx")


BASE = "registry.example.org/base:1"


@pytest.mark.parametrize(
    ("moved", "why"), [(("chain-1",), ""), (("chain-9", "chain-1"), "its base image changed"), ((), "")]
)
def test_a_base_that_moved_in_its_registry_is_built_on_where_the_build_pulls(moved: tuple[str, ...], why: str) -> None:
    of = service(build=BuildSpec(context="/srv/shop/web", dockerfile="/srv/shop/web/Dockerfile", pull=True))
    here = replace(image(1, "shop-web:latest", inputs="now"))
    on_base = Inputs(service="web", digest="now", base_reference=BASE)
    offer = OfferedImage(reference=BASE, digests=("sha256:bb",) if moved else (), chain=moved)
    seen = replace(inventory(images=(here,), inputs=(on_base,)), offers=(offer,))
    assert list(asked_for_offers([of], (), seen, NOW_S)) == [(of, BASE)]
    assert change_of(stack(of), of, seen).build == why
    # What the stack builds itself no registry knows better, and without pull nobody is asked.
    assert not list(asked_for_offers([of], (BASE,), seen, NOW_S))
    assert not list(asked_for_offers([service()], (), seen, NOW_S))


def test_where_an_image_came_from_is_asked_only_where_it_matters_and_nothing_of_the_environment_is_sent() -> None:
    engine = inventory().engine
    (bare,) = with_pulls(stack(built()), Policy(no_build=True), Purpose.DEPLOY).services
    assert origin_matters(bare, engine)
    assert origin_matters(built("daily"), engine)
    assert not origin_matters(replace(bare, marked=bare), engine)
    for words in ("missing", "never", ""):
        assert not origin_matters(built(words), engine)
    assert not origin_matters(only_image("always"), engine)


def test_registries_tell_what_came_from_them_where_every_image_has_digests() -> None:
    kept = replace(HERE, only_here=True)
    seen = inventory(images=(kept, replace(image(2, "own:1"), digests=("own@sha256:bb",), only_here=True)))
    assert [each.pullable for each in with_registries(seen, HERE.digests).images] == [True, False]


@pytest.mark.parametrize(
    ("reference", "name"),
    [(NAME, "registry.example.org/web@sha256:aa"), ("web", "web@sha256:aa"), ("h:5000/a/b:1", "h:5000/a/b@sha256:aa")],
)
def test_an_image_that_tells_a_digest_for_another_name_has_it_for_this_one(reference: str, name: str) -> None:
    kept = replace(HERE, digests=("localhost/tonnage/shop/web@sha256:aa",), only_here=True)
    assert names_by_digest(kept, reference) == (name,)
    assert with_registries(inventory(images=(kept,)), [name]).images[0].pullable
