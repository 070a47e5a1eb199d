"""A Debian package, written by this program itself: no tool of Debian's and no root is needed.

Source: deb(5), deb-control(5); the archive around it is ar(5).
"""

from __future__ import annotations

import hashlib
import io
import lzma
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

DICTIONARY = 64 << 20
"""Bytes that xz looks back: as many as unpacking needs of memory."""


@dataclass(frozen=True)
class Tree:
    """What a package installs, by absolute place: files and folders on disk, texts, links.

    A folder on disk brings everything under it, its links as links.
    """

    paths: Mapping[str, Path] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)


def write_deb(
    target: Path, control: str, scripts: Mapping[str, str], tree: Tree, *, level: int, when: int
) -> None:
    """Write a package. control: its control file; scripts: postinst and the like, by name.

    level: below 10 zstd's, which is fast; from 10 on xz with the filter for machine code, a tenth
    smaller than zstd's smallest. when: time stamp of everything inside.
    """
    data = target.with_suffix(".data.tmp")
    sums: list[str] = []
    kind = "xz" if level >= 10 else "zst"
    with data.open("wb") as stream:
        write = write_tar_xz if kind == "xz" else write_tar_zst
        write(stream, tree, level=level, when=when, sums=sums, at_root=True)
    about = io.BytesIO()
    with tarfile.open(fileobj=about, mode="w:xz", format=tarfile.GNU_FORMAT) as archive:
        members = {"control": control, "md5sums": "".join(sums), **scripts}
        for name, text in members.items():
            content = text.encode()
            entry = _entry(f"./{name}", when)
            entry.size, entry.mode = len(content), 0o755 if name in scripts else 0o644
            archive.addfile(entry, io.BytesIO(content))
    with target.open("wb") as out:
        out.write(b"!<arch>\n")
        _member(out.write, "debian-binary", 4, when)
        out.write(b"2.0\n")
        packed = about.getvalue()
        _member(out.write, "control.tar.xz", len(packed), when)
        out.write(packed + b"\n" * (len(packed) % 2))
        size = data.stat().st_size
        _member(out.write, f"data.tar.{kind}", size, when)
        with data.open("rb") as stream:
            while block := stream.read(1 << 20):
                out.write(block)
        out.write(b"\n" * (size % 2))
    data.unlink()


def write_tar_zst(
    stream: io.BufferedIOBase | io.BufferedWriter,
    tree: Tree,
    *,
    level: int,
    when: int,
    sums: list[str] | None = None,
    at_root: bool = False,
) -> None:
    """Write a tree as tar, packed with zstd. at_root: places begin with "./", as Debian's do.

    sums: filled with md5sum's lines.
    """
    import zstandard

    parameters = zstandard.ZstdCompressionParameters.from_level(
        level, threads=-1, enable_ldm=level > 9, window_log=27 if level > 9 else 0
    )
    packer = zstandard.ZstdCompressor(compression_params=parameters)
    with packer.stream_writer(stream, closefd=False) as packed:
        _write_tar(packed, tree, when=when, sums=sums, at_root=at_root)


def write_tar_xz(
    stream: io.BufferedWriter,
    tree: Tree,
    *,
    level: int,
    when: int,
    sums: list[str] | None = None,
    at_root: bool = False,
) -> None:
    """The same, packed with xz on all cores where the tool is at hand, else on one.

    level: from 10 on; its ones are xz's preset, so that 19 is the smallest.
    """
    preset = level % 10
    tool = shutil.which("xz")
    if tool is None:
        filters = [
            {"id": lzma.FILTER_X86},
            {"id": lzma.FILTER_LZMA2, "preset": preset, "dict_size": DICTIONARY},
        ]
        with lzma.open(stream, "wb", format=lzma.FORMAT_XZ, filters=filters) as packed:
            _write_tar(packed, tree, when=when, sums=sums, at_root=at_root)
        return
    how = ["--x86", f"--lzma2=preset={preset},dict={DICTIONARY}", "--threads=0", "--stdout"]
    with subprocess.Popen([tool, *how], stdin=subprocess.PIPE, stdout=stream) as child:
        if child.stdin is None:
            raise OSError("xz takes no input")
        with child.stdin as packed:
            _write_tar(packed, tree, when=when, sums=sums, at_root=at_root)
    if child.returncode != 0:
        raise OSError(f"xz ended with {child.returncode}")


def _write_tar(
    packed: Any, tree: Tree, *, when: int, sums: list[str] | None, at_root: bool
) -> None:
    lead = "./" if at_root else ""
    with tarfile.open(fileobj=packed, mode="w|", format=tarfile.GNU_FORMAT) as archive:
        known: set[str] = set()

        def add(place: str, path: Path | None, content: bytes = b"", link: str = "") -> None:
            _folders(archive, known, place, lead, when)
            entry = _entry(f"{lead}{place}", when)
            if path is not None and path.is_symlink():
                link = path.readlink().as_posix()
            if link:
                entry.type, entry.linkname, entry.mode = tarfile.SYMTYPE, link, 0o777
                archive.addfile(entry)
                return
            if path is not None:
                content = path.read_bytes()
                runs = path.stat().st_mode & 0o111
                entry.mode = 0o755 if runs else 0o644
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
            if sums is not None:
                digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
                sums.append(f"{digest}  {place}\n")

        for place, path in tree.paths.items():
            inner = sorted(path.rglob("*")) if path.is_dir() else [path]
            for file in inner:
                if file.is_symlink() or file.is_file():
                    below = file.relative_to(path).as_posix() if path.is_dir() else ""
                    add(f"{place}/{below}".rstrip("/"), file)
        for place, text in tree.texts.items():
            add(place, None, text.encode())
        for place, link in tree.links.items():
            add(place, None, link=link)


def _folders(archive: tarfile.TarFile, known: set[str], place: str, lead: str, when: int) -> None:
    for parent in reversed(PurePosixPath(place).parents):
        name = parent.as_posix()
        if name in known or (name == "." and not lead):
            continue
        known.add(name)
        entry = _entry(f"{lead}{name}/" if name != "." else "./", when)
        entry.type, entry.mode = tarfile.DIRTYPE, 0o755
        archive.addfile(entry)


def _entry(name: str, when: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    entry.mtime = when
    entry.mode = 0o644
    return entry


def _member(write: Callable[[bytes], object], name: str, size: int, when: int) -> None:
    write(f"{name:<16}{when:<12}{0:<6}{0:<6}{'100644':<8}{size:<10}`\n".encode())


def unpack(package: Path, folder: Path) -> None:
    """Unpack what a package of ours installs, where no tool of Debian's is at hand."""
    import zstandard

    with package.open("rb") as stream:
        stream.seek(8)
        while header := stream.read(60):
            name, size = header[:16].decode().strip(), int(header[48:58])
            if not name.startswith("data.tar"):
                stream.seek(size + size % 2, 1)
                continue
            opened = (
                lzma.open(stream)  # noqa: SIM115 - closed below
                if name.endswith("xz")
                else zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(stream)
            )
            with opened as data, tarfile.open(fileobj=data, mode="r|") as archive:
                archive.extractall(folder, filter="tar")
            return


if __name__ == "__main__":
    import sys

    unpack(Path(sys.argv[1]), Path(sys.argv[2]))
