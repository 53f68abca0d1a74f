"""What programs say when something ran out: a pattern for each kind of sign. Pure data.

A group of a pattern that ``CAUSES`` names tells which of several causes a line has; another one tells what the line is
about. Whether a line complains at all is told by ``log_words``.
"""

from __future__ import annotations

import re

from tonnage.lazily import regex
from tonnage.model.reports.symptom import SymptomKind

_FULL = regex(
    r"""
    no\ space\ left\ (?:on|in)\ (?:the\ )?(?:device|disk|drive|file\ ?system|volume)
    | \benospc\b(?:\s*[:,)\]]|\s*$)
    | \bcode:?\ '?enospc\b
    | \berrno[\ :=]+-?28\b | \[errno\ 28\] | \(os\ error\ 28\) | \bcode:\ 28,\ kind:\ storagefull
       | \bgot\ error\ 28\b | \berror\ 28\ from\b
       | \berror\ number\ 28\b | \berrcode:?\ 28\b
    | (?:database\ or\ disk|disk)\ is\ full\b(?!\ of\b)
    | sqlite_full
    | you\ don't\ have\ enough\ free\ space\ in
    | (?:not\ enough|insufficient)\ (?:free\ )?disk\ space\b
    | (?:not\ enough|insufficient)\ (?:free\ )?space\ (?:available|left)
    | (?:not\ enough|insufficient)\ (?:free\ )?space\ (?:on|in|for)\ (?:the\ |your\ )?
      (?:disk|device|drive|partition|file\ ?system|volume|system|target|download|[a-z]:|["'/])
    | cannot\ reserve\ [\d.]+\ \w+,\ not\ enough\ space
    | there\ is\ not\ enough\ space\ on\ the\ disk
    | more\ space\ needed\ on\ the\ .{1,200}\ filesystem
    | \bneeds\ [\d.]+\ ?[kmgt]?i?b\ (?:more\ space\ )?on\ the\ \S{1,200}\ file\ ?system
    | nospaceleft(?:error|exception) | storagefull\b
    | disk\ (?:is\ )?full\s*(?:$|[.,!;)\]"']|:(?!\s*(?:no\b|false\b|\d))|writing\b|\?\))
    | \bfile\ ?system\ (?:is\ )?full\s*(?:$|[.,!;)\]"':])
    | \bpartition\ \S{1,200}\ too\ full\b
    | \bout\ of\ inodes\b | \bno\ (?:free\ )?inodes\ (?:left|available)
    | (?:ran|run|is|am|are)\ out\ of\ disk\ ?space\b(?!.{0,200}the\ runner) | \bout\ of\ diskspace\b
       | :\ out\ of\ space\s*$
    | possibly\ out\ of\ free\ disk\ space | check\ free\ disk\ space
    | no\ free\ (?:disk\ space|space\ (?:left|on|in|available)) | \bno\ space\ on\ device\b
    | ephemeral[ -](?:local\ )?storage\ usage\ exceeds
    """,
    re.VERBOSE | re.IGNORECASE,
)
THIN_POOL = regex(
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
       |inline_container\.cc:\d{1,6}\][ .]{1,4}unexpected\ pos\b|\bincomplete\ write\b|error\ 37\ :\ write\ error
       |write\ error\ on\ zip\ file|io\ failure\ on\ output\ stream|\bfailed\ to\ write\ all\ bytes\ for\b)
    | (?P<archive>\bwheel\ '[^']{1,200}'\ located\ at\ \S{1,400}\ is\ invalid
       |\b(?:gzip|tar|unzip|xz|zstd|bzip2|7z)\b.{0,80}unexpected\ end\ of\ (?:file|archive|data|input)
       |end-of-central-directory\ signature\ not\ found|\bbadzipfile:|\bzlib\.error:\ error\ -5)
    | (?P<database>unable\ to\ persist\ to\ disk|wrote\ only\ \d+\ bytes\ at\ block)
    | (?P<temporary>insufficient\ space\ for\ shared\ memory\ file
       |internal\ error:\ cannot\ create\ temporary\ directory
       |no\ usable\ temporary\ (?:directory|file)\b.{0,20}\ found)
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
    | (?P<namespace>\bexceeded\ quota:\ [^\n]{0,200}\brequested:\ [^\n]{0,200}(?:requests\.storage|ephemeral-storage)=)
    | (?P<provider>\bquota\ '\w*(?:disks?|ssd|storage)\w*'\ exceeded)
    """,
    re.VERBOSE | re.IGNORECASE,
)
_READ_ONLY = regex(
    r"read-only file ?system|\berofs\b(?!-)|\[errno 30\]|\(os error 30\)|remounting filesystem read-only", re.IGNORECASE
)
_DISK_ERROR = regex(
    r"""
    input/output\ error | aborting\ journal\ on\ device | detected\ aborted\ journal
    | \bjbd2:?\ [^\n]{0,60}\b(?:error|invalid\ checksum)\b | \bloop:\ write\ error\ at\ byte
    | \bi/o\ error\ -?\d+\ writing\ to\ inode
    | \beio\b:? \ (?=i/o) | \beio:\ i/o\ error | \[errno\ 5\] | \(os\ error\ 5\)
    | \bi/o\ error,\ dev\ \S+ | buffer\ i/o\ error\ on\ dev | critical\ (?:medium|target|space\ allocation)\ error,\ dev
    | \bext4-fs\ error\ \(device\ | \bxfs\ \([\w-]+\):\ (?:metadata|log)\ i/o\ error | \bbtrfs:?\ error\ \(device
    """,
    re.VERBOSE | re.IGNORECASE,
)
_REGISTRY_FULL = regex(
    r"""
    \b507\b[^\n]{0,20}insufficient\ storage | \bhttp\ 507\b | insufficient\ storage\b
    | err\.detail="?filesystem: | \bfilesystem:\ (?:write|mkdir|open|sync)\ /\S{1,400}:\ no\ space\ left
    | /docker/registry/v2/\S{0,400}:\ no\ space\ left
    | "op":"(?:write|mkdir|open|sync)","path":"[^"]{0,400}/docker/registry/v2[^"]{0,400}","err":28
    | (?:unexpected\ (?:http\ )?status|http\ status|status\ code)\b[^\n]{0,200}\b5\d\d\b[^\n]{0,400}no\ space\ left
    | (?:push|upload)\w*\b[^\n]{0,300}\bunknown:\ [^\n]{0,200}no\ space\ left
    | \bdrivername:filesystem\b[^\n]{0,200}\berr:28\b | xminiostoragefull
       | reached\ its\ minimum\ free\ drive\ threshold
    | (?P<quota>\bwill\ exceed\ the\ configured\ upper\ limit\ of\b|\bover\ the\ quota:\ used\ \d+\ but\ only\ hard\b
       |\baccountsizeoverquota\b|storage\ usage\ is\ over\ quota|\bdatastore\ disk\ (?:usage\ )?is\ too\ high
       |\bdenied:\ [^\n]{0,200}\b(?:quota|storage\ limit)\b[^\n]{0,60}\b(?:exceeded|reached)
       |\bdenied:\ [^\n]{0,40}\bexceeded\b[^\n]{0,60}\bquota\b
       |\bquota\ has\ been\ exceeded\ on\ namespace|\bproject\ size\ too\ large\b
       |\b(?:namespace\ )?storage\ limit\ of\ [^\n]{1,40}\ has\ been\ reached
       |\bover\ its\ (?:namespace\ )?storage\ limit
       |\brepository\ has\ reached\ its\ storage\ limit|\bregistry\ contains\ \d+\ \w+,\ limit\ is\ \d+)
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
    | (?:nearly|almost)\ out\ of\ disk\ space | disk\ space\ is\ (?:too\ low|below\ (?:the\ )?threshold)
    | free\ disk\ space\ on\ \S{1,200}\ is\ lower\ than | may\ have\ been\ caused\ by\ lack\ of\ free\ disk\ space
    | \bkubeletoutofdisk\b
    | disk\ space\ is\ (?:critically\ )?low
    | (?:low|high|flood[ -]stage)\ (?:disk\ )?watermark\b.{0,80}exceeded | exceeded\ flood-stage\ watermark
    | low\ on\ resource:\ ephemeral-storage | \bdisk-?pressure\b(?!["']?:?\s+(?:false|unknown)\b) | has\ disk\ ?pressure
    | freediskspacefailed
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
    (?P<gpu>(?:cuda|hip|mps\ backend|xpu)\ out\ of\ memory|outofmemoryerror:\ (?:cuda|hip|xpu)
      |(?:cuda|hip)\ error:\ out\ of\ memory|no\ available\ memory\ for\ the\ cache\ blocks
      |\bfree\ memory\ on\ device\b.{0,200}\bless\ than\ desired\ gpu\ memory
      |cuda_error_out_of_memory|cublas_status_alloc_failed
       |oom\ when\ allocating\ tensor\b.{0,400}device:gpu)
    | (?:exit(?:ed\ with)?\ (?:code|status)|code|status|\berror):?\ 137\b | \breturned\ 137\b
    | \bkilled\ by\ the\ oom\ killer\b | \bearlyoom\b.{0,80}\bsending\ sig
    | \boom-?kill(?:er|ed|ing)?\b(?!["']?\s*[:=]\s*false)
    | (?P<heap>heap\ out\ of\ memory|java\.lang\.outofmemoryerror:\ (?:java\ heap|gc\ overhead|metaspace)
       |could\ not\ reserve\ enough\ space\ for\ (?:\S{1,20}\ )?(?:object\ heap|code\ cache)
       |allowed\ memory\ size\ of\ \d+\ bytes\ exhausted|\bexpiring\ daemon\ because\ jvm\ heap\ space\ is\ exhausted)
    | out\ of\ memory:\ killed\ process | memory\ cgroup\ out\ of\ memory
    | (?P<refused>\bcannot\ allocate\ memory\b|\bmemory\ allocation\ problem\b|oom\ when\ allocating\ tensor
       |std::bad_alloc|\[errno\ 12\]|\(os\ error\ 12\)|^memoryerror\b
       |\bmemoryerror:
       |java\.lang\.outofmemoryerror|out\ of\ memory,\ malloc\ failed|virtual\ memory\ exhausted
       |\bruntime:\ (?:out\ of\ memory|cannot\ allocate\ memory)|insufficient\ memory\ for\ the\ java\ runtime
       |native\ memory\ allocation\ \(\w+\)\ failed|memory\ allocation\ of\ \d+\ bytes\ failed)
    | (?:^|[\]:>|]\s)\s*killed(?::\ 9)?\s*$ | \bsignal:\ killed\b | :\s+\d+\s+killed(?:\s{2,}\S|\s*$)
    | \breceived\ "killed"\ signal
    | \bexceeded\ (?:its\ )?memory\ limit\b | \bexited\ with\ sigkill\b
    | system\ ran\ out\ of\ memory\ or\ someone\ called
    | killed\ signal\ terminated\ program | signal:\ 9,\ sigkill | terminated\ (?:by|with)\ signal\ 9\b
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
# The first that holds names the line: what a full disk says comes before what follows from it.
KINDS: tuple[tuple[SymptomKind, re.Pattern[str]], ...] = (
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
CAUSES = frozenset(
    {
        *("apt_signature", "download", "short_write", "archive", "database", "artifacts", "git_lfs", "etcd", "layer"),
        *("blob", "gpu", "refused", "server", "builder_lost", "quota", "namespace", "provider", "temporary", "heap"),
    }
)
