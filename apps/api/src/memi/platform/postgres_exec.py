"""Becomes the PostgreSQL server: `python postgres_exec.py LAUNCHER_PID UID GID postgres ARGUMENT...`.

A program of its own because this must happen between fork and exec, where Python code is unsafe in a launcher that has
threads. Run by path with `-I -S`, so it imports nothing of memi.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    launcher, uid, gid = (int(argument) for argument in sys.argv[1:4])
    command = sys.argv[4:]
    if os.geteuid() != uid:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if sys.platform == "linux":
        # After the change of user, which would clear it. SIGINT is PostgreSQL's fast shutdown.
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGINT), 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
        if os.getppid() != launcher:
            raise SystemExit("the launcher ended before the server began")
    os.execv(command[0], command)  # noqa: S606 - becoming the server is the point


main()
