"""The application's icon in the sizes and formats that systems want, drawn from the one SVG."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "resources" / "icons" / "sliceloop.svg"
SIZES = (32, 48, 128, 256)


def draw() -> None:
    """Write the PNG files beside the SVG; needed only when it has changed."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6.QtGui import QGuiApplication, QImage, QPainter
    from PySide6.QtSvg import QSvgRenderer

    application = QGuiApplication(sys.argv[:1])
    renderer = QSvgRenderer(str(SOURCE))
    for size in SIZES:
        image = QImage(size, size, QImage.Format.Format_ARGB32_Premultiplied)
        image.fill(0)
        painter = QPainter(image)
        renderer.render(painter)
        painter.end()
        image.save(str(SOURCE.with_name(f"sliceloop-{size}.png")))
    application.quit()


def pack(folder: Path) -> None:
    """Write sliceloop.ico (Windows) and sliceloop.icns (macOS) into a folder."""
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    with Image.open(SOURCE.with_name("sliceloop-256.png")) as image:
        image.save(folder / "sliceloop.ico", sizes=[(size, size) for size in (16, *SIZES)])
        image.save(folder / "sliceloop.icns")


if __name__ == "__main__":
    draw()
