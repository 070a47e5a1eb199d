"""Files that were damaged, or made to do harm: an image, or one sentence; never anything else."""

from __future__ import annotations

import struct
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

from core.errors import CoreError, TooLargeError
from core.imaging.opening import open_path
from core.sentences import sentence
from tests.core.imaging.dicom.make import ct_slice, save
from tests.core.imaging.mutations import mutate
from tests.core.imaging.test_medical import mha, nifti, nrrd

SEEDS = Path(pydicom.__file__).parent / "data" / "test_files"
SLOWEST = 10.0
MOST_MEMORY = 1536 << 20


def verdict(path: Path) -> str:
    """Open and load all that is there: "image", or the sentence of the refusal."""
    begin = time.monotonic()
    try:
        for series in open_path(path).series:
            if np.prod(series.summary.shape, dtype=float) > 3e7:
                series.read_slice(0)
            else:
                series.load()
        said = "image"
    except CoreError as error:
        told = sentence(error)
        assert Path(told.where).name == path.name and told.remedy
        assert 20 < len(told.what) <= 160 and len(told.remedy) <= 120
        said = f"{told.what}. {told.remedy}"
        assert len(said) <= 200 and "Traceback" not in said and "Error" not in said
    assert time.monotonic() - begin < SLOWEST
    return said


def _peak(process: psutil.Process) -> int:
    """Most memory that a process has held at once, where the system tells."""
    status = Path(f"/proc/{process.pid}/status")
    if not status.exists():
        return 0
    (line,) = [one for one in status.read_text().splitlines() if one.startswith("VmHWM")]
    return int(line.split()[1]) << 10


def good_files() -> Iterator[bytes]:
    for path in sorted(SEEDS.glob("*.dcm")):
        if path.stat().st_size < 60_000:
            yield path.read_bytes()


def run(tmp_path: Path, goods: list[bytes], count: int, name: str) -> None:
    assert goods
    images = 0
    here = psutil.Process()
    for seed in range(count):
        path = tmp_path / name
        path.write_bytes(mutate(goods[seed % len(goods)], seed))
        images += verdict(path) == "image"
    assert 0 < images < count
    for process in here.children(recursive=True):
        if "decoder_process" in " ".join(process.cmdline()):
            assert process.memory_info().rss < MOST_MEMORY
            assert _peak(process) < MOST_MEMORY


def test_300_damaged_dicom_files(tmp_path: Path) -> None:
    run(tmp_path, list(good_files()), 300, "a.dcm")


HEADERS = {
    "mha": [mha(bytes(64)), mha(zlib.compress(bytes(64)), "CompressedData = True\n")],
    "nrrd": [nrrd(bytes(64))],
    "nii": [nifti(bytes(64))],
}


@pytest.mark.parametrize("kind", HEADERS)
def test_200_damaged_headers_of_each_volume_format(tmp_path: Path, kind: str) -> None:
    run(tmp_path, HEADERS[kind], 200, f"a.{kind}")


@pytest.mark.slow
def test_5000_damaged_dicom_files(tmp_path: Path) -> None:
    run(tmp_path, list(good_files()), 5000, "a.dcm")


@pytest.mark.slow
@pytest.mark.parametrize("kind", HEADERS)
def test_2000_damaged_headers_of_each_volume_format(tmp_path: Path, kind: str) -> None:
    run(tmp_path, HEADERS[kind], 2000, f"a.{kind}")


# ------------------------------------------------------------------ bombs


def deflated(dataset: Dataset, tail: bytes, path: Path) -> None:
    """A deflated DICOM file whose data set ends with `tail`."""
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    save(dataset, path)
    raw = path.read_bytes()
    group_length = struct.unpack_from("<I", raw, 140)[0]
    body = 144 + group_length
    meta = raw[:body].replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.1.99")
    meta = bytearray(meta)
    at = meta.index(b"\x02\x00\x10\x00UI")
    struct.pack_into("<H", meta, at + 6, 22)
    struct.pack_into("<I", meta, 140, group_length + 2)
    engine = zlib.compressobj(9, zlib.DEFLATED, -15)
    path.write_bytes(bytes(meta) + engine.compress(raw[body:] + tail) + engine.flush())


