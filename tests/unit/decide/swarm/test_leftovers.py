"""On a node only images go that deploys brought there, and that nothing in the Swarm names."""

from __future__ import annotations

from msgspec.structs import replace

from tonnage.decide.swarm.leftovers import leftovers, needed_anywhere, repositories_of
from tonnage.model.deploy.image_names import content_reference
from tonnage.model.inventory import Container, Image, Layer
from tonnage.model.swarm import StackVersion, SwarmService, SwarmTask

OURS = content_reference("fleet", "web", "sha256:" + "ab" * 32)
TASK = {"com.docker.swarm.task.id": "t1"}


def image(name: str, *chains: str, number: int = 1) -> Image:
    layers = tuple(Layer(chain_id=chain, diff_id=chain, size_bytes=1009) for chain in chains)
    return Image(
        image_id=f"sha256:{number}", references=(name,), layers=layers, size_bytes=1, unique_bytes=1, shared_bytes=0
    )


def container(state: str, **more: dict[str, str]) -> Container:
    return Container(container_id="c1", name="fleet_web.1.t1", image_id="sha256:1", state=state, **more)  # type: ignore[arg-type]


def test_what_nothing_names_goes_with_the_containers_of_its_ended_tasks() -> None:
    found = leftovers(
        [image(OURS, "base", "top"), image("busybox:1", "base", number=2)],
        [container("exited", labels=TASK)],
        frozenset(),
    )
    assert found.images == (("sha256:1", (OURS,)),)
    assert found.containers == ("c1",)
    # The base is the other image's as well.
    assert found.freed_bytes == 1009
    assert found.layers == {"top"}


def test_images_of_the_user_stay() -> None:
    assert leftovers([image("shop/web:1", "top")], [], frozenset()).images == ()


def test_an_image_that_has_another_name_as_well_stays() -> None:
    both = Image(
        image_id="sha256:1", references=(OURS, "shop/web:1"), layers=(), size_bytes=1, unique_bytes=1, shared_bytes=0
    )
    assert leftovers([both], [], frozenset()).images == ()


def test_an_image_that_a_container_runs_stays_whoever_started_it() -> None:
    assert leftovers([image(OURS, "top")], [container("running", labels=TASK)], frozenset()).images == ()
    assert leftovers([image(OURS, "top")], [container("exited")], frozenset()).images == ()


def test_services_tasks_and_versions_of_every_stack_need_their_images() -> None:
    services = [SwarmService(service_id="s", name="a_b", version=1, image="one", previous_image="two")]
    tasks = [
        SwarmTask(task_id="t", service_id="s", image="three", state="running", desired="shutdown"),
        SwarmTask(task_id="u", service_id="s", image="gone", state="failed", desired="shutdown"),
    ]
    versions = [StackVersion(config_id="c", number=1, good=True, document={"services": {"b": {"image": "four"}}})]
    assert needed_anywhere(services, tasks, versions) == {"one", "two", "three", "four"}
    assert leftovers([image(OURS, "top")], [], frozenset({OURS})).images == ()


PULLED = "registry.example.org/fleet/web@sha256:" + "cd" * 32


def pulled(*references: str, digests: tuple[str, ...] = (PULLED,)) -> Image:
    return replace(image(OURS, "top"), references=references, digests=digests)


def test_what_nodes_pulled_by_digest_goes_when_nothing_names_it_any_more() -> None:
    repositories = repositories_of(["registry.example.org/fleet/web:5", "registry.example.org:5000/fleet/api"])
    assert repositories == {"registry.example.org/fleet/web", "registry.example.org:5000/fleet/api"}
    assert leftovers([pulled()], [], frozenset(), repositories).images == (("sha256:1", (PULLED,)),)
    # containerd lists the digest among the tags as well.
    assert leftovers([pulled(PULLED)], [], frozenset(), repositories).images == (("sha256:1", (PULLED,)),)
    assert leftovers([pulled()], [], frozenset({PULLED}), repositories).images == ()
    assert leftovers([pulled()], [container("running", labels=TASK)], frozenset(), repositories).images == ()


def test_what_was_pulled_by_a_tag_or_from_elsewhere_stays() -> None:
    repositories = repositories_of(["registry.example.org/fleet/web:5"])
    assert leftovers([pulled("registry.example.org/fleet/web:4")], [], frozenset(), repositories).images == ()
    elsewhere = "registry.example.org/other@sha256:" + "ef" * 32
    assert leftovers([pulled(digests=(PULLED, elsewhere))], [], frozenset(), repositories).images == ()
    assert leftovers([pulled(digests=())], [], frozenset(), repositories).images == ()
    assert leftovers([pulled()], [], frozenset()).images == ()
