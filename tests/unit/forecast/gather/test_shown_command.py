from __future__ import annotations

from tonnage.forecast.gather.context import shown_command


def test_a_long_command_is_cut_between_words_so_that_an_address_stays_itself() -> None:
    command = "pip install torch==2.3.1 torchvision==0.18.1 --extra-index-url https://download.example.org/whl/cpu"
    assert shown_command(command) == "pip install torch==2.3.1 torchvision==0.18.1 --extra-index-url ..."
    assert shown_command("pip install  six") == "pip install  six"