def huge_private(path: Path) -> None:
    """A deflated file of some hundred kB: 100 MB of zeros before its pixels."""
    one = ct_slice(PixelData=None)
    header = struct.pack("<HH2sHI", 0x7001, 0x1001, b"OB", 0, 300_000_000)
    deflated(one, header + bytes(100_000_000), path)


def huge_sizes(path: Path) -> None:
    one = ct_slice(Rows=65535, Columns=65535, NumberOfFrames=10000)
    save(one, path)


def huge_compressed_sizes(path: Path) -> None:
    one = ct_slice(Rows=65535, Columns=65535, PixelData=encapsulate([b"\xff\xd8\xff\xf7" * 9]))
    one.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.80"
    one["PixelData"].VR = "OB"
    one["PixelData"].is_undefined_length = True
    save(one, path)


def many_frames(path: Path) -> None:
    one = ct_slice(NumberOfFrames=2_000_000_000, PixelData=encapsulate([b"\xff\xd8\xff\xf7" * 9]))
    one.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.80"
    one["PixelData"].is_undefined_length = True
    one["PixelData"].VR = "OB"
    save(one, path)


def deep_sequence(path: Path) -> None:
    """Two thousand sequences, each inside the one before, none with a length."""
    save(ct_slice(PixelData=None), path)
    begin = struct.pack("<HH2sHI", 0x0040, 0x0275, b"SQ", 0, 0xFFFFFFFF)
    begin += struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    path.write_bytes(path.read_bytes() + begin * 2000)


def endless_sequence(path: Path) -> None:
    save(ct_slice(PixelData=None), path)
    begin = struct.pack("<HH2sHI", 0x0040, 0x0275, b"SQ", 0, 0xFFFFFFFF)
    path.write_bytes(path.read_bytes() + begin + struct.pack("<HHI", 0xFFFE, 0xE000, 0) * 200_000)


def many_elements(path: Path) -> None:
    save(ct_slice(PixelData=None), path)
    one = b"".join(struct.pack("<HH2sH", 0x5001, i, b"LO", 0) for i in range(60_000))
    path.write_bytes(path.read_bytes() + one)


def four_gigabyte_value(path: Path) -> None:
    save(ct_slice(PixelData=None), path)
    lie = struct.pack("<HH2sHI", 0x0028, 0x3010, b"SQ", 0, 0xFFFFFFF0)
    path.write_bytes(path.read_bytes() + lie + bytes(64))


def rle_lies(path: Path) -> None:
    segments = struct.pack("<16I", 2, 64, 0xFFFFFF00, *([0] * 13))
    one = ct_slice(PixelData=encapsulate([segments + b"\x81\x00" * 40]))
    one.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.5"
    one["PixelData"].is_undefined_length = True
    one["PixelData"].VR = "OB"
    save(one, path)


def gzip_bomb(path: Path) -> None:
    import gzip

    path.write_bytes(gzip.compress(nifti(bytes(200_000_000), (30000, 30000, 30)), 9))


