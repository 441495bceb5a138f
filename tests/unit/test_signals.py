"""Signals that ask for the end: none is lost, wherever it comes."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

PROGRAM = """
import os, sys, time, weakref
from etcdtool.cli.signals import catch_signals

class Thing:
    pass

catch_signals()
thing = Thing()
reference = weakref.ref(thing, lambda _: os.kill(os.getpid(), int(sys.argv[1])))
try:
    del thing
    for _ in range(500):
        time.sleep(0.01)
except KeyboardInterrupt as stopped:
    sys.exit(getattr(stopped, "exit_code", 130))
"""
"""Where Python calls something of its own accord, it prints what is raised there, and goes on."""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_one_that_python_drops_is_raised_again(number: signal.Signals) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(number.value)], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (128 + number, "")


def test_other_things_that_python_drops_are_printed() -> None:
    program = PROGRAM.replace("os.kill(os.getpid(), int(sys.argv[1]))", "1 / 0").replace("range(500)", "range(1)")
    done = subprocess.run([sys.executable, "-c", program, "0"], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, "ZeroDivisionError" in done.stderr) == (0, True)
