from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tonnage import lazily


def test_a_regular_expression_is_compiled_when_it_is_first_asked() -> None:
    compiled: list[object] = []
    wrong = lazily.regex("(")
    with pytest.raises(re.error):
        wrong.match("(")
    found = lazily.regex(r"(?P<letter>[a-z])\d", re.IGNORECASE)
    for _ in range(2):
        match = found.fullmatch("A1")
        assert match is not None
        compiled.append(match.re)
    assert compiled[0] is compiled[1]
    assert found.sub("-", "a1b2") == "--"
    assert found.flags & re.IGNORECASE


_FIRST_AT_ONCE = """
import sys, threading, types
import msgspec
{importing}

sys.setswitchinterval(1e-6)
inner = "".join(f"class I{{n}}(msgspec.Struct):\\n  a: int = 0\\n  b: str | None = None\\n" for n in range(20))
outer = "class Outer(msgspec.Struct):\\n" + "".join(f"  f{{n}}: tuple[I{{n}}, ...] = ()\\n" for n in range(20))
told = msgspec.msgpack.encode({{f"f{{n}}": [{{"a": 1}}] for n in range(20)}})
for number in range(40):
    made = sys.modules[f"m{{number}}"] = types.ModuleType(f"m{{number}}")
    made.msgspec, made.__name__ = msgspec, f"m{{number}}"
    exec("from __future__ import annotations\\n" + inner + outer, made.__dict__)
    together = threading.Barrier(4)

    def first():
        together.wait()
        msgspec.msgpack.decode(told, type={form})

    threads = [threading.Thread(target=first) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
print("done")
"""


def _run(importing: str, form: str) -> subprocess.CompletedProcess[str]:
    script = _FIRST_AT_ONCE.format(importing=importing, form=form)
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=240)


def test_threads_that_are_the_first_to_decode_a_type_do_not_end_the_process() -> None:
    ran = _run("from tonnage.lazily import learned", "learned(made.Outer)")
    assert (ran.returncode, ran.stdout) == (0, "done\n"), ran.stderr[-1000:]