def zip_bomb(path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", bytes(30_000_000))
    raw = bytearray(path.read_bytes())
    at = raw.rindex(b"PK\x01\x02")
    struct.pack_into("<I", raw, at + 24, 0xF0000000)  # the member says that it is 4 GB
    path.write_bytes(raw)


def tiff_bomb(path: Path) -> None:
    import tifffile

    tifffile.imwrite(path, np.zeros((64, 64), np.uint8), compression="zlib")
    raw = path.read_bytes()
    width = raw.index(struct.pack("<HHI", 256, 4, 1) if raw[:2] == b"II" else b"")
    data = bytearray(raw)
    struct.pack_into("<I", data, width + 8, 2_000_000)
    path.write_bytes(data)


BOMBS = [
    huge_private,
    huge_sizes,
    huge_compressed_sizes,
    many_frames,
    deep_sequence,
    endless_sequence,
    many_elements,
    four_gigabyte_value,
    rle_lies,
    gzip_bomb,
    zip_bomb,
    tiff_bomb,
]


@pytest.mark.parametrize("make", BOMBS, ids=lambda make: make.__name__)
def test_bombs_do_no_harm(tmp_path: Path, make: object) -> None:
    path = tmp_path / "bomb"
    make(path)  # type: ignore[operator]
    here = psutil.Process()
    before = here.memory_info().rss
    begin = time.monotonic()
    said = verdict(path)
    assert said != "image"
    assert time.monotonic() - begin < 10
    assert here.memory_info().rss - before < 512 << 20


def test_a_size_beyond_memory_is_refused_as_such(tmp_path: Path) -> None:
    path = tmp_path / "a"
    huge_compressed_sizes(path)
    with pytest.raises(TooLargeError):
        open_path(path).series[0].load()


# ------------------------------------------------------------------ lengths that do not agree


def cut_native(path: Path) -> None:
    save(ct_slice(), path)
    path.write_bytes(path.read_bytes()[:-7])


def short_native(path: Path) -> None:
    save(ct_slice(Rows=5), path)


def more_frames_than_pixels(path: Path) -> None:
    save(ct_slice(NumberOfFrames=3), path)


def cut_deflated(path: Path) -> None:
    one = ct_slice(np.random.default_rng(1).integers(0, 4000, (64, 64), dtype=np.uint16))
    one.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1.99"
    save(one, path)
    path.write_bytes(path.read_bytes()[:-900])


def _encapsulated(path: Path, syntax: str, streams: list[bytes], **tags: object) -> None:
    one = ct_slice(PixelData=encapsulate(streams), **tags)
    one.file_meta.TransferSyntaxUID = syntax
    one["PixelData"].VR = "OB"
    one["PixelData"].is_undefined_length = True
    save(one, path)


OTHER = np.arange(35, dtype=np.uint16).reshape(5, 7)
LS, J2K = "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90"


def smaller_codestream(path: Path) -> None:
    import imagecodecs

    _encapsulated(path, LS, [imagecodecs.jpegls_encode(OTHER[:3, :5].copy())])


def larger_codestream(path: Path) -> None:
    import imagecodecs

    _encapsulated(path, J2K, [imagecodecs.jpeg2k_encode(OTHER, codecformat="j2k", level=0)])


def colours_for_grey(path: Path) -> None:
    import imagecodecs

    pixels = np.zeros((4, 6, 3), np.uint8)
    _encapsulated(path, "1.2.840.10008.1.2.4.50", [imagecodecs.jpeg8_encode(pixels)])


def short_rle(path: Path) -> None:
    header = struct.pack("<16I", 2, 64, 70, *([0] * 13))
    _encapsulated(path, "1.2.840.10008.1.2.5", [header + b"\xfe\x00\x00\x00\x00\x00" * 2])


def rle_of_other_depth(path: Path) -> None:
    header = struct.pack("<16I", 3, 64, 66, 68, *([0] * 12))
    _encapsulated(path, "1.2.840.10008.1.2.5", [header + b"\xe9\x07" * 3])


def fewer_fragments_than_frames(path: Path) -> None:
    import imagecodecs

    stream = imagecodecs.jpegls_encode(np.arange(24, dtype=np.uint16).reshape(4, 6))
    _encapsulated(path, LS, [stream, stream], NumberOfFrames=3)


def png_of_other_size(path: Path) -> None:
    import imagecodecs

    raw = bytearray(imagecodecs.png_encode(np.zeros((16, 16), np.uint8)))
    struct.pack_into(">I", raw, 16, 200)
    struct.pack_into(">I", raw, 29, zlib.crc32(raw[12:29]))
    path.write_bytes(raw)


def short_tiff_strip(path: Path) -> None:
    import tifffile

    tifffile.imwrite(path, np.zeros((64, 64), np.uint8))
    path.write_bytes(path.read_bytes()[:-100])


MISMATCHES = [
    cut_native,
    short_native,
    more_frames_than_pixels,
    cut_deflated,
    smaller_codestream,
    larger_codestream,
    colours_for_grey,
    short_rle,
    rle_of_other_depth,
    fewer_fragments_than_frames,
    png_of_other_size,
    short_tiff_strip,
]
"""Besides the 24 of the volume formats in `test_medical.py`."""


@pytest.mark.parametrize("make", MISMATCHES, ids=lambda make: make.__name__)
def test_a_mismatch_of_lengths_is_never_an_image(tmp_path: Path, make: object) -> None:
    path = tmp_path / "image"
    make(path)  # type: ignore[operator]
    first, second = verdict(path), verdict(path)
    assert first == second != "image"
