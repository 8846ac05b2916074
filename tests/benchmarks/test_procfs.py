"""All processes of a server are found, also those that left its tree."""

import os
import subprocess
import sys

from benchmarks import procfs

_ORPHAN = """
import os, sys, time
if os.fork() == 0:
    if os.fork() == 0:
        print(os.getpid(), flush=True)
        sys.stdin.read()
    os._exit(0)
os.wait()
sys.stdin.read()
"""


def test_a_grandchild_whose_parent_ended_is_found_by_its_session() -> None:
    command = [sys.executable, "-c", _ORPHAN]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stdout is not None
        orphan = int(process.stdout.readline())
        found = procfs.family(process.pid)
        process.communicate()
    assert {process.pid, orphan} <= set(found)
    assert os.getpid() not in found


def test_cpu_time_grows_with_work() -> None:
    before = procfs.cpu_seconds([os.getpid()])
    while procfs.cpu_seconds([os.getpid()]) <= before:
        sum(range(100_000))


def test_memory_of_a_process_that_is_gone_is_nothing() -> None:
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    assert procfs.pss_bytes([done.pid]) == 0
    assert procfs.pss_bytes([os.getpid()]) > 0
