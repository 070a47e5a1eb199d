"""Pictures: every kind of pixel, stacks in natural order, the right way up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from core.errors import CoreError, UnreadableImageError
from core.imaging.intensity import Quantity
from core.imaging.opening import open_path
from core.imaging.volume import SeriesSummary, Volume

RNG = np.random.default_rng(11)
GREY = RNG.integers(0, 256, (6, 9), dtype=np.uint8)
RGB = RNG.integers(0, 256, (6, 9, 3), dtype=np.uint8)
DEEP = RNG.integers(0, 65536, (6, 9), dtype=np.uint16)


def load(path: Path) -> Volume:
    return open_path(path).series[0].load()


def save(array: np.ndarray, path: Path, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **options)  # type: ignore[arg-type]
    return path


def codes(summary: SeriesSummary) -> set[str]:
    return {warning.code for warning in summary.warnings}


# ------------------------------------------------------------------ kinds of pixels


@pytest.mark.parametrize("ending", ["png", "tif"])
@pytest.mark.parametrize(
    ("array", "quantity"),
    [(GREY, Quantity.GREY), (DEEP, Quantity.SIGNAL), (RGB, Quantity.COLOUR)],
    ids=["grey", "16 bit", "RGB"],
)
def test_lossless_pictures_come_as_they_are(
    tmp_path: Path, array: np.ndarray, quantity: Quantity, ending: str
) -> None:
    volume = load(save(array, tmp_path / f"a.{ending}"))
    assert volume.voxels.dtype == array.dtype
    assert (volume.voxels[0] == array).all()
    assert volume.summary.quantity is quantity
    assert not volume.summary.geometry.has_spacing
    assert volume.summary.shape == (1, 6, 9)


def test_jpeg(tmp_path: Path) -> None:
    smooth = np.linspace(0, 255, 64 * 64).reshape(64, 64).astype(np.uint8)
    volume = load(save(smooth, tmp_path / "a.jpg", quality=95))
    assert volume.summary.quantity is Quantity.GREY
    assert np.abs(volume.voxels[0].astype(int) - smooth).max() < 8
    colours = np.stack([smooth, smooth.T, 255 - smooth], -1)
    volume = load(save(colours, tmp_path / "b.jpg", quality=98, subsampling=0))
    assert np.abs(volume.voxels[0].astype(int) - colours).max() < 12


def test_colours_whose_channels_are_equal_are_grey(tmp_path: Path) -> None:
    grey = np.repeat(GREY[..., None], 3, axis=2)
    volume = load(save(grey, tmp_path / "a.png"))
    assert volume.summary.quantity is Quantity.GREY
    assert (volume.voxels[0] == GREY).all()


def test_palette(tmp_path: Path) -> None:
    image = Image.fromarray(RGB).quantize(16)
    image.save(tmp_path / "a.png")
    assert (load(tmp_path / "a.png").voxels[0] == np.asarray(image.convert("RGB"))).all()


def test_transparency_lies_on_white(tmp_path: Path) -> None:
    alpha = np.full((6, 9, 1), 255, np.uint8)
    alpha[0] = 0
    volume = load(save(np.concatenate([RGB, alpha], 2), tmp_path / "a.png"))
    assert (volume.voxels[0, 0] == 255).all()
    assert (volume.voxels[0, 1:] == RGB[1:]).all()


def test_cmyk(tmp_path: Path) -> None:
    image = Image.new("CMYK", (32, 32), (255, 0, 0, 0))
    image.save(tmp_path / "a.jpg", quality=95)
    red, green, blue = load(tmp_path / "a.jpg").voxels[0, 16, 16]
    assert red < 30 and green > 200 and blue > 200


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation(tmp_path: Path, orientation: int) -> None:
    ramp = np.zeros((32, 64), np.uint8)
    ramp[:16] = 200
    ramp[:, 48:] = 90
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(ramp, tmp_path / "a.jpg", quality=100, exif=exif)
    from PIL import ImageOps

    expected = np.asarray(ImageOps.exif_transpose(Image.open(path)))
    volume = load(path)
    assert volume.summary.shape[1:] == expected.shape
    assert np.abs(volume.voxels[0].astype(int) - expected).max() <= 2


# ------------------------------------------------------------------ TIFF


@pytest.mark.parametrize("dtype", ["u1", "u2", "i2", "f4"])
@pytest.mark.parametrize("compression", [None, "zlib", "lzw"])
def test_multi_page_tiff(tmp_path: Path, dtype: str, compression: str | None) -> None:
    stack = (RNG.random((7, 16, 12)) * 200).astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", stack, compression=compression, photometric="minisblack")
    volume = load(tmp_path / "a.tif")
    assert volume.voxels.dtype == np.dtype(dtype)
    assert (volume.voxels == stack).all()
    assert volume.summary.is_volume
    assert len(set(volume.summary.slice_ids)) == 7
    assert (open_path(tmp_path / "a.tif").series[0].read_slice(3).voxels[0] == stack[3]).all()


def test_big_endian_tiff(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", DEEP, byteorder=">")
    assert (load(tmp_path / "a.tif").voxels[0] == DEEP).all()


def test_white_is_zero(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", GREY, photometric="miniswhite")
    assert (load(tmp_path / "a.tif").voxels[0] == 255 - GREY).all()


def test_imagej_states_micrometres(tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "a.tif",
        np.zeros((4, 8, 8), np.uint16),
        imagej=True,
        resolution=(1 / 2.5, 1 / 2.5),
        metadata={"spacing": 5.0, "unit": "um", "axes": "ZYX"},
    )
    geometry = load(tmp_path / "a.tif").geometry
    assert geometry.has_spacing and not geometry.has_orientation
    assert np.allclose(geometry.spacing, (0.005, 0.0025, 0.0025), rtol=1e-4)


def test_a_truncated_tiff_is_refused(tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "a.tif", np.zeros((3, 200, 200), np.uint16), photometric="minisblack"
    )
    raw = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(raw[: len(raw) // 2])
    with pytest.raises(UnreadableImageError):
        open_path(tmp_path / "a.tif")


# ------------------------------------------------------------------ stacks


def test_a_folder_is_split_by_the_name_before_the_last_number(tmp_path: Path) -> None:
    for patient in (49, 50):
        for number in (2, 10, 9, 1):
            grey = np.full((5, 5), number, np.uint8)
            save(grey, tmp_path / f"p0{patient}_s{number}.png")
    first, second = open_path(tmp_path).series
    assert first.summary.description == "p049_s"
    assert second.summary.description == "p050_s"
    assert first.load().voxels[:, 0, 0].tolist() == [1, 2, 9, 10]
    assert first.summary.is_volume


def test_stacks_that_would_be_namesakes_are_called_by_their_first_file(tmp_path: Path) -> None:
    for number, picture in enumerate((GREY, GREY, GREY.T.copy(), GREY.T.copy())):
        save(picture, tmp_path / f"part_{number}.png")
    names = [one.summary.description for one in open_path(tmp_path).series]
    assert names == ["part_0", "part_2"]


def test_sizes_and_kinds_are_not_mixed(tmp_path: Path) -> None:
    for i in range(3):
        save(GREY, tmp_path / f"s{i}.png")
    save(GREY.T.copy(), tmp_path / "s3.png")
    save(RGB, tmp_path / "s4.png")
    assert sorted(one.summary.shape for one in open_path(tmp_path).series) == [
        (1, 6, 9),
        (1, 9, 6),
        (3, 6, 9),
    ]


def test_gaps_in_the_numbers_are_said(tmp_path: Path) -> None:
    for i in (1, 2, 3, 5, 6, 7):
        save(np.full((5, 5), i, np.uint8), tmp_path / f"s{i}.png")
    summary = open_path(tmp_path).series[0].summary
    assert {"missing-slices", "no-spacing"} == codes(summary)


def test_identifiers_follow_the_content_and_not_the_name(tmp_path: Path) -> None:
    for i in range(3):
        save(np.full((5, 5), i, np.uint8), tmp_path / "a" / f"x{i}.png")
        save(np.full((5, 5), i, np.uint8), tmp_path / "b" / f"other{i + 7}.png")
    first, second = open_path(tmp_path).series
    assert first.summary.case_id == second.summary.case_id
    assert first.summary.slice_ids == second.summary.slice_ids


def test_a_bad_picture_in_a_folder_is_skipped_and_alone_it_is_refused(tmp_path: Path) -> None:
    save(GREY, tmp_path / "a1.png")
    (tmp_path / "a2.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"nothing")
    (tmp_path / "notes.txt").write_text("seen with Dr. Kim")
    opened = open_path(tmp_path)
    assert len(opened.series) == 1
    assert [one.file.name for one in opened.skipped] == ["a2.png", "notes.txt"]
    with pytest.raises(UnreadableImageError):
        open_path(tmp_path / "a2.png")


def test_a_picture_that_cannot_be_decoded_is_a_sentence(tmp_path: Path) -> None:
    save(GREY, tmp_path / "a.png")
    raw = bytearray((tmp_path / "a.png").read_bytes())
    raw[45:60] = bytes(15)
    (tmp_path / "a.png").write_bytes(raw)
    with pytest.raises(UnreadableImageError):
        load(tmp_path / "a.png")


def test_the_kind_is_told_by_the_content(tmp_path: Path) -> None:
    save(GREY, tmp_path / "a.png").rename(tmp_path / "a.dcm")
    assert load(tmp_path / "a.dcm").summary.transfer_syntax == "PNG"


# ------------------------------------------------------------------ pictures from the web


@pytest.mark.parametrize("ending", ["webp", "gif", "bmp"])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P"])
def test_web_pictures_are_what_pillow_reads(tmp_path: Path, ending: str, mode: str) -> None:
    from PIL import Image

    ramp = (np.add.outer(np.arange(20) * 5, np.arange(30) * 3) % 256).astype(np.uint8)
    colours = Image.fromarray(np.stack([ramp, 255 - ramp, ramp // 2], -1))
    if mode == "RGBA":
        colours.putalpha(Image.fromarray(np.where(ramp > 90, 255, 0).astype(np.uint8)))
    if ending == "bmp" and mode == "RGBA":
        pytest.skip("a bitmap keeps no alpha")
    written = colours if mode == "RGBA" else colours.convert(mode)
    path = tmp_path / f"a.{ending}"
    written.save(path, **({"lossless": True} if ending == "webp" else {}))
    with Image.open(path) as image:
        laid = Image.new("RGBA", image.size, "white")
        laid.alpha_composite(image.convert("RGBA"))
        expected = np.asarray(laid.convert("RGB"))
    (series,) = open_path(path).series
    volume = series.load()
    assert volume.summary.transfer_syntax == {"webp": "WebP"}.get(ending, ending.upper())
    found = volume.voxels[0] if volume.is_colour else np.repeat(volume.voxels[0][..., None], 3, -1)
    assert (found == expected).all()
    assert volume.is_colour == (mode != "L")


@pytest.mark.parametrize("ending", ["png", "webp"])
@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_exif_rotation_outside_of_jpeg(tmp_path: Path, ending: str, orientation: int) -> None:
    from PIL import Image, ImageOps

    pixels = np.random.default_rng(1).integers(0, 256, (8, 12, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"a.{ending}"
    extra = {"lossless": True} if ending == "webp" else {}
    Image.fromarray(pixels).save(path, exif=exif, **extra)
    with Image.open(path) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    assert (open_path(path).series[0].load().voxels[0] == expected).all()


def test_colours_that_cannot_be_shown_rightly_are_refused(tmp_path: Path) -> None:
    from PIL import Image

    path = tmp_path / "lab.tif"
    Image.new("LAB", (8, 8), (128, 3, 4)).save(path)
    with pytest.raises(UnreadableImageError, match="CIELAB"):
        open_path(path)


@pytest.mark.parametrize("ending", ["webp", "gif", "bmp"])
def test_a_web_picture_cut_short_is_a_sentence(tmp_path: Path, ending: str) -> None:
    from PIL import Image

    path = tmp_path / f"a.{ending}"
    noise = np.random.default_rng(1).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    whole = path.read_bytes()
    for length in (16, 24, 60, len(whole) // 2):
        path.write_bytes(whole[:length])
        with pytest.raises(CoreError):
            open_path(path).series[0].load()
