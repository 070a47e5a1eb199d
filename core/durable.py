"""Writing so that a power cut leaves the old file or the new one, never half of either.

Every durable write is: write to a neighbour → fsync → rename → fsync of the folder.
Source: Pillai et al., *All File Systems Are Not Created Equal*, OSDI 2014.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from core.errors import NotDurableError


def fsync_folder(folder: Path) -> None:
    """Flush a folder's own entries (POSIX; Windows has no such call and needs none)."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_folder(folder: Path, mode: int = 0o777) -> None:
    """Make a folder and those above it that are missing, each flushed into the one above.

    mode: of folders that are made. Raises OSError, as mkdir does.
    """
    missing = [folder]
    while not missing[-1].exists() and missing[-1].parent != missing[-1]:
        missing.append(missing[-1].parent)
    for made in reversed(missing[:-1]):
        made.mkdir(mode=mode, exist_ok=True)
        fsync_folder(made.parent)


def write_bytes(path: Path, content: bytes) -> None:
    """Replace `path` by `content`, atomically and durably.

    Raises NotDurableError if the disk is full, read-only or gone; the old file stays.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        make_folder(path.parent)
        with temporary.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
        fsync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):  # where nothing can be written, nothing was left
            temporary.unlink(missing_ok=True)
        raise NotDurableError(path, error.strerror or str(error)) from error


def write_json(path: Path, value: Any) -> None:
    """Replace `path` by `value` as indented JSON, atomically and durably."""
    write_bytes(path, (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode())


def append_line(path: Path, line: str) -> None:
    """Append one line to a private text file, flushed to the disk. Raises NotDurableError.

    A line that does not fit is taken away again; one that a killed process left half there is
    ended first, so that it spoils no other.
    """
    try:
        make_folder(path.parent)
        is_new = not path.exists()
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(handle, "ab+", buffering=0) as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(size - 1, 0))
            ended = size == 0 or stream.read(1) == b"\n"
            content = f"{'' if ended else chr(10)}{line}\n".encode()
            try:
                while content:
                    content = content[stream.write(content) or 0 :]
                os.fsync(handle)
            except OSError:
                with contextlib.suppress(OSError):
                    os.ftruncate(handle, size)
                raise
        if is_new:
            fsync_folder(path.parent)
    except OSError as error:
        raise NotDurableError(path, error.strerror or str(error)) from error


@contextlib.contextmanager
def new_folder(final: Path) -> Iterator[Path]:
    """A folder to write into, that appears under its final name whole or not at all.

    `final` is absent or empty. Raises NotDurableError for what the disk refuses; whatever is
    raised inside, nothing is published and nothing stays behind.
    """
    temporary = final.parent / f".{final.name}.{secrets.token_hex(4)}.part"
    try:
        make_folder(temporary)
        yield temporary
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise NotDurableError(final, error.strerror or str(error)) from error
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    if final.exists():
        final.rmdir()
    publish_folder(temporary, final)


def publish_folder(temporary: Path, final: Path) -> None:
    """Make a finished folder appear under its final name in one step.

    Flushes every file first, so that the folder is complete or invisible. `final` must not
    exist. Raises NotDurableError; then `temporary` is gone and nothing was published.
    """
    try:
        for file in sorted(temporary.rglob("*")):
            if file.is_file():
                # Windows flushes only what is open for writing.
                handle = os.open(file, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
                try:
                    os.fsync(handle)
                finally:
                    os.close(handle)
        for folder in [p for p in temporary.rglob("*") if p.is_dir()] + [temporary]:
            fsync_folder(folder)
        make_folder(final.parent)
        temporary.rename(final)
        fsync_folder(final.parent)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise NotDurableError(final, error.strerror or str(error)) from error
