"""What Qt needs of the operating system, looked for before Qt is imported.

PySide6 brings Qt along, but not the libraries under it: a fresh Debian without a desktop lacks
some, and then the first import ends in a line about libEGL that helps nobody. Nothing here
imports Qt.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Callable

from core.errors import MissingSystemLibraryError
from core.workers import is_bundle

ALWAYS = {
    "libstdc++.so.6": "libstdc++6",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libGL.so.1": "libgl1",
    "libEGL.so.1": "libegl1",
    "libfontconfig.so.1": "libfontconfig1",
    "libfreetype.so.6": "libfreetype6",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libdbus-1.so.3": "libdbus-1-3",
    "libX11.so.6": "libx11-6",
    "libzstd.so.1": "libzstd1",
    "libgssapi_krb5.so.2": "libgssapi-krb5-2",
}
"""Library → Debian package, as `ldd` names them for QtCore, QtGui, QtWidgets and QtNetwork."""

ON_A_SCREEN = {
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libX11-xcb.so.1": "libx11-xcb1",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-render.so.0": "libxcb-render0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-shm.so.0": "libxcb-shm0",
    "libxcb-sync.so.1": "libxcb-sync1",
    "libxcb-util.so.1": "libxcb-util1",
    "libxcb-xfixes.so.0": "libxcb-xfixes0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
}
"""The same for the xcb platform plug-in, which draws on X11 (and on XWayland)."""


def missing(libraries: dict[str, str]) -> dict[str, str]:
    """Those of the libraries that cannot be loaded here."""
    lacking = {}
    for library, package in libraries.items():
        try:
            ctypes.CDLL(library)
        except OSError:
            lacking[library] = package
    return lacking


def ensure(find: Callable[[dict[str, str]], dict[str, str]] = missing) -> None:
    """See to it that Qt can be imported and, where there is an X screen, draw on it.

    On Linux, what is missing is installed if this is the source tree, run by root on a system
    with apt-get (a fresh container): one sentence on standard error says so. Elsewhere, and in
    an installed bundle always, nothing is touched.

    find: what looks for libraries; another one in tests.
    Raises MissingSystemLibraryError, which knows the command that helps.
    """
    if not sys.platform.startswith("linux"):
        return
    needed = dict(ALWAYS)
    if os.environ.get("DISPLAY") and os.environ.get("QT_QPA_PLATFORM", "xcb") == "xcb":
        needed |= ON_A_SCREEN
    lacking = find(needed)
    if not lacking:
        return
    apt = shutil.which("apt-get")
    if apt is None or os.geteuid() != 0 or is_bundle():
        raise MissingSystemLibraryError(
            tuple(lacking), tuple(lacking.values()) if apt is not None else ()
        )
    packages = sorted(lacking.values())
    sys.stderr.write(f"sliceloop: Installing what the window needs: {' '.join(packages)}.\n")
    reason = _install(apt, packages)
    lacking = find(needed)
    if lacking:
        raise MissingSystemLibraryError(tuple(lacking), tuple(lacking.values()), reason)


def _install(apt: str, packages: list[str]) -> str:
    """Install Debian packages; returns what apt-get complained of, or ""."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for words in (["update", "-q"], ["install", "-q", "-y", "--no-install-recommends", *packages]):
        done = subprocess.run(
            [apt, *words],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        # A failed update leaves older lists, from which the install may still succeed.
        if done.returncode != 0 and words[0] == "install":
            complaint = [line for line in done.stderr.splitlines() if line.startswith("E:")]
            return (complaint or [f"apt-get ended with {done.returncode}"])[-1].rstrip(".")
    return ""
