from __future__ import annotations

import json

from tonnage.views.json.plan_and_run import json_text


def test_text_of_any_language_stays_as_it_is() -> None:
    assert json_text({"what": "\u00fc\U0001f600"}) == '{"what":"\u00fc\U0001f600"}'


def test_bytes_that_are_no_text_are_shown_as_such_and_the_rest_stays() -> None:
    told = json.loads(json_text({"what": "x\udcffy", "list": ["\u00fc", {"\udc80": 104_729}]}))
    assert told == {"what": "x\ufffdy", "list": ["\u00fc", {"\ufffd": 104_729}]}
