"""What came with the program: weights, recipes, label sets, codecs, and what it computes on."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core import places
from core.bench.series_maker import SYNTAXES, make_series
from core.imaging.dicom import codecs
from core.imaging.dicom.pixel_format import PixelFormat
from core.imaging.opening import open_path
from core.labels.sets import available_label_sets, load_label_set
from core.models.catalogue import Catalogue
from core.selftest.checking import require

SIDE = 64
"""Rows and columns of the pictures that are coded and decoded."""

_JPEG = "1.2.840.10008.1.2.4."
Encode = Callable[[NDArray[np.uint16]], bytes]


def check_weights() -> str:
    """Hash of each shipped model, its shapes, and its answer on the recorded input."""
    from core.models.verification import verify_model

    catalogue = Catalogue()
    require(not catalogue.damaged(), f"damaged: {', '.join(map(str, catalogue.damaged()))}")
    folders = sorted(path.parent for path in places.shipped_weights().glob("*/card.json"))
    require(bool(folders), "no model came with the program")
    cards = [verify_model(folder) for folder in folders]
    return ", ".join(f"{card.id} {card.weights_sha256[:12]}" for card in cards)


def check_recipes() -> str:
    """Every recipe and label set can be read."""
    from core.retraining.recipe import load_recipe

    recipes = sorted(path.stem for path in (places.resources() / "recipes").glob("*.yaml"))
    sets = available_label_sets()
    for name in recipes:
        load_recipe(name)
    for name in sets:
        load_label_set(name)
    require(bool(recipes and sets), "no recipe or no label set came with the program")
    return f"{len(recipes)} recipes, {len(sets)} label sets"


def check_transfer_syntaxes() -> str:
    """One small picture a codec, coded here and decoded as a DICOM frame is."""
    picture = _picture()
    layout = PixelFormat(*(SIDE, SIDE, 1, "MONOCHROME2", False, 16, 16, 15, False), kind="i")
    tried = _encoders()
    for syntax, (encode, tolerance) in tried.items():
        pixels = picture // 256 if syntax == _JPEG + "50" else picture
        array, _ = codecs.decode(syntax, encode(pixels), layout)
        worst = int(np.abs(array.astype(np.int64) - pixels).max())
        name = codecs.syntax_name(syntax)
        require(worst <= tolerance, f"{name} came back {worst} grey levels off")
    return f"{len(tried)} of {len(codecs.DECODABLE)} transfer syntaxes, one for each decoder"


def check_decoders(folder: Path) -> str:
    """Series in each syntax of the bench, decoded in decoder processes, with the same voxels."""
    from core.imaging import decoding

    try:
        found: dict[str, NDArray[np.generic]] = {}
        for syntax in SYNTAXES:
            make_series(folder / syntax, 3, syntax, side=128)
            (series,) = open_path(folder / syntax).series
            found[syntax] = series.load().voxels
    finally:
        decoding.shut_down()
    for syntax, voxels in found.items():
        require(np.array_equal(voxels, found["native"]), f"{syntax} has other voxels")
    return f"{', '.join(found)}: the same voxels"


def check_pictures(folder: Path) -> str:
    """PNG, JPEG, TIFF in four compressions, BMP and WebP are read as they were written."""
    import tifffile
    from PIL import Image

    from core.imaging import decoding

    folder.mkdir(parents=True, exist_ok=True)
    grey = (_picture() >> 8).astype(np.uint8)
    for kind in ("png", "jpg", "bmp", "webp"):
        Image.fromarray(grey).save(folder / f"grey.{kind}", lossless=True)
    for compression in ("lzw", "zlib", "zstd", "jpeg"):
        tifffile.imwrite(folder / f"{compression}.tif", grey, compression=compression)
    files = sorted(folder.iterdir())
    try:
        for file in files:
            (series,) = open_path(file).series
            read = np.asarray(series.load().voxels[0])
            read = read[..., 0] if read.ndim == 3 else read
            worst = int(np.abs(read.astype(np.int64) - grey).max())
            lossy = file.suffix == ".jpg" or file.stem == "jpeg"
            require(worst <= (24 if lossy else 0), f"{file.name} came back {worst} levels off")
    finally:
        decoding.shut_down()
    return f"{len(files)} kinds of file"


def check_device() -> str:
    """What models compute on here: the graphics card where there is one, and OpenVINO."""
    import torch

    from core.models.devices import best_device
    from core.models.openvino_library import openvino

    device = best_device()
    left = torch.arange(16.0, device=device).reshape(4, 4)
    require(
        bool(torch.equal((left @ left.T).cpu(), left.cpu() @ left.cpu().T)),
        f"{device} multiplies wrongly",
    )
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type.upper()
    runtime = openvino().Core().available_devices
    require("CPU" in runtime, f"OpenVINO finds no CPU, only {runtime}")
    gpu = "" if device.type != "cpu" else "; no GPU, or none that this build can use"
    return f"torch {torch.__version__} on {name}, OpenVINO on {', '.join(runtime)}{gpu}"


def _picture() -> NDArray[np.uint16]:
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    return np.asarray((x * 700 + y * 300) % 65536, np.uint16)


def _encoders() -> dict[str, tuple[Encode, int]]:
    """Transfer syntax → (encoder, largest difference that is right)."""
    import imagecodecs as codec

    def deflated(pixels: NDArray[np.uint16]) -> bytes:
        packer = zlib.compressobj(wbits=-15)
        return packer.compress(pixels.tobytes()) + packer.flush()

    def run_length(pixels: NDArray[np.uint16]) -> bytes:
        from pydicom.pixels.encoders.base import RLELosslessEncoder

        return bytes(
            RLELosslessEncoder.encode(
                pixels,
                rows=SIDE,
                columns=SIDE,
                samples_per_pixel=1,
                number_of_frames=1,
                bits_allocated=16,
                bits_stored=16,
                pixel_representation=0,
                photometric_interpretation="MONOCHROME2",
            )
        )

    def coded(name: str, **how: Any) -> Encode:
        return lambda pixels: bytes(getattr(codec, f"{name}_encode")(pixels, **how))

    return {
        "1.2.840.10008.1.2.5": (run_length, 0),
        "1.2.840.10008.1.2.8.1": (deflated, 0),
        _JPEG + "50": (lambda p: bytes(codec.jpeg8_encode(p.astype(np.uint8), level=95)), 24),
        _JPEG + "70": (coded("ljpeg"), 0),
        _JPEG + "80": (coded("jpegls"), 0),
        _JPEG + "90": (coded("jpeg2k", codecformat="j2k", reversible=True, level=0), 0),
        _JPEG + "110": (coded("jpegxl", lossless=True), 0),
        _JPEG + "201": (coded("htj2k", reversible=True), 0),
    }
