"""What names packages: requirement files, projects and their locks, lists of Debian packages."""

from __future__ import annotations

import contextlib
import json
import tarfile
import tomllib

from packaging.requirements import Requirement
from tests.fuzz.subject import Subject, as_bytes, whole_text
from tests.fuzz.subjects.indexes import LOCKS as PYLOCKS

from tonnage.adapters.apt import texts
from tonnage.adapters.apt.lists import reduced
from tonnage.adapters.context.debian_files import control
from tonnage.errors import CannotFetchError, CannotResolveError
from tonnage.forecast.commands.text_programs import printed_text
from tonnage.forecast.gather.conda_environments import read_environment
from tonnage.forecast.python.index_access import index_access
from tonnage.forecast.python.lock_checks import check_form, contradictions
from tonnage.forecast.python.pipfiles import pinned_by_pipenv
from tonnage.forecast.python.project_locks import _pinned
from tonnage.forecast.python.project_requirements import needs
from tonnage.forecast.python.pylock import read_pylock
from tonnage.forecast.python.resolver_lines import holding, rendered, sorted_out
from tonnage.forecast.requirements.encodings import decoded
from tonnage.forecast.requirements.files import read_requirements
from tonnage.forecast.requirements.lines import refused_character
from tonnage.model.forecast.debian_package import compare
from tonnage.model.forecast.python_lock import LockedRequest, ResolveRequest, Target

