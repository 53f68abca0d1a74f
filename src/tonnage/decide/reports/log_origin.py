"""Where and when a log was written, and of which services it tells: by what runners and builders print. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.decide.reports.log_lines import SAYS_NOTHING
from tonnage.lazily import regex
from tonnage.model.reports.symptom import LogOrigin

if TYPE_CHECKING:
    from tonnage.decide.reports.log_lines import LogLine

_MOST_NAMES = 200
_GITHUB, _AZURE = "the GitHub runner", "the Azure agent"
_MACHINES = (
    (
        _GITHUB,
        regex(
            r"^##\[(?:group|error|warning)\]|^Current runner version:|^Hosted Compute Agent|^Runner Image"
            r"|/home/runner/(?:work|actions-runner|runners)/|D:\\a\\_"
        ),
    ),
    ("the GitLab runner", regex(r"^Running with gitlab-runner|^section_(?:start|end):|/builds/[\w.-]+/[\w.-]+/")),
    ("the Jenkins agent", regex(r"^Running on \S+ in /\S+|^\[Pipeline\] |^Finished: (?:SUCCESS|FAILURE)")),
    (_AZURE, regex(r"##\[section\]|/home/vsts/|/agent/_diag/|^Current agent version:")),
    ("the CircleCI machine", regex(r"/home/circleci/|^Build-agent version")),
    ("Docker Desktop", regex(r"desktop-containerd|docker-desktop|com\.docker\.(?:backend|virtualization)")),
    ("a Mac", regex(r"(?<![\w/])/Users/[\w.-]+/")),
    ("a Windows machine", regex(r"(?<![\w])[C-Z]:\\{1,2}(?:[\w .-]+\\{1,2})+|(?<![\w])//wsl")),
)
_MACHINE_WORDS = (
    *(
        "##[",
        "unner",
        "Hosted",
        "D:\\a",
        "section",
        "/builds/",
        "agent",
        "Running ",
        "[Pipeline]",
        "Finished: ",
        "/vsts/",
        "_diag",
    ),
    *("circleci", "Build-agent", "desktop", "com.docker", "/Users/", ":\\", "//wsl"),
)
_GITHUB_TIME = regex(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z$")
_HOST = regex(r"^Machine name: '(?P<a>[^']{1,63})'|^Running on (?P<b>\S{1,63}) via |^Runner name: '(?P<c>[^']{1,63})'")
_SERVICE = regex(
    r"^(?:ERROR: |#\d+ ERROR: |error: )*(?:target|service) \"?(?P<a>[\w.-]{1,63})\"?: "
    r"|^ERROR: Service '(?P<b>[\w.-]{1,63})' failed to build"
    r"|^Service '?(?P<c>[\w.-]{1,63})'? failed to build|^Building (?P<d>[a-z0-9][\w.-]{0,62})$"
    r"|^failed to build service \"(?P<e>[\w.-]{1,63})\""
    r"|^(?!process |command |script |container |job )(?P<f>[a-z0-9][\w.-]{0,62}) exited with code [1-9]"
)
# With several targets a builder puts the name of each in front of its stage.
_TARGET = regex(r"^#\d{1,6} \[(?P<name>[a-z0-9][\w.-]{0,62}) (?:[\w./-]{1,63} ){1,2}\d{1,4}/\d{1,4}\]")
_HEAVY = regex(
    r"\b(?P<name>nvidia[-_](?:cudnn|cublas|nccl|cusparse|cusolver|cufft|curand|cuda|nvjitlink|cusparselt)\w*)[-=_ `]"
)


def _is_of_azure(text: str) -> bool:
    return (
        text.startswith(("##[section]", "Current agent version:")) or "/home/vsts/" in text or "/agent/_diag/" in text
    )


class OriginReader:
    """Looks at the lines of a log one after the other."""

    def __init__(self) -> None:
        self._machine = ""
        self._hosts: set[str] = set()
        self._services: set[str] = set()
        self._targets: set[str] = set()
        self._heavy: dict[str, None] = {}
        self._begin_s: float | None = None
        self._end_s: float | None = None

    def read(self, line: LogLine) -> None:
        """Take a line in."""
        text = line.text
        if len(text) <= SAYS_NOTHING and line.at_s is None and not line.when:
            return
        if line.at_s is not None:
            self._begin_s = line.at_s if self._begin_s is None else self._begin_s
            self._end_s = line.at_s
        if line.host and len(self._hosts) < _MOST_NAMES:
            self._hosts.add(line.host)
        # Azure writes times and errors like GitHub, whose runner comes from its agent.
        if not self._machine or (self._machine == _GITHUB and _is_of_azure(text)):
            self._machine = _AZURE if self._machine else self._machine_in(line)
        if text[:1] in "MR" and (host := _HOST.match(text)) and len(self._hosts) < _MOST_NAMES:
            self._hosts.add(next(filter(None, host.groups())))
        self._read_names(line)
        if "nvidia" in text and len(self._heavy) < _MOST_NAMES:
            self._heavy.update((found["name"].replace("_", "-"), None) for found in _HEAVY.finditer(text))

    def _read_names(self, line: LogLine) -> None:
        text = line.text
        if len(self._services) < _MOST_NAMES:
            if line.container:
                self._services.add(line.container)
            if (service := _SERVICE.match(text)) is not None:
                self._services.add(next(filter(None, service.groups())))
        if text.startswith("#") and len(self._targets) < _MOST_NAMES and (target := _TARGET.match(text)) is not None:
            self._targets.add(target["name"])

    def found(self) -> LogOrigin:
        """Return what was seen."""
        return LogOrigin(
            machine=self._machine,
            hosts=frozenset(self._hosts),
            begin_s=self._begin_s,
            end_s=self._end_s,
            services=frozenset(self._services),
            targets=frozenset(self._targets),
            heavy=tuple(self._heavy),
        )

    @staticmethod
    def _machine_in(line: LogLine) -> str:
        if _GITHUB_TIME.match(line.when):
            return _GITHUB
        if not any(word in line.text for word in _MACHINE_WORDS):
            return ""
        return next((name for name, pattern in _MACHINES if pattern.search(line.text)), "")
