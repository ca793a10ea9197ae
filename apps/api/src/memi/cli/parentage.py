"""A child process that ends with its parent, also with one that is killed."""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def follow_parent(parent: int | None) -> None:
    """From now on be sent SIGTERM when the parent ends; exits at once when it already has. No-op for None.

    Call from the main thread, early. On Linux the kernel tells; elsewhere only the parent's own orderly stop does.
    """
    if parent is None:
        return
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:
        raise SystemExit(1)
