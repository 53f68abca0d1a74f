from __future__ import annotations

import signal

import pytest

from tonnage.adapters.private_engine.signals import ending_signals_raise, signals_later, signals_wait
from tonnage.errors import InterruptedRunError


def test_ctrl_c_waits_until_the_program_at_hand_has_ended() -> None:
    done = []

    def work() -> None:
        with signals_later():
            signal.raise_signal(signal.SIGINT)
            done.append("the rest")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["the rest"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_nothing_interrupts_a_removal() -> None:
    with signals_wait():
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.raise_signal(number)


def test_what_would_end_the_program_without_cleaning_up_is_an_error_meanwhile() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        with pytest.raises(InterruptedRunError) as caught, ending_signals_raise():
            signal.raise_signal(signal.SIGHUP)
        assert caught.value.exit_code == 129
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, before)
