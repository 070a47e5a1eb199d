"""Runs a program in which no process may open an internet socket: the kernel ends whoever tries.

python -m tests.no_network PROGRAM [ARGUMENT…]

A seccomp filter (Linux, x86-64 and AArch64) is inherited by every process that is started, and
sees native code as well as Python: Qt, torch, OpenVINO. `socket(AF_INET…)`, `socket(AF_INET6…)`,
and `listen` on whatever there is, end the process with SIGSYS. Sockets between processes of one
computer (AF_UNIX) stay, as long as nobody listens on one.

Source: Linux, Documentation/userspace-api/seccomp_filter.rst; include/uapi/linux/bpf_common.h.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys
from collections.abc import Sequence

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _FILTER = 38, 22, 2
_ALLOW, _KILL_PROCESS = 0x7FFF0000, 0x80000000
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
_INTERNET = (2, 10)
"""AF_INET and AF_INET6."""

_SYSTEMS = {
    "x86_64": (0xC000003E, 41, 50),
    "aarch64": (0xC00000B7, 198, 201),
}
"""Machine → its AUDIT_ARCH, and the numbers of `socket` and `listen`."""


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_char_p))


def is_possible() -> bool:
    """Whether this kernel can be asked at all."""
    return sys.platform == "linux" and platform.machine() in _SYSTEMS


def _filter() -> bytes:
    architecture, socket, listen = _SYSTEMS[platform.machine()]

    def line(code: int, jump: int = 0, miss: int = 0, value: int = 0) -> bytes:
        return struct.pack("=HBBI", code, jump, miss, value)

    return b"".join(
        (
            line(_LOAD, value=_ARCHITECTURE),
            line(_EQUAL, 0, 6, architecture),  # another architecture: allowed
            line(_LOAD, value=_NUMBER),
            line(_EQUAL, 5, 0, listen),
            line(_EQUAL, 0, 3, socket),
            line(_LOAD, value=_FIRST_ARGUMENT),
            line(_EQUAL, 2, 0, _INTERNET[0]),
            line(_EQUAL, 1, 0, _INTERNET[1]),
            line(_RETURN, value=_ALLOW),
            line(_RETURN, value=_KILL_PROCESS),
        )
    )


def forbid() -> None:
    """From now on this process, and whatever it starts, has no network. Raises OSError."""
    library = ctypes.CDLL(None, use_errno=True)
    code = _filter()
    program = _Program(len(code) // 8, code)
    if library.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 or library.prctl(
        _PR_SET_SECCOMP, _FILTER, ctypes.byref(program), 0, 0
    ):
        raise OSError(ctypes.get_errno(), "the kernel takes no filter")


def main(words: Sequence[str]) -> int:
    """Replace this process by the program."""
    forbid()
    os.execv(words[0], list(words))
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