TARGET = Target(python="3.11")
REQUIREMENTS = (
    (
        "--index-url https://index.example.org/simple\n-r other.txt\n-c limits.txt\na==1.0 --hash=sha256:00 \\\n"
        "  --hash=sha256:11\nb[c,d]>=1,<2 ; python_version < '3.12' # x\ne @ https://files.example.org/e-1.0.tar.gz\n"
        "-e git+https://git.example.org/f.git@v1#egg=f\n./g\n${A}==1\nhttps://files.example.org/h-1-py3-none-any.whl\n"
    ),
    "torch==2.3.1+cpu --index-url https://index.example.org\nnumpy===1.0\nz~=1.0.*\nfile:///i\n-f links\n--pre\n",
)
LINES = (
    "a==1.0", "b[c,d]>=1,<2 ; python_version < '3.12' and extra == 'x'", "e @ https://files.example.org/e-1.0.zip#a=b",
    "https://files.example.org/h-1.0-py3-none-any.whl", "git+ssh://git@host.example.org/a@v1#egg=a", "a===1", "./b",
)  # fmt: skip
WORDS = (
    "\n", "\r", "\x0c", "\x00", "\u2028", "-r ", "-c ", "-e ", "--hash=", "--no-binary ", "--index-url ", "@", "==", "===",
    ">=", ",", ";", " #", "\\\n", "${HOME}", "[", "]", "extra == 'a'", "python_version", "in", "not in", "'", '"', "git+",
    "hg+", "file:", "../", "https://files.example.org/a-1-py3-none-any.whl", "egg=", ".tar.gz", "!", "~=", "(", ")",
)  # fmt: skip
PROJECTS = (
    (
        '[project]\nname = "a"\nversion = "1"\ndependencies = ["b>=1", "c[d]; python_version < \'3\'"]\n'
        '[project.optional-dependencies]\ne = ["f"]\n[dependency-groups]\ndev = ["g", {include-group = "h"}]\nh = ["i"]\n'
        '[tool.uv]\ndev-dependencies = ["j"]\ndefault-groups = ["h"]\n'
    ),
    (
        '[tool.poetry]\nname = "a"\n[tool.poetry.dependencies]\npython = "^3.11"\nb = "^1.2"\nc = {version = "~1", extras = '
        '["d"], optional = true, markers = "x"}\ne = {git = "https://git.example.org/e"}\nf = [{version = "*"}]\n'
        '[tool.poetry.group.dev.dependencies]\ng = "*"\n[tool.poetry.extras]\nx = ["c"]\n'
        '[tool.pdm.dev-dependencies]\nh = ["i"]\n'
    ),
    (
        '[project]\nname = "a"\ndependencies = ["b"]\n[project.optional-dependencies]\ne = ["f"]\n[dependency-groups]\n'
        'g = ["h"]\n[tool.hatch.envs.default]\ndependencies = ["i"]\n[tool.hatch.envs.x]\ntemplate = "y"\nfeatures = '
        '["e"]\ndependency-groups = ["g"]\n[tool.hatch.envs.y]\ndetached = true\nextra-dependencies = ["j"]\n'
    ),
)
ENVIRONMENTS = (
    "name: a\nchannels:\n  - b\ndependencies:\n  - python=3.11\n  - c::d>=1\n  - pip\n  - pip:\n    - e==1\n    - -r f.txt\n",
    "dependencies:\n- a=1=b\n- pip:\n  - c\nprefix: /x\n",
)
CONTROLS = (f"!<arch>\n{'debian-binary':<16}{0:<32}{4:<10}`\n2.0\n{'control.tar':<16}{0:<32}{512:<10}`\n" + "\0" * 512,)
PRINTED = (
    "grep -vE ^\\s*(a|b)\na\nb==1 # c\n", "sed -e s/a/b/g -e /c/d\na\nc\n", "tr -d ab\nabc\n", "cut -d= -f1\na==1\n",
    "envsubst A=b\na==${A}\n$A\n", "tail -n +2\na\nb\n", "uniq\na\na\n", "sort -u\nb\na\n", "head -n 1\na\nb\n", "tr ab cd\nab\n",
)  # fmt: skip
LOCKS = (
    (
        '[[package]]\nname = "b"\nversion = "1.2.3"\noptional = false\nmarkers = "python_version > \'3\'"\n[package.source]\n'
        'type = "legacy"\nurl = "https://index.example.org/simple"\nreference = "x"\n[[package]]\nname = "e"\nversion = "1"\n'
        'source = { type = "git", url = "https://git.example.org/e", resolved_reference = "00" }\n[metadata]\n'
        'lock-version = "2.0"\n'
    ),
    (
        '[metadata]\ngroups = ["default"]\n[[package]]\nname = "b"\nversion = "1"\nextras = ["c"]\nmarker = "x"\n'
        'requires_python = ">=3"\ngit = "https://git.example.org/b"\nrevision = "00"\n'
    ),
)
PIPFILE_LOCKS = (
    (
        '{"_meta": {"pipfile-spec": 6}, "default": {"a": {"version": "==1.0", "markers": "python_version > \'3\'", '
        '"extras": ["b"], "hashes": []}, "c": {"git": "https://git.example.org/c", "ref": "0"}}, "develop": {"d": "*"}}'
    ),
)
PACKAGES = (
    (
        "Package: a\nVersion: 1:2.0-1\nArchitecture: amd64\nDepends: b (>= 1), c | d:any, e [amd64] <!nocheck>\n"
        "Recommends: f\nProvides: g (= 2)\nInstalled-Size: 120\nSize: 4000\nPriority: optional\nSection: x\n"
        "Description: y\n z\n\nPackage: b\nVersion: 1\nPriority: standard\nInstalled-Size: 5\nSize: 6\nFilename: x.deb\n"
    ),
    "Origin: x\nSuite: stable\nCodename: y\nSHA256:\n " + "0" * 64 + "   123 main/binary-amd64/Packages.xz\n",
    "Package: c\nStatus: install ok installed\nVersion: 2~rc1+b1\nProvides: d\n\nPackage: e\nStatus: deinstall ok\n",
)
SOURCES = (
    ("deb [arch=amd64 signed-by=/x] http://mirror.example.org/debian stable main contrib\n# x\ndeb-src http://a b c\n"
    "deb http://b.example.org ./\n"),
    ("Types: deb deb-src\nURIs: http://mirror.example.org/debian\nSuites: stable stable-updates\nComponents: main\n"
    "Signed-By: /x\nEnabled: yes\n"),
    'APT::Install-Recommends "false";\nAPT { Get { Assume-Yes "1"; }; };\n# x\n//y\nDir::Cache "";\n',
    "path-exclude /usr/share/doc/*\npath-include=/usr/share/doc/a\n",
)  # fmt: skip


