"""The words by which lines of logs are told apart: what kind of sign a line is. Knows words only.

A line counts when a program complains in it, not when it merely has the words in it: advice, commands that are
printed before they run, names of tests, what a search found. Limits of the kernel that are told with the words of a
full disk are told apart from it by ``log_limits``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.decide.reports.localized_messages import (
    DISK_ERROR_ABROAD,
    NO_MEMORY_ABROAD,
    NO_SPACE_ABROAD,
    OVER_QUOTA_ABROAD,
    READ_ONLY_ABROAD,
)
from tonnage.decide.reports.log_limits import SHARED_MEMORY, limit_in, other_limit_in, tells_of_shared_memory
from tonnage.lazily import regex
from tonnage.model.reports.symptom import SymptomKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_SPACE = r"(?:no\ space\ left|enospc|disk\ (?:is\ )?full|disk\ quota\ exceeded|read-only\ file\ ?system)"
_NOT_A_COMPLAINT = regex(
    rf"""
    \b(?:if|when|whenever|in\ case|to\ avoid|avoids?|prevents?|troubleshoot\w*|see\ also|how\ to|handles?|handling
      |fix(?:es|ed)?|retry\ on|retries\ on|catch(?:es)?|instead\ of|without|recovers?\ from|survives?)\b
      [^:]{{0,60}}{_SPACE}
    | \bno\ (?:disk\ quota|enospc|read-only)\b
    | \b(?:simulat\w+|mock\w*|fake[ds]?|inject\w*|pretend\w*|expect(?:s|ing)|expected\ (?:error|failure|message)
      |as\ expected|(?<!28\.\ )(?:search|look|check|test|grep)(?:s|ed|ing|ping)?\ (?:for|that|whether|of)
      |warns?\ (?:of|if|when)|occurrences?\ of|match(?:es|ing)?\ (?:of|for)|no\ (?:match|sign
         |trace)\w*)\b.{{0,80}}{_SPACE}
    | {_SPACE}[^.:;]{{0,40}}(?:(?<!disk\ full)\?|["'`]?\ (?:is|was|are)\ (?:handled|retried|reported|caught|expected
       |not\ found|absent))
    | ^\s*(?:\++\s|\$\s|>\s(?!(?-i:[A-Z])|[\w.]{{1,200}}(?:error|exception):)|\#+\s|//|\*|--\s|<!--|\d+\s*\|\s|[CD]:\\>)
    | ^\s*(?-i:RUN|ENV|ARG|LABEL|CMD|COPY|ENTRYPOINT|HEALTHCHECK|USER|WORKDIR)\s(?!failed)
    | ^\s*(?:echo|printf|grep|egrep|rg|sed|awk|if|elif|assert\w*|expect|except|raise|throw|return|def|func|fn|case
       |journalctl
      |test)\b(?!:)
    | ^(?:[\#]\d+\ \[|\ ?=>\ (?:ERROR\ |CACHED\ )?\[|Step\ \d+/\d+\ :|\ >\ \[)
    | ^\s*(?:===\ (?:RUN|CONT|PAUSE)|---\ (?:PASS|SKIP)|\[\ (?:RUN|\ +OK)|ok\ \d+|PASS(?:ED)?\b|SKIP(?:PED)?\b|[✓✔√]
       |not\ ok\ \d+.*\#\ TODO)
    | ^(?:[0-9a-f]{{7,12}}\ (?!\w+:\ write)|HEAD\ is\ now|commit\ [0-9a-f]{{7}}|[-+*]\s+(?:fix|handle|add|document
       |improve|support|do\ not|avoid|feat|chore|docs)\b|[+-]\s*["'])
    | ^(?:\./)?[\w./-]+\.(?:py|js|ts|tsx|go|rs|c|cc|cpp|h|md|rst|sh|ya?ml|toml|java|rb|php|txt
       |json)[:-]\d+[:-](?!.{{0,300}}(?:\berror\b|warning:))
    | ^(?:\./)?[\w./-]+\.(?:py|js|ts|go|rs|c|cc|h|md|sh|ya?ml|java|rb):.{{0,200}}["'`]{_SPACE}
    | \b(?:PASSED|passed|ok|OK|SKIPPED|XFAIL)\s*(?:\[|\(|$)
    | \b\d+\ (?:passed|matches|occurrences|hits)\b
    | \b(?:class|const|let|var|enum|message|msg|pattern|regex|string)\s+\w+\s*[:=]
    """,
    re.VERBOSE | re.IGNORECASE,
)
# Quoted and nothing around it: what somebody looks for. What programs say has its error before it, or a number.
_QUOTED = regex(r"""(?<![:=,(\[>\d] )(?<![:=,(\[>])["'`](?:no space left on device|enospc)["'`]""", re.IGNORECASE)
_FULL = regex(
    r"""
    no\ space\ left\ (?:on|in)\ (?:the\ )?(?:device|disk|drive|file\ ?system|volume)
    | \benospc\b(?:\s*[:,)\]]|\s*$)
    | \bcode:?\ '?enospc\b
    | \berrno[\ :=]+-?28\b | \[errno\ 28\] | \(os\ error\ 28\) | \bcode:\ 28,\ kind:\ storagefull
       | \bgot\ error\ 28\b | \berror\ 28\ from\b
       | \berror\ number\ 28\b | \berrcode:?\ 28\b
    | (?:database\ or\ disk|disk)\ is\ full
    | sqlite_full
    | you\ don't\ have\ enough\ free\ space\ in
    | (?:not\ enough|insufficient)\ (?:free\ )?disk\ space\b
    | (?:not\ enough|insufficient)\ (?:free\ )?space\ (?:available|left)
    | (?:not\ enough|insufficient)\ (?:free\ )?space\ (?:on|in|for)\ (?:the\ |your\ )?
      (?:disk|device|drive|partition|file\ ?system|volume|system|target|download|[a-z]:|["'/])
    | cannot\ reserve\ [\d.]+\ \w+,\ not\ enough\ space
    | there\ is\ not\ enough\ space\ on\ the\ disk
    | more\ space\ needed\ on\ the\ .{1,200}\ filesystem
    | \bneeds\ [\d.]+\ ?[kmgt]?i?b\ (?:more\ space\ )?on\ the\ \S{1,200}\ filesystem
    | nospaceleft(?:error|exception) | storagefull\b
    | disk\ (?:is\ )?full\s*(?:$|[.,!;)\]"']|:(?!\s*(?:no\b|false\b|\d))|writing\b|\?\))
    | \bfile\ ?system\ (?:is\ )?full\s*(?:$|[.,!;)\]"':])
    | \bpartition\ \S{1,200}\ too\ full\b
    | \bout\ of\ inodes\b | \bno\ (?:free\ )?inodes\ (?:left|available)
    | (?:ran|run|is|am|are)\ out\ of\ disk\ ?space\b(?!.{0,200}the\ runner) | \bout\ of\ diskspace\b
       | :\ out\ of\ space\s*$
    | possibly\ out\ of\ free\ disk\ space | check\ free\ disk\ space
    | no\ free\ (?:disk\ space|space\ (?:left|on|in|available))
    | ephemeral[ -](?:local\ )?storage\ usage\ exceeds
    """,
    re.VERBOSE | re.IGNORECASE,
)
_THIN_POOL = regex(
    r"""
    thin\ pool\ has\ \d+\ free\ (?:data|metadata)\ blocks\ which\ is\ less
    | \bdm\.min_free_space\b
    | device-mapper:\ thin:.{0,80}(?:out-of-data-space|out\ of\ (?:data|metadata)\ space|no\ free\ (?:data
       |metadata)\ space|no-space)
    | thin.pool.{0,80}(?:is\ full|out\ of\ (?:data|metadata)?\ ?space|free\ space\ exhausted)
    | insufficient\ free\ space:\ \d+\ extents\ needed
    """,
    re.VERBOSE | re.IGNORECASE,
)
_CUT_SHORT = regex(
    r"""
    (?P<apt_signature>at\ least\ one\ invalid\ signature\ was\ encountered
       |splitting\ up\ \S{1,400}\ into\ data\ and\ signature\ failed
       |couldn't\ create\ temporary\ file\ (?:to\ work\ with\ )?/\S{1,200})
    | (?P<download>\bcurl:\ \(23\)|failed\ writing\ (?:body|received\ data|header)
       |failure\ writing\ output\ to\ destination
       |errorcode=9\b|cannot\ write\ to\ \S{1,300}\ \(success\))
    | (?P<short_write>\bwrote\ only\ -?\d+\ of\ \d+\ bytes|\bshort\ write\b|only\ -?\d+\ of\ \d+\ bytes\ written
       |\b\d{1,20}\ requested\ and\ \d{1,20}\ written|pytorchstreamwriter\ failed\ writing
       |inline_container\.cc:\d{1,6}\][ .]{1,4}unexpected\ pos\b|\bincomplete\ write\b|error\ 37\ :\ write\ error)
    | (?P<archive>\bwheel\ '[^']{1,200}'\ located\ at\ \S{1,400}\ is\ invalid
       |\b(?:gzip|tar|unzip|xz|zstd|bzip2|7z)\b.{0,80}unexpected\ end\ of\ (?:file|archive|data|input)
       |end-of-central-directory\ signature\ not\ found|\bbadzipfile:|\bzlib\.error:\ error\ -5)
    | (?P<database>unable\ to\ persist\ to\ disk|wrote\ only\ \d+\ bytes\ at\ block)
    """,
    re.VERBOSE | re.IGNORECASE,
)
_QUOTA = regex(
    r"""
    (?<!or\ a\ )disk\ quota\ exceeded | \bedquot\b | \(os\ error\ 122\) | \[errno\ 122\] | \berrno[\ :=]+-?122\b
       | \bquota\ exceeded\ \(
    | (?P<artifacts>artifact\ storage\ quota\ has\ been\ hit)
    | (?P<git_lfs>over\ its\ data\ quota)
    | (?P<etcd>mvcc:\ database\ space\ exceeded)
    """,
    re.VERBOSE | re.IGNORECASE,
)
_READ_ONLY = regex(
    r"read-only file ?system|\berofs\b(?!-)|\[errno 30\]|\(os error 30\)|remounting filesystem read-only", re.IGNORECASE
)
_DISK_ERROR = regex(
    r"""
    input/output\ error | \beio\b:? \ (?=i/o) | \beio:\ i/o\ error | \[errno\ 5\] | \(os\ error\ 5\)
    | \bi/o\ error,\ dev\ \S+ | buffer\ i/o\ error\ on\ dev | critical\ (?:medium|target|space\ allocation)\ error,\ dev
    | \bext4-fs\ error\ \(device\ | \bxfs\ \([\w-]+\):\ (?:metadata|log)\ i/o\ error | \bbtrfs:?\ error\ \(device
    """,
    re.VERBOSE | re.IGNORECASE,
)
_REGISTRY_FULL = regex(
    r"""
    \b507\b[^\n]{0,20}insufficient\ storage | insufficient\ storage\b
    | err\.detail="?filesystem: | \bfilesystem:\ (?:write|mkdir|open|sync)\ /\S{1,400}:\ no\ space\ left
    | /docker/registry/v2/\S{0,400}:\ no\ space\ left
    | "op":"(?:write|mkdir|open|sync)","path":"[^"]{0,400}/docker/registry/v2[^"]{0,400}","err":28
    | (?:unexpected\ (?:http\ )?status|http\ status|status\ code)\b[^\n]{0,200}\b5\d\d\b[^\n]{0,400}no\ space\ left
    | (?:push|upload)\w*\b[^\n]{0,300}\bunknown:\ [^\n]{0,200}no\ space\ left
    | \bdrivername:filesystem\b[^\n]{0,200}\berr:28\b | xminiostoragefull
       | reached\ its\ minimum\ free\ drive\ threshold
    """,
    re.VERBOSE | re.IGNORECASE,
)
_SIGBUS = regex(
    r"terminated with signal 7\b|\(signal: 7\b|\bSIGBUS\b(?! handler)|exit code:? 135\b|\bError 135\b"
    r"|(?:^|[\s:(])Bus error(?:\s*\)?$|\s*\(core dumped\))|: line \d+:\s+\d+ Bus error\b"
)
_LAYER = regex(r"failed to register layer", re.IGNORECASE)
_RUNNER = regex(
    r"""
    the\ runner\ has\ received\ a\ shutdown\ signal
    | the\ (?:hosted|self-hosted)\ runner(?::\ .*|\ )?lost\ communication\ with\ the\ server
    | lost\ communication\ with\ the\ server\.\ (?:verify|anything)
    | we\ stopped\ hearing\ from\ (?:agent|runner)
    | runner\.(?:worker|listener).*(?:unhandled\ exception|ioexception)
    """,
    re.VERBOSE | re.IGNORECASE,
)
_LOW_DISK = regex(
    r"""
    running\ out\ of\ disk\ space\b.{0,200}free\ space\ left | low\ on\ disk\ space
    | disk\ space\ is\ (?:critically\ )?low
    | (?:low|high|flood[ -]stage)\ (?:disk\ )?watermark\b.{0,80}exceeded | exceeded\ flood-stage\ watermark
    | low\ on\ resource:\ ephemeral-storage | \bdisk-?pressure\b | has\ disk\ ?pressure | freediskspacefailed
    | attempting\ to\ reclaim\ ephemeral-storage | disk\ resource\ limit\ alarm\ set
    """,
    re.VERBOSE | re.IGNORECASE,
)
_IMAGE = regex(
    r"""
    no\ such\ image:\ (?P<a>\S+)
    | unable\ to\ find\ image\ '(?P<b>[^']+)'\ locally
    | image\ "?(?P<c>[\w./:@-]+)"?:?\ not\ found
    | manifest\ for\ (?P<e>\S+)\ not\ found
    | (?<!\S)["']?(?P<d>[a-z0-9][\w./-]*(?::[\w.-]+|@sha256:[0-9a-f]+))["']?:\ not\ found$
    | failed\ to\ export\ image:\ .*not\ found
    | failed\ to\ get\ layer\ (?P<f>\S{1,80}):\ layer\ does\ not\ exist | (?P<layer>layer\ does\ not\ exist)
    | (?P<blob>content\ digest\ sha256:[0-9a-f]{4,64}):\ not\ found | parent\ snapshot\ \S{1,200}\ does\ not\ exist
    """,
    re.VERBOSE | re.IGNORECASE,
)
_MEMORY = regex(
    r"""
    (?P<gpu>cuda\ out\ of\ memory|outofmemoryerror:\ (?:cuda|hip)|cuda_error_out_of_memory|cublas_status_alloc_failed
       |oom\ when\ allocating\ tensor\b.{0,400}device:gpu)
    | (?:exit(?:ed\ with)?\ (?:code|status)|code|status|\berror):?\ 137\b | \breturned\ 137\b | \boom-?kill
       |\boomkilled\b
    | out\ of\ memory:\ killed\ process | memory\ cgroup\ out\ of\ memory
    | (?P<refused>\bcannot\ allocate\ memory\b|\bmemory\ allocation\ problem\b|oom\ when\ allocating\ tensor
       |std::bad_alloc|\[errno\ 12\]|\(os\ error\ 12\)|^memoryerror\b
       |\bmemoryerror:
       |heap\ out\ of\ memory|java\.lang\.outofmemoryerror|out\ of\ memory,\ malloc\ failed|virtual\ memory\ exhausted)
    | \bkilled\s*$ | killed\ signal\ terminated\ program | signal:\ 9,\ sigkill | terminated\ by\ signal\ 9\b
       | signal\ ["'(]?sigkill
       | killed\ by\ signal:\ killed
    """,
    re.VERBOSE | re.IGNORECASE,
)
_PIP = regex(
    r"""
    could\ not\ find\ a\ version\ that\ satisfies\ the\ requirement\ (?P<a>\S+)
    | no\ matching\ distribution\ found\ for\ (?P<b>\S+)
    | resolutionimpossible
    | do\ not\ match\ the\ hashes
    | failed\ (?:building\ wheel\ for|to\ build)\ `?(?P<c>[\w.@=-]+)
    | could\ not\ install\ packages\ due\ to\ an
    | no\ solution\ found\ when\ resolving\ dependencies
    | read\ ?timed\ out\..*pip | readtimeouterror
    """,
    re.VERBOSE | re.IGNORECASE,
)
_ACCESS = regex(
    r"pull access denied for (?P<a>[\w./-]+)|toomanyrequests|unauthorized: authentication required"
    r"|denied: requested access|(?P<server>received unexpected HTTP status: 5\d\d\b"
    r"|unexpected status(?: code)? [^\n]{0,300}: 5\d\d (?:Internal Server Error|Service Unavailable|Bad Gateway))",
    re.IGNORECASE,
)
_BUILD = regex(
    r"""
    (?P<builder_lost>error\ reading\ from\ server:\ eof|closing\ transport\ due\ to:|code\ =\ unavailable\ desc\ =
      |failed\ to\ solve:\ unavailable\b|transport\ is\ closing|listing\ workers\ for\ build.{0,100}unavailable
      |cannot\ connect\ to\ the\ docker\ daemon)
    | failed\ to\ solve:? | executor\ failed\ running
    | the\ command\ '.*'\ returned\ a\ non-zero\ code:\ \d+
    | dockerfile\ parse\ error | failed\ to\ compute\ cache\ key | did\ not\ complete\ successfully:\ exit\ code:\ \d+
    """,
    re.VERBOSE | re.IGNORECASE,
)
# Every pattern above needs one of these; most lines of a log have none, and are done with.
_WORDS = (
    *("space", "inodes", "enospc", "errno", "os error", "disk", "sqlite_full", "quota", "edquot", "storage"),
    *("signal", "sigbus", "sigkill", "bus error", "exit code", "code 137", "status 137", "status: 137", "error 13"),
    *("returned 137", "register layer", "runner", "stopped hearing", "error 28", "full", "kill"),
    # Not the word alone: it stands in "nothing".
    *("thin p", "thin-p", "thin_p", "thin:"),
    *("cannot allocate", "memory", "bad_alloc", "pull access", "toomanyrequests", "unauthorized", "denied"),
    *("satisfies the requirement", "matching distribution", "resolutionimpossible", "the hashes", "timeout"),
    *("timed out", "failed", "could not install", "no solution", "such image", "unable to find", "not found"),
    *("non-zero", "parse error", "read-only", "erofs", "input/output", "i/o error", "ext4-fs error", "xfs ("),
    *("btrfs", "critical ", "watermark", "diskpressure", "invalid", "splitting up", "couldn't create", "(23)"),
    *("failure writing", "wrote only", "short write", "written", "incomplete write", "end of ", "end-of-"),
    *("badzipfile", "zlib", "errorcode", "cannot write to", "unable to persist", "write error", "insufficient"),
    *("unexpected ", "layer does not", "snapshot", "content digest", "drivername", "transport", "unavailable"),
    *("cannot connect", "eof", "cublas", "cuda", "shm", "oom", "mvcc", "pressure", "too many open", "emfile"),
    *("enfile", "temporarily unavailable", "thread", "fork", "no more processes", "conntrack", "loop device"),
    *("inline_container", "allocation problem"),
)
# The first that holds names the line: what a full disk says comes before what follows from it.
_KINDS: tuple[tuple[SymptomKind, re.Pattern[str]], ...] = (
    (SymptomKind.REGISTRY_FULL, _REGISTRY_FULL),
    (SymptomKind.QUOTA, _QUOTA),
    (SymptomKind.LOW_DISK, _LOW_DISK),
    (SymptomKind.DISK_FULL, _FULL),
    (SymptomKind.READ_ONLY, _READ_ONLY),
    (SymptomKind.DISK_ERROR, _DISK_ERROR),
    (SymptomKind.CUT_SHORT, _CUT_SHORT),
    (SymptomKind.SIGBUS, _SIGBUS),
    (SymptomKind.LAYER, _LAYER),
    (SymptomKind.RUNNER_LOST, _RUNNER),
    (SymptomKind.MEMORY, _MEMORY),
    (SymptomKind.ACCESS, _ACCESS),
    (SymptomKind.PIP, _PIP),
    (SymptomKind.IMAGE_MISSING, _IMAGE),
    (SymptomKind.BUILD, _BUILD),
)
_ABROAD: tuple[tuple[SymptomKind, Sequence[str]], ...] = (
    (SymptomKind.QUOTA, OVER_QUOTA_ABROAD),
    (SymptomKind.DISK_FULL, NO_SPACE_ABROAD),
    (SymptomKind.READ_ONLY, READ_ONLY_ABROAD),
    (SymptomKind.DISK_ERROR, DISK_ERROR_ABROAD),
    (SymptomKind.MEMORY, NO_MEMORY_ABROAD),
)
_ABROAD_IN_ASCII = tuple((kind, tuple(each for each in messages if each.isascii())) for kind, messages in _ABROAD)
_CAUSES = frozenset(
    {
        *("apt_signature", "download", "short_write", "archive", "database", "artifacts", "git_lfs", "etcd", "layer"),
        *("blob", "gpu", "refused", "server", "builder_lost"),
    }
)
_QUOTES = frozenset("'\"`«»„“”")
_OF_KERNEL_MEMORY = frozenset({"cgroup", "netfilter"})
"""What the kernel has memory of its own for, and refuses with the words of memory that ran out."""
_LIKE_A_DISK = frozenset({SymptomKind.DISK_FULL, SymptomKind.QUOTA})


class FoundWords(Struct, frozen=True, kw_only=True):
    """What a line says.

    Args:
        cause: Which of several causes of that kind; empty where it has one.
        subject: What it is about.
        begin: Where the complaint begins in the line.
    """

    kind: SymptomKind
    cause: str = ""
    subject: str = ""
    begin: int = 0


def words_of(lines: Iterable[str]) -> tuple[str, ...]:
    """Return the words in some lines without which no line is a sign: hundreds of lines have few of them together."""
    small = "\n".join(lines).lower()
    return tuple(word for word in _WORDS if word in small)


def words_in(line: str, above: Iterable[str] = (), words: Iterable[str] = _WORDS) -> FoundWords | None:
    """Return what kind of sign a line is; None for none.

    Args:
        above: The few lines above it.
        words: Among which those of ``words_of`` are that the line has.
    """
    small = line.lower()
    if not any(word in small for word in words):
        return _abroad(small, above)
    limit = SHARED_MEMORY if tells_of_shared_memory(line) else other_limit_in(line)
    if limit:
        return None if _is_no_complaint(line) else FoundWords(kind=SymptomKind.KERNEL_LIMIT, cause=limit)
    pool = _THIN_POOL.search(line)
    if pool is not None:
        return FoundWords(kind=SymptomKind.DISK_FULL, cause="thin-pool", begin=pool.start())
    for kind, pattern in _KINDS:
        match = pattern.search(line)
        if match is None:
            continue
        if _is_no_complaint(line):
            return None
        if (told := _of_a_limit(kind, match, line, above)) is not None:
            return told
        groups = match.groupdict()
        cause = next((name.replace("_", "-") for name in _CAUSES if groups.get(name)), "")
        subject = next((value for name, value in groups.items() if value and name not in _CAUSES), "")
        if kind is SymptomKind.IMAGE_MISSING and groups.get("f"):
            cause = "layer"
        return FoundWords(kind=kind, cause=cause, subject=subject.strip("'\"`,"), begin=match.start())
    return _abroad(small, above)


def _of_a_limit(kind: SymptomKind, match: re.Match[str], line: str, above: Iterable[str]) -> FoundWords | None:
    """Return what a line about missing space or memory says where neither a disk nor the machine's memory is meant."""
    if kind in _LIKE_A_DISK and (limit := limit_in(line, "\n".join(above))):
        return FoundWords(kind=SymptomKind.KERNEL_LIMIT, cause=limit, begin=match.start())
    if kind is SymptomKind.MEMORY and match.lastgroup == "refused":
        limit = limit_in(line)
        if limit == SHARED_MEMORY:
            return FoundWords(kind=kind, cause=SHARED_MEMORY, begin=match.start())
        if limit in _OF_KERNEL_MEMORY:
            return FoundWords(kind=SymptomKind.KERNEL_LIMIT, cause=limit, begin=match.start())
    return None


def _is_no_complaint(line: str) -> bool:
    return _NOT_A_COMPLAINT.search(line) is not None or _QUOTED.search(line) is not None


def _abroad(small: str, above: Iterable[str]) -> FoundWords | None:
    for kind, messages in _ABROAD_IN_ASCII if small.isascii() else _ABROAD:
        found = next((each for each in messages if each in small), None)
        if found is None:
            continue
        if _is_no_complaint(small):
            return None
        begin = small.index(found)
        if small[begin - 1 : begin] in _QUOTES and small[begin + len(found) :][:1] in _QUOTES:
            return None
        if kind in _LIKE_A_DISK and (limit := limit_in(small, "\n".join(above))):
            return FoundWords(kind=SymptomKind.KERNEL_LIMIT, cause=limit, begin=begin)
        return FoundWords(kind=kind, begin=begin)
    return None
