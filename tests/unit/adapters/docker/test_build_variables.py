from __future__ import annotations

import pytest

from tonnage.adapters.docker.build_variables import build_variables
from tonnage.model.stack import BuildSpec

ENVIRONMENT = {"PATH": "/usr/bin", "HOME": "/root", "TOKEN": "of the user"}


def test_values_go_through_the_environment_and_only_names_are_words() -> None:
    spec = BuildSpec(context=".", args=(("TOKEN", "s3cr3t"), ("EMPTY", ""), ("A", "1=1")))
    told = build_variables(spec, ENVIRONMENT)
    assert told.arguments == ("TOKEN", "EMPTY", "A")
    assert told.environment == {**ENVIRONMENT, "TOKEN": "s3cr3t", "EMPTY": "", "A": "1=1"}


@pytest.mark.parametrize(
    "name",
    [
        "PATH", "HOME", "DOCKER_HOST", "DOCKER_CONFIG", "DOCKER_BUILDKIT", "BUILDX_BUILDER", "BUILDKIT_INLINE_CACHE",
        "COMPOSE_FILE", "HTTP_PROXY", "https_proxy", "LD_PRELOAD", "LC_ALL", "TZ", "GIT_SSH_COMMAND",
        "GIT_CONFIG_COUNT", "PYTHONPATH", "BASH_ENV", "SSL_CERT_FILE", "GODEBUG",
    ],
)  # fmt: skip
def test_what_docker_reads_itself_keeps_its_value_and_still_reaches_the_build(name: str) -> None:
    told = build_variables(BuildSpec(context=".", args=((name, "other"),)), ENVIRONMENT)
    assert told.arguments == (f"{name}=other",)
    assert told.environment == ENVIRONMENT


def test_names_that_no_shell_has_stand_on_the_command_line() -> None:
    told = build_variables(BuildSpec(context=".", args=(("BASH_FUNC_x%%", "() { :; }"), ("a-b", "1"))), ENVIRONMENT)
    assert told.arguments == ("BASH_FUNC_x%%=() { :; }", "a-b=1")
    assert told.environment == ENVIRONMENT


def test_names_that_only_look_like_those_of_programs_are_hidden() -> None:
    names = ("GIT_TOKEN", "GIT_COMMIT", "DOCKER_TOKEN", "SSH_KEY", "PYTHON_VERSION", "NODE_AUTH_TOKEN", "PATH_PREFIX")
    told = build_variables(BuildSpec(context=".", args=tuple((name, "7") for name in names)), ENVIRONMENT)
    assert told.arguments == names


def test_what_docker_has_with_the_same_value_anyway_is_not_said_again() -> None:
    environment = {**ENVIRONMENT, "HTTPS_PROXY": "proxy.example.org:3128"}
    spec = BuildSpec(context=".", args=(("HTTPS_PROXY", "proxy.example.org:3128"),))
    assert build_variables(spec, environment).arguments == ("HTTPS_PROXY",)


def test_a_proxy_with_a_password_is_hidden_although_docker_reads_it() -> None:
    spec = BuildSpec(context=".", args=(("HTTP_PROXY", "http://me:s3cr3t@proxy.example.org:3128"),))
    told = build_variables(spec, ENVIRONMENT)
    assert told.arguments == ("HTTP_PROXY",)
    assert told.environment["HTTP_PROXY"] == "http://me:s3cr3t@proxy.example.org:3128"


def test_an_address_of_an_engine_is_no_password_to_hide() -> None:
    told = build_variables(BuildSpec(context=".", args=(("DOCKER_HOST", "ssh://me:pw@vm.example.org"),)), ENVIRONMENT)
    assert told.environment == ENVIRONMENT


def test_a_secret_of_the_user_is_not_what_an_argument_of_that_name_says() -> None:
    spec = BuildSpec(
        context=".", args=(("TOKEN", "of the file"),), secrets=("id=a,env=TOKEN", "id=b,env=HOME", "id=c,src=/c")
    )
    told = build_variables(spec, ENVIRONMENT)
    assert told.secrets == ("id=a,env=TONNAGE_BUILD_SECRET_0", "id=b,env=HOME", "id=c,src=/c")
    assert told.environment["TONNAGE_BUILD_SECRET_0"] == "of the user"
    assert told.environment["TOKEN"] == "of the file"


def test_the_last_of_two_values_counts() -> None:
    told = build_variables(BuildSpec(context=".", args=(("A", "1"), ("A", "2"))), {})
    assert (told.arguments, told.environment) == (("A",), {"A": "2"})


@pytest.mark.parametrize("name", ["TOK", "LD_PRELOAD", "DOCKER_HOST"])
def test_a_secret_from_a_file_of_variables_reaches_the_build_and_no_program_by_its_name(name: str) -> None:
    spec = BuildSpec(context=".", secrets=(f"id=tok,env={name}", "id=other,env=TOKEN", "id=file,src=/f"))
    told = build_variables(spec, ENVIRONMENT, {name: "s3cr3t", "TOKEN": "of the user"})
    assert told.secrets == ("id=tok,env=TONNAGE_BUILD_SECRET_0", "id=other,env=TOKEN", "id=file,src=/f")
    assert told.environment == {**ENVIRONMENT, "TONNAGE_BUILD_SECRET_0": "s3cr3t"}