def _requirements(text: str) -> None:
    files = {
        "wanted.txt": whole_text(text),
        "other.txt": whole_text(text).partition("-r")[0][:200],
        "limits.txt": "a==1\n",
    }
    found = read_requirements("wanted.txt", files.get, environment={"A": "x"})
    for each in (*found.requirements, *found.constraints):
        assert not refused_character(each.text)


def _lines(text: str) -> None:
    named, _ = sorted_out(tuple(whole_text(text).split("\n")[:20]) if len(text) % 2 else (whole_text(text),))
    for each in holding(named, TARGET):
        line = rendered(each)
        assert line[0].isalnum()
        assert line.isascii()
        assert line.isprintable()
        assert not {"$", "\\", "{"} & set(line)
        again = Requirement(line)
        assert (again.name, again.specifier, again.marker) == (again.name, each.specifier, None)


def _project(text: str) -> None:
    for lock_name in ("", "uv.lock", "poetry.lock", "Pipfile.lock"):
        request = LockedRequest(
            lock_name=lock_name, lock_text="", project_text=text, all_extras=True, groups=("dev", "x"), all_groups=True
        )
        assert all(isinstance(each, str) for each in needs(request))
    for environment in ("default", "x"):
        with contextlib.suppress(CannotFetchError):
            request = LockedRequest(lock_name="", lock_text="", project_text=text, environment=environment)
            assert all(isinstance(each, str) for each in needs(request))


def _environment(text: str) -> None:
    found = read_environment(whole_text(text))
    assert found is None or all(found.packages) or found.pip


def _control(text: str) -> None:
    with contextlib.suppress(ValueError, tarfile.TarError, OverflowError):
        assert isinstance(control(as_bytes(text)), str)


def _printed(text: str) -> None:
    command, _, fed = whole_text(text).partition("\n")
    printed = printed_text(command.split(), fed, lambda _: fed)
    assert printed is None or len(printed) <= 100 * (len(text) + 100)


def _project_lock(text: str) -> None:
    for lock_name in ("poetry.lock", "pdm.lock"):
        request = LockedRequest(lock_name=lock_name, lock_text=text, project_text=PROJECTS[1], all_extras=True)
        with contextlib.suppress(CannotFetchError):
            check_form(lock_name, text)
        pins, _, _, _ = _pinned(request)
        sorted_out(pins)
        assert all(isinstance(each, str) for each in contradictions(request, pins))


def _pipfile_lock(text: str) -> None:
    request = LockedRequest(lock_name="Pipfile.lock", lock_text=text, groups=("dev-packages",))
    assert all(isinstance(each, str) for each in pinned_by_pipenv(request))


def _encoded(text: str) -> None:
    assert isinstance(decoded(as_bytes(text)), str)


def _as_toml(document: object) -> str:
    """Write a document as values within one line; what TOML lacks is left out."""
    if isinstance(document, dict):
        pairs = [f"{json.dumps(str(key))} = {_as_toml(value)}" for key, value in document.items() if value is not None]
        return "{" + ", ".join(pairs) + "}"
    if isinstance(document, list):
        return "[" + ", ".join(_as_toml(each) for each in document if each is not None) + "]"
    return json.dumps(document)


def _tables(text: str) -> str:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return text
    told = document if isinstance(document, dict) else {}
    return whole_text("".join(f"{json.dumps(str(k))} = {_as_toml(v)}\n" for k, v in told.items() if v is not None))


def _project_tables(text: str) -> None:
    _project(_tables(text))


