"""Thirty inputs that are odd but legal, or common: what is expected of each stands beside it.

Each opens, opens with a banner (warning codes), or is refused with a file and a reason.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.pixels.encoders.base import RLELosslessEncoder

from core.errors import CoreError
from core.imaging.opening import open_path
from core.imaging.volume import Volume
from core.sentences import sentence
from tests.core.imaging.dicom.make import ct_slice, save, write_series
from tests.core.imaging.dicom.test_multiframe import enhanced

RAMP = np.arange(24, dtype=np.uint16).reshape(4, 6)
JPEG = "1.2.840.10008.1.2.4."
OBLIQUE = (0.9063, 0.4226, 0, 0, 0, -1)


@dataclass(frozen=True)
class Case:
    """One input: how it is made, and what must come of it.

    shapes: of the series found, in their order. codes: all warnings of all series.
    refused: a piece of the reason, "" if it opens. skipped: pieces of reasons for single files.
    """

    make: Callable[[Path], Path | None]
    shapes: tuple[tuple[int, int, int], ...] = ((1, 4, 6),)
    codes: frozenset[str] = frozenset()
    refused: str = ""
    skipped: tuple[str, ...] = ()
    holds: Callable[[list[Volume]], bool] = lambda _: True


def one_file(dataset: Dataset) -> Callable[[Path], Path]:
    return lambda folder: save(dataset, folder / "image")


def values(*expected: float) -> Callable[[list[Volume]], bool]:
    """Whether the first voxel of each slice of the first series, as a value, is the expected."""

    def holds(volumes: list[Volume]) -> bool:
        first = volumes[0]
        found = first.voxels[:, 0, 0] * first.slope + first.intercept
        return bool(np.allclose(found, expected))

    return holds


def is_ramp(volumes: list[Volume]) -> bool:
    return bool((volumes[0].voxels[0] == RAMP).all())


def mixed_series(folder: Path) -> None:
    write_series(folder, [0, 2, 4], prefix="a", SeriesInstanceUID="1.2.1", SeriesNumber=1)
    write_series(folder, [0, 2], prefix="b", SeriesInstanceUID="1.2.2", SeriesNumber=2)


def duplicates(folder: Path) -> None:
    first, *_ = write_series(folder, [0, 2, 4])
    (folder / "zcopy").write_bytes(first.read_bytes())


def missing_slice(folder: Path) -> None:
    write_series(folder, [0, 2, 4, 8, 10])


def reversed_numbers(folder: Path) -> None:
    write_series(folder, [6, 4, 2, 0])


def with_localiser(folder: Path) -> None:
    write_series(folder, [0, 2, 4], prefix="a", SeriesInstanceUID="1.2.1", SeriesNumber=1)
    scout = ct_slice(
        ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"],
        SeriesInstanceUID="1.2.2",
        SeriesNumber=2,
    )
    save(scout, folder / "scout")


def zero_spacing(folder: Path) -> None:
    write_series(folder, [0, 2, 4], PixelSpacing=[0, 0])


def no_spacing(folder: Path) -> None:
    write_series(folder, [0, 2, 4], PixelSpacing=None)


def float_pixels(pixels: np.ndarray) -> Dataset:
    one = ct_slice(np.zeros((4, 6), np.uint16), BitsAllocated=32, RescaleIntercept=0)
    del one.PixelData
    one.FloatPixelData = pixels.astype("<f4").tobytes()
    return one


def with_nan() -> Dataset:
    pixels = np.full((4, 6), 1.5, np.float32)
    pixels[1, 1], pixels[2, 2] = np.nan, np.inf
    return float_pixels(pixels)


def one_pixel() -> Dataset:
    return ct_slice(np.array([[7]], np.uint16))


def rgb() -> Dataset:
    pixels = np.zeros((4, 6, 3), np.uint8)
    pixels[..., 0] = 200
    return ct_slice(
        pixels,
        SamplesPerPixel=3,
        PhotometricInterpretation="RGB",
        PlanarConfiguration=0,
        BitsAllocated=8,
        BitsStored=8,
        HighBit=7,
    )


def palette() -> Dataset:
    one = ct_slice(
        np.ones((4, 6), np.uint8),
        PhotometricInterpretation="PALETTE COLOR",
        BitsAllocated=8,
        BitsStored=8,
        HighBit=7,
    )
    for name, level in (("Red", 10), ("Green", 20), ("Blue", 30)):
        setattr(one, f"{name}PaletteColorLookupTableDescriptor", [4, 0, 8])
        data = bytes([0, level, 0, 0])
        setattr(one, f"{name}PaletteColorLookupTableData", data)
    return one


def monochrome1() -> Dataset:
    pixels = np.full((4, 6), 100, np.uint16)
    return ct_slice(pixels, PhotometricInterpretation="MONOCHROME1", BitsStored=12, HighBit=11)


def eight_in_sixteen() -> Dataset:
    return ct_slice(RAMP, BitsStored=8, HighBit=7)


def signed_with_rescale() -> Dataset:
    pixels = np.full((4, 6), -50, np.int16)
    return ct_slice(pixels, PixelRepresentation=1, RescaleSlope=2, RescaleIntercept=10)


def non_square() -> Dataset:
    return ct_slice(PixelSpacing=[0.5, 0.8])


def tilted(folder: Path) -> None:
    a = np.radians(-15)
    turn = (1.0, 0, 0, 0, float(np.cos(a)), float(np.sin(a)))
    write_series(folder, [0, 3, 6, 9], orientation=turn, GantryDetectorTilt="-15")


def oblique(folder: Path) -> None:
    normal = np.cross(OBLIQUE[:3], OBLIQUE[3:])
    write_series(folder, [list(normal * 3 * i) for i in range(4)], orientation=OBLIQUE)


def multi_frame() -> Dataset:
    one = enhanced([2, 0, 1])
    shared = one.SharedFunctionalGroupsSequence[0]
    shared.PixelMeasuresSequence[0].PixelSpacing = [0.7, 0.7]
    return one


def compressed(uid: str, stream: bytes) -> Dataset:
    one = ct_slice(RAMP, PixelData=encapsulate([stream]))
    one.file_meta.TransferSyntaxUID = uid
    one["PixelData"].VR = "OB"
    one["PixelData"].is_undefined_length = True
    return one


def jpeg_2000() -> Dataset:
    stream = imagecodecs.jpeg2k_encode(RAMP, codecformat="j2k", reversible=True, level=0)
    return compressed(JPEG + "90", stream)


def jpeg_ls() -> Dataset:
    return compressed(JPEG + "80", imagecodecs.jpegls_encode(RAMP))


def rle() -> Dataset:
    stream = RLELosslessEncoder.encode(
        RAMP,
        rows=4,
        columns=6,
        samples_per_pixel=1,
        number_of_frames=1,
        bits_allocated=16,
        bits_stored=16,
        pixel_representation=0,
        photometric_interpretation="MONOCHROME2",
    )
    return compressed("1.2.840.10008.1.2.5", bytes(stream))


def big_endian() -> Dataset:
    one = ct_slice(RAMP, PixelData=RAMP.astype(">u2").tobytes())
    one.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.2"
    return one


def no_preamble(folder: Path) -> Path:
    path = save(ct_slice(RAMP), folder / "image")
    path.write_bytes(path.read_bytes()[132:])
    return path


def sixteen_gigabytes() -> Dataset:
    return ct_slice(Rows=32768, Columns=32768, NumberOfFrames=8)


def odd_names(folder: Path) -> None:
    write_series(folder / "Schädel 뇌 🧠\nzweite Zeile", [0, 2, 4], prefix="ü" * 100)


def read_only(folder: Path) -> Path:
    path = save(ct_slice(RAMP), folder / "image")
    path.chmod(0o444)
    return path


def dangling(folder: Path) -> None:
    write_series(folder, [0, 2, 4])
    (folder / "gone").symlink_to(folder / "nowhere")


def text_beside(folder: Path) -> None:
    write_series(folder, [0, 2, 4])
    (folder / "LIESMICH.txt").write_text("Bilder vom Dienstag")


THREE = ((3, 4, 6),)
CASES = {
    "mixed series": Case(mixed_series, ((3, 4, 6), (2, 4, 6))),
    "duplicates": Case(duplicates, THREE, skipped=("copy of",)),
    "a missing slice": Case(missing_slice, ((5, 4, 6),), frozenset({"missing-slices"})),
    "reversed numbers": Case(
        reversed_numbers, ((4, 4, 6),), holds=values(4 - 1024, 3 - 1024, 2 - 1024, 1 - 1024)
    ),
    "a localiser mixed in": Case(with_localiser, (*THREE, (1, 4, 6)), frozenset({"localiser"})),
    "zero spacing": Case(zero_spacing, THREE, frozenset({"no-spacing"})),
    "missing spacing": Case(no_spacing, THREE, frozenset({"no-spacing"})),
    "NaN and infinity": Case(one_file(with_nan()), holds=values(1.5)),
    "one slice": Case(one_file(ct_slice(RAMP)), holds=is_ramp),
    "one pixel": Case(one_file(one_pixel()), ((1, 1, 1),), holds=values(7 - 1024)),
    "RGB": Case(one_file(rgb()), holds=lambda v: v[0].voxels[0, 0, 0].tolist() == [200, 0, 0]),
    "palette": Case(
        one_file(palette()), holds=lambda v: v[0].voxels[0, 0, 0].tolist() == [10, 20, 30]
    ),
    "MONOCHROME1": Case(one_file(monochrome1()), holds=values(3995 - 1024)),
    "32-bit float": Case(one_file(float_pixels(np.full((4, 6), -0.25))), holds=values(-0.25)),
    "8 bits in 16": Case(one_file(eight_in_sixteen()), holds=is_ramp),
    "signed with rescale": Case(one_file(signed_with_rescale()), holds=values(-90)),
    "pixels that are not square": Case(
        one_file(non_square()), codes=frozenset({"non-square-pixels"})
    ),
    "tilt": Case(tilted, ((4, 4, 6),), frozenset({"gantry-tilt"})),
    "oblique": Case(oblique, ((4, 4, 6),)),
    "multi-frame": Case(one_file(multi_frame()), THREE, holds=values(1 - 1000, 2 - 1000, 3 - 1000)),
    "JPEG 2000": Case(one_file(jpeg_2000()), holds=is_ramp),
    "JPEG-LS": Case(one_file(jpeg_ls()), holds=is_ramp),
    "RLE": Case(one_file(rle()), holds=is_ramp),
    "big endian": Case(one_file(big_endian()), holds=is_ramp),
    "no preamble": Case(no_preamble, holds=is_ramp),
    "16 GB declared": Case(one_file(sixteen_gigabytes()), refused="pixel data"),
    "names with umlaut, emoji, a line break, 200 bytes": Case(odd_names, THREE),
    "a read-only file": Case(read_only, holds=is_ramp),
    "a dangling link": Case(dangling, THREE),
    "a text beside the images": Case(text_beside, THREE, skipped=("not an image",)),
}


def test_there_are_thirty() -> None:
    assert len(CASES) == 30


@pytest.mark.parametrize("name", CASES)
def test_an_odd_input_gives_what_is_written(tmp_path: Path, name: str) -> None:
    case = CASES[name]
    path = case.make(tmp_path) or tmp_path
    if case.refused:
        with pytest.raises(CoreError) as caught:
            open_path(path)
        told = sentence(caught.value)
        assert case.refused in told.what
        assert told.where == str(path) and told.remedy
        return
    opened = open_path(path)
    volumes = [series.load() for series in opened.series]
    assert tuple(volume.summary.shape for volume in volumes) == case.shapes
    assert {w.code for v in volumes for w in v.summary.warnings} == case.codes
    assert len(opened.skipped) == len(case.skipped)
    for one, piece in zip(opened.skipped, case.skipped, strict=True):
        assert piece in one.reason
    assert case.holds(volumes)


def test_a_file_that_vanishes_between_scan_and_load_is_a_sentence(tmp_path: Path) -> None:
    paths = write_series(tmp_path, [0, 2, 4])
    (series,) = open_path(tmp_path).series
    paths[1].unlink()
    with pytest.raises(CoreError) as caught:
        series.load()
    told = sentence(caught.value)
    assert told.where == os.fspath(paths[1]) and told.remedy
