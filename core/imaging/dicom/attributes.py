"""Single attributes of a DICOM file by keyword, through pydicom, without its pixels."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from core.errors import CoreError, UnreadableImageError
from core.imaging.dicom.headers import FileReader, Header, deflated_body
from core.imaging.inflation import inflated

_LARGEST_HEADER = 64 << 20


def read_attributes(header: Header, keywords: Sequence[str]) -> Any:
    """A pydicom Dataset with those of the attributes that a file has; never its pixels.

    For attributes that `core.imaging.dicom.tags` does not name: those cost nothing more.
    Raises UnreadableImageError where pydicom cannot read what our own reader could.
    """
    import pydicom
    from pydicom.dataset import Dataset

    path = header.path
    wanted: list[Any] = list(keywords)
    try:
        if not header.is_deflated:
            return pydicom.dcmread(path, stop_before_pixels=True, specific_tags=wanted, force=True)
        with FileReader(str(path)) as file:
            # Inflated here, with a limit: pydicom inflates whatever a file says it holds.
            body = inflated(path, deflated_body(file), "deflate", _LARGEST_HEADER)
        found = pydicom.filereader.read_dataset(
            io.BytesIO(body),
            is_implicit_VR=False,
            is_little_endian=True,
            stop_when=lambda tag, *_: tag >= 0x7FE00000,
            specific_tags=[pydicom.tag.Tag(word) for word in keywords],
        )
        return found if isinstance(found, Dataset) else Dataset(found)
    except CoreError:
        raise
    except Exception as error:  # pydicom raises whatever a malformed file makes it raise
        raise UnreadableImageError(path, "its header is malformed") from error