def _lock_tables(text: str) -> None:
    _project_lock(_tables(text))
    with contextlib.suppress(CannotResolveError):
        read_pylock(_tables(text), TARGET, place="pylock.toml")


def _access(text: str) -> None:
    found = index_access(ResolveRequest(requirements=(), index_url=text), {"PIP_CONFIG_FILE": "/dev/null"})
    found.headers("https://index.example.org/a")
    found.signed(text)


def _packages(text: str) -> None:
    with contextlib.suppress(ValueError):
        reduced([as_bytes(text[:50]), as_bytes(text[50:])])
    texts.installed(text)
    for fields in texts.stanzas(text):
        found = texts.package(fields)
        if found is None:
            continue
        assert 0 <= found.deb_bytes < 1 << 63
        assert 0 <= found.installed_bytes < 1 << 80
        compare(found.version, "1:2.0~rc1-1")


def _sources(text: str) -> None:
    for each in (*texts.one_line_sources(text), *texts.paragraph_sources(text)):
        assert each.address
    texts.settings(text)
    texts.path_excludes(text)


# Each group has the next one twice.
GROUPS = json.dumps({"dependency-groups": {f"g{n}": [{"include-group": f"g{n + 1}"}] * 2 for n in range(60)}})
_DOCUMENTS = tuple(json.dumps(tomllib.loads(text)) for text in PROJECTS)
_LOCK_DOCUMENTS = tuple(json.dumps(tomllib.loads(text)) for text in (*LOCKS, *PYLOCKS))
SUBJECTS = (
    Subject(name="project as a document", read=_project_tables, seeds=_DOCUMENTS, inputs=250, found=(GROUPS, '{"tool": {"uv": {"default-groups": 5}}}')),
    Subject(name="lock as a document", read=_lock_tables, seeds=_LOCK_DOCUMENTS, inputs=200,
            found=('{"package": [{"name": "a", "source": {"type": []}}]}', '{"package": 5}')),
    Subject(name="requirement file", read=_requirements, seeds=REQUIREMENTS, words=WORDS, inputs=300),
    Subject(name="lines for the resolver", read=_lines, seeds=LINES, words=WORDS, inputs=400, found=("a==" + "9" * 5_000, "a @ http://[::::1]/a.zip", "a_===1", "a[b_]==1")),
    Subject(name="project", read=_project, seeds=PROJECTS, inputs=250),
    Subject(name="lock of a project", read=_project_lock, seeds=LOCKS, inputs=250),
    Subject(name="lock of Pipenv", read=_pipfile_lock, seeds=PIPFILE_LOCKS, inputs=200, found=('{"default": {"a": 5}}', "[" * 5_000)),
    Subject(name="encoding of requirements", read=_encoded, inputs=150, refuses=(),
            seeds=("# -*- coding: latin-1 -*-\na==1\n", "\n# vim: set fileencoding=utf-16 :\na\n", "# coding: utf-7\na\n")),
    Subject(name="address of an index", read=_access, inputs=400, reads=("/etc/uv/uv.toml", "/etc/xdg/uv/uv.toml", "//.netrc", "/.netrc"),
            seeds=("https://u:p@index.example.org:8080/simple/", "http://[::1]/x")),
    Subject(name="environment of conda", read=_environment, seeds=ENVIRONMENTS, words=("- ", ":", "pip:", "\n", "  "), inputs=150, refuses=()),
    Subject(name="package of Debian", read=_control, seeds=CONTROLS, inputs=150, refuses=()),
    Subject(name="programs for text", read=_printed, seeds=PRINTED, words=("-n", "+", "-d", "${", "$A", "\\s", "*", "\n"), inputs=300, refuses=()),
    Subject(name="list of Debian packages", read=_packages, seeds=PACKAGES, inputs=300, refuses=()),
    Subject(name="sources of Debian packages", read=_sources, seeds=SOURCES, inputs=400, refuses=()),
)  # fmt: skip
