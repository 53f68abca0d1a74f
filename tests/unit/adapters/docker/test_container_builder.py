"""What buildx tells of a builder, in the forms of 0.29 (JSON, a block with blanks) and of 0.13 (a block with tabs)."""

from __future__ import annotations

from tonnage.adapters.docker.selected_builder import read_blocks, read_records

JSON = r"""
{"CreatedAt":"2026-11-29 11:50:27.2 +0000 UTC","Description":"local source for context","ID":"v6171ctgiznyzwdxvgv3zzjke","LastUsedAt":"5 seconds ago","Mutable":true,"Parents":null,"Reclaimable":true,"Shared":false,"Size":"1.987MB","Type":"source.local","UsageCount":1}
{"CreatedAt":"2026-11-29 11:50:36.1 +0000 UTC","Description":"mount / from exec /bin/sh -c true > /zero","ID":"k38zy9l7qonthsc5iw6rfr8un","LastUsedAt":"5 seconds ago","Mutable":false,"Parents":["hk12qg6ljzr701l0j9nv22i8t"],"Reclaimable":false,"Shared":true,"Size":"40.04MB","Type":"regular","UsageCount":1}
"""  # noqa: E501 - as it was printed
BLOCKS = """\
ID:           v6171ctgiznyzwdxvgv3zzjke
Created at:   2026-11-29 11:50:27.288500924 +0000 UTC
Mutable:      true
Reclaimable:  true
Shared:       false
Size:         1.987MB
Description:  local source for context
Usage count:  1
Last used:    3 seconds ago
Type:         source.local

ID:\t\tk38zy9l7qonthsc5iw6rfr8un
Parent:\t\thk12qg6ljzr701l0j9nv22i8t
Created at:\t2026-11-29 11:50:36.154217344 +0000 UTC
Mutable:\tfalse
Reclaimable:\tfalse
Shared:\ttrue
Size:\t\t40.04MB
Description:\tmount / from exec /bin/sh -c true > /zero
Usage count:\t1
Last used:\t3 seconds ago
Type:\t\tregular

Reclaimable:\t1.987MB
Total:\t\t42.03MB
"""


def test_records_are_read_alike_from_both_forms() -> None:
    found = read_records(JSON, "cont")
    assert found == read_blocks(BLOCKS, "cont")
    sent, made = found
    assert (sent.record_id, sent.kind, sent.size_bytes) == ("v6171ctgiznyzwdxvgv3zzjke", "source.local", 1_987_000)
    assert (sent.in_use, sent.shared, sent.parents, sent.builder) == (False, False, (), "cont")
    assert (made.in_use, made.shared, made.parents) == (True, True, ("hk12qg6ljzr701l0j9nv22i8t",))
    assert made.description == "mount / from exec /bin/sh -c true > /zero"


def test_a_description_with_further_lines_is_no_further_record_with_a_pattern_for_an_id() -> None:
    written = "mount / from exec /bin/sh -c <<EOF\n\nID: .*\nSize: 1GB\nReclaimable: true\n\nEOF"
    assert [each.record_id for each in read_blocks(BLOCKS.replace("local source for context", written), "cont")] == [
        "v6171ctgiznyzwdxvgv3zzjke",
        "k38zy9l7qonthsc5iw6rfr8un",
    ]
    assert read_records(JSON.replace("v6171ctgiznyzwdxvgv3zzjke", "^.*$"), "cont")[0].record_id.startswith("k38")


def test_what_is_no_record_is_passed_over() -> None:
    assert read_records('17\n"x"\n[]\n{"ID": "k38zy9l7qonthsc5iw6rfr8un"}\nno JSON\n\n', "cont") == ()
    assert read_records('{"ID": "k38zy9l7qonthsc5iw6rfr8un", "Size": "much"}', "cont") == ()
