"""Started as a script between us and the embedded server: ties the server's life to ours, then becomes the server.

``python -I -S _launch.py PARENT_PID PROGRAM [ARGUMENT …]``. On Linux the server gets SIGTERM when its parent dies
(prctl(2), PR_SET_PDEATHSIG), so that a killed service leaves no server behind for ever; elsewhere the next start takes
over what it finds. A preexec_fn would do the same, but is unsafe in a process with threads, and ours has some.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Bind to the parent and become the program."""
    parent, program = int(sys.argv[1]), sys.argv[2]
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:  # it died before we asked to be told
            sys.exit(1)
    os.execv(program, sys.argv[2:])  # noqa: S606 - becoming the server is the purpose


main()
