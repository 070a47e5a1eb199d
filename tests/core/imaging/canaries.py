"""Canaries: an identifier of its own in every attribute that table E.1-1 calls confidential."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path

import pydicom
from pydicom.datadict import dictionary_VR, keyword_for_tag
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag, Tag

ATTRIBUTES = Path(__file__).with_name("confidential_attributes.txt")

_PIXELS = Tag(0x7FE00010)


def attributes() -> list[BaseTag]:
    """The attributes of the table that pydicom knows and that can hold an identifier."""
    lines = [line for line in ATTRIBUTES.read_text().splitlines() if not line.startswith("#")]
    tags = [Tag(int(line, 16)) for line in lines]
    return [
        tag
        for tag in tags
        if tag.group > 2  # a file holds no others in its data set
        and keyword_for_tag(tag)
        and dictionary_VR(tag) != "US"
        and tag != _PIXELS
    ]


class Aviary:
    """Makes canaries, each of its own kind and number, and looks for them."""

    def __init__(self) -> None:
        self.canaries: list[str] = []

    def one(self, representation: str = "LO") -> str:
        """A new canary that a value representation can hold."""
        number = len(self.canaries) + 1
        # Further apart than any shift of dates: a moved one is never another one.
        day = (date(1602, 3, 4) + timedelta(days=400 * (number % 900))).strftime("%Y%m%d")
        found = {
            "DA": day,
            "TM": f"010203.{number:06d}",
            "DT": f"{day}010203.{number:06d}",
            "UI": f"1.2.826.777.{number}",
            "DS": f"0.77{number:08d}",
            "IS": f"7{number:07d}",
            "AS": f"{number % 1000:03d}Y",
            "CS": f"CNRY{number:05d}",
            "UR": f"http://cnry{number:05d}.example",
        }.get(representation, f"Cnry{number:05d}")
        self.canaries.append(found)
        return found

    def plant(self, into: Dataset, tags: Iterable[BaseTag]) -> None:
        """Set every attribute to a canary; sequences get an item with one inside."""
        for tag in tags:
            representation = dictionary_VR(tag)
            if representation == "SQ":
                item = Dataset()
                item.PatientComments = self.one()
                into.add_new(tag, "SQ", [item])
            elif representation in ("OB", "OW", "UN"):
                text = self.one().encode()
                into.add_new(tag, representation, text + b" " * (len(text) % 2))
            else:
                into.add_new(tag, representation, self.one(representation))

    def found_in(self, content: bytes) -> list[str]:
        """The canaries that are in some bytes, in any of four encodings."""
        return [name for name in self.canaries if any(f in content for f in encoded(name))]


def encoded(text: str) -> list[bytes]:
    """A text as UTF-8, UTF-16 (both orders), Latin-1 and, at each alignment, base64."""
    forms = [text.encode(), text.encode("utf-16-le"), text.encode("utf-16-be")]
    forms.append(text.encode("latin-1", "replace"))
    for lead in range(3):
        whole = base64.b64encode(b"\0" * lead + text.encode())
        # Its first and last characters depend on the neighbours as well.
        forms.append(whole[-(-lead * 4 // 3) : len(whole) // 4 * 4 - 4])
    return [form for form in forms if len(form) >= 4]


def private_tags(into: Dataset, aviary: Aviary) -> None:
    """Private blocks at this level."""
    block = into.private_block(0x0029, aviary.one(), create=True)
    block.add_new(0x01, "LO", aviary.one())
    block.add_new(0x02, "UN", aviary.one().encode() + b" ")


def overlays_and_curves(into: Dataset, aviary: Aviary) -> None:
    """Repeating groups: overlay planes with their texts, and a curve."""
    for group in (0x6000, 0x6002, 0x601E):
        into.add_new(Tag(group, 0x0022), "LO", aviary.one())
        into.add_new(Tag(group, 0x1500), "LO", aviary.one())
        into.add_new(Tag(group, 0x4000), "LT", aviary.one())
    into.add_new(Tag(0x5000, 0x2500), "LO", aviary.one())


def all_bytes(folder: Path) -> bytes:
    """Every file below a folder and every name, one after the other."""
    parts = []
    for path in sorted(folder.rglob("*")):
        parts.append(str(path.relative_to(folder)).encode())
        if path.is_file():
            parts.append(path.read_bytes())
    return b"\n".join(parts)


def read(path: Path) -> Dataset:
    return pydicom.dcmread(path)
