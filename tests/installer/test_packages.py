"""The installer's parts: packages that Debian's tools read, licences, what libraries ask for."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from installer import contents, deb, elf, notices, owners, packages, sizes, slimming, wheels
from installer.deb import Tree
from tests.conftest import ROOT

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="about Linux packages")


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A folder as the freeze leaves it, small: an executable, a library, a link, data."""
    folder = tmp_path / "sliceloop"
    (folder / "_internal" / "PySide6").mkdir(parents=True)
    program = folder / "sliceloop"
    program.write_text("#!/bin/sh\necho started\n")
    program.chmod(0o755)
    shutil.copyfile(
        Path(sys.executable).resolve(), folder / "_internal" / "PySide6" / "libQt6Core.so"
    )
    (folder / "_internal" / "libQt6Core.so").symlink_to("PySide6/libQt6Core.so")
    (folder / "_internal" / "data.txt").write_text("x" * 1000)
    slimming.add_windowed_name(folder)
    return folder


# ----------------------------------------------------------------- packages


@linux
@pytest.mark.parametrize("level", [3, 11])
def test_a_package_holds_everything_and_debian_reads_it(
    level: int, bundle: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    made = packages.write_packages(bundle, out, "1.2.3", "licences\n", level=level)
    assert [file.name for file in made] == [
        "sliceloop_1.2.3_amd64.deb",
        "sliceloop-1.2.3-linux-x86_64.tar.zst",
    ]
    root = tmp_path / "root"
    deb.unpack(made[0], root)
    home = root / "usr/lib/sliceloop"
    done = subprocess.run([root / "usr/bin/sliceloopw"], capture_output=True, text=True, check=True)
    assert done.stdout == "started\n"
    assert (home / "_internal/libQt6Core.so").resolve().stat().st_size > 1000
    assert os.access(home / "sliceloop", os.X_OK)
    for place in (
        "applications/sliceloop.desktop",
        "metainfo/sliceloop.metainfo.xml",
        "mime/packages/sliceloop.xml",
        "icons/hicolor/scalable/apps/sliceloop.svg",
        "icons/hicolor/128x128/apps/sliceloop.png",
        "doc/sliceloop/copyright",
    ):
        assert (root / "usr/share" / place).is_file(), place
    if shutil.which("dpkg-deb"):
        told = subprocess.run(
            ["dpkg-deb", "--field", made[0]], capture_output=True, text=True, check=True
        ).stdout
        assert "Package: sliceloop" in told and "Version: 1.2.3" in told
        assert "libxcb-cursor0" in told and "libc6 (>= 2." in told
        listed = subprocess.run(
            ["dpkg-deb", "--contents", made[0]], capture_output=True, text=True, check=True
        ).stdout
        assert "./usr/lib/sliceloop/_internal/libQt6Core.so -> PySide6/libQt6Core.so" in listed
        assert "root/root" in listed


@linux
def test_the_same_bundle_gives_the_same_package(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1750000000")
    content = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (package,) = packages.write_packages(
            bundle, tmp_path / name, "1", "x", level=3, archive=False
        )
        content.append(package.read_bytes())
    assert content[0] == content[1]


@linux
def test_what_is_removed_is_never_the_persons() -> None:
    for script in (packages.POSTINST, packages.POSTRM):
        assert "rm " not in script and "/home" not in script
        subprocess.run(["sh", "-n"], input=script, text=True, check=True)


def test_plain_archives_keep_links(tmp_path: Path) -> None:
    import zstandard

    (tmp_path / "a").write_text("a")
    tree = Tree(paths={"top/a": tmp_path / "a"}, links={"top/b": "a"}, texts={"top/c": "c"})
    with (tmp_path / "x.tar.zst").open("wb") as stream:
        deb.write_tar_zst(stream, tree, level=3, when=0)
    plain = zstandard.ZstdDecompressor().stream_reader((tmp_path / "x.tar.zst").open("rb"))
    with plain, tarfile.open(fileobj=plain, mode="r|") as archive:
        found = {entry.name: entry.linkname for entry in archive}
    assert found == {"top": "", "top/a": "", "top/b": "a", "top/c": ""}


def test_descriptions_are_well_formed_and_name_dicom() -> None:
    for name in ("sliceloop.xml", "sliceloop.metainfo.xml"):
        ET.parse(ROOT / "installer/linux" / name)
    text = (ROOT / "installer/linux/sliceloop.desktop").read_text("utf-8")
    assert "MimeType=application/dicom;" in text and "inode/directory" in text
    assert "Exec=sliceloopw %F" in text


# ----------------------------------------------------------------- licences


@pytest.mark.parametrize(
    ("licence", "may"),
    [
        ("MIT", True),
        ("LGPL-3.0-only", True),
        ("GNU Lesser General Public License v3 (LGPLv3)", True),
        ("GPL-2.0-or-later WITH Bootloader-exception", True),
        ("GPL-3.0-or-later WITH GCC-exception-3.1", True),
        ("GPL-3.0-or-later", False),
        ("AGPL-3.0", False),
        ("GNU General Public License v3", False),
        ("MIT AND GPL-2.0-only", False),
        ("", False),
    ],
)
def test_gpl_may_not_ship_but_by_exception(licence: str, may: bool) -> None:
    assert owners.may_ship(licence) is may


def test_files_are_traced_to_who_made_them() -> None:
    import numpy

    known = owners.Owners()
    found = known.of(Path(numpy.__file__))
    assert found is not None and found.name == "numpy" and found.texts
    interpreter = known.of(Path(os.__file__))
    assert interpreter is not None and interpreter.licence == "PSF-2.0"
    assert known.of(Path("/usr/lib/libnowhere.so.1")) is None


def test_a_module_that_the_freeze_passed_over_is_found(tmp_path: Path) -> None:
    (tmp_path / "core").mkdir()
    for name in ("__init__", "case", "events"):
        (tmp_path / "core" / f"{name}.py").write_text("")
    work = tmp_path / "work"
    work.mkdir()
    frozen = [("core", "/s/core/__init__.py", "PYMODULE"), ("core.case", "/s/case.py", "PYMODULE")]
    (work / "PYZ-00.toc").write_text(repr(("PYZ-00.pyz", frozen)))
    (work / "COLLECT-00.toc").write_text(repr(([("sliceloop", "/w/sliceloop", "EXECUTABLE")],)))
    assert owners.missing_modules(tmp_path, ("core",), work) == ["core.events"]


def test_every_library_of_pythons_has_its_text() -> None:
    for name, licence in owners.SYSTEM.values():
        assert notices._with_text(owners.Owner(name, "", licence)).texts, name


def test_what_nobody_answers_for_is_a_problem() -> None:
    found = notices.Notices(
        {"x": owners.Owner("x", "1", "GPL-3.0"), "qt": owners.Owner("shiboken6", "1", "LGPL-3.0")},
        ("stray.so",),
        (),
        3,
    )
    told = " ".join(found.problems())
    assert "stray.so" in told and "GPL-3.0" in told and "x comes without" in told
    assert "shiboken6" not in told


def test_texts_and_list_go_into_the_bundle(bundle: Path, tmp_path: Path) -> None:
    text = tmp_path / "LICENSE"
    text.write_text("do as you like")
    found = notices.Notices({"x": owners.Owner("x", "1", "MIT", (text, text))}, (), (), 3)
    listing = notices.write(found, bundle)
    folder = bundle / "_internal/licences"
    assert "x" in listing and (folder / "x/LICENSE").read_text() == "do as you like"
    assert (folder / "x/1-LICENSE").is_file() and (folder / "LGPL-3.0.txt").is_file()
    assert json.loads((folder / "list.json").read_text()) == {"x": ["1", "MIT"]}


# ----------------------------------------------------------------- sizes, symbols, contents


@linux
def test_ceilings_are_read_from_the_library(bundle: Path) -> None:
    (one,) = elf.ceilings(bundle)
    assert one.file.name == "libQt6Core.so" and one.glibc >= (2, 2)
    assert any(name.startswith("libc.so") for name in one.needed)
    assert elf.text_of((2, 28)) == "2.28" and elf.text_of(()) == "-"


@linux
def test_libraries_of_the_desktop_are_left_to_the_system(bundle: Path) -> None:
    inside = bundle / "_internal"
    core = inside / "PySide6/libQt6Core.so"
    for name in ("libX11.so.6", "libssl.so.3", "_own.cpython-311-x86_64-linux-gnu.so"):
        shutil.copyfile(core, inside / name)
    (inside / "libgone.so").symlink_to("nowhere")
    assert slimming.drop_system_libraries(bundle) == ["libX11.so.6"]
    names = {path.name for path in inside.iterdir()}
    assert {"libssl.so.3", "_own.cpython-311-x86_64-linux-gnu.so", "libQt6Core.so"} <= names
    assert "libgone.so" not in names


def test_sizes_are_told_by_part(bundle: Path) -> None:
    parts = sizes.by_part(bundle)
    assert sum(parts.values()) == sizes.size_of(bundle)
    assert next(iter(parts)) == "pyside6"


def test_nothing_that_the_program_imports_is_left_out() -> None:
    """Module-level imports of ours against the list of what stays out."""
    import ast

    for package in contents.OWN_PACKAGES:
        for file in (ROOT / package).rglob("*.py"):
            if file.name.startswith("bench_"):
                continue  # these say themselves what is not there to be compared with
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                names = []
                if isinstance(node, ast.Import):
                    names = [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    names = [node.module]
                for name in names:
                    out = [x for x in contents.EXCLUDED if name == x or name.startswith(f"{x}.")]
                    assert not out, f"{file}: {name} is left out of the bundle"


def test_modules_that_are_named_stay_and_others_of_the_compiler_go() -> None:
    wanted = contents.is_wanted_module
    assert wanted("torch._inductor") and wanted("torch._inductor.config") and wanted("torch.nn")
    assert not wanted("torch._inductor.codegen.cpp") and not wanted("pygments.lexers.ada")
    assert contents.is_wanted_file("torch/_inductor/config.py")
    assert not contents.is_wanted_file("torch/_inductor/ir.py"), "a source beside its bytecode"
    folder = "PySide6/Qt/translations"
    kept = [
        x
        for x in ("ko", "en", "de", "es", "ka")
        if contents.is_wanted_file(f"{folder}/qtbase_{x}.qm")
    ]
    assert kept == ["ko", "en"]


def test_a_wheel_with_cuda_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    report = {
        "install": [
            {
                "metadata": {"version": "2.13.0", "requires_dist": ["nvidia-cublas"]},
                "download_info": {"url": "file:///w/torch.whl"},
            }
        ]
    }
    done = subprocess.CompletedProcess([], 0, json.dumps(report), "")
    monkeypatch.setattr(wheels.subprocess, "run", lambda *_a, **_k: done)
    monkeypatch.setattr(wheels.sys, "platform", "linux")
    with pytest.raises(wheels.NoWheelError, match="--torch"):
        wheels.choose_torch(Path("python"), "torch")
    assert wheels.choose_torch(Path("python"), "torch", cuda=True).variant == "CUDA"
    report["install"][0]["metadata"]["requires_dist"] = ["sympy"]
    done.stdout = json.dumps(report)
    assert wheels.choose_torch(Path("python"), "torch").variant == "CPU"
