"""Whose image it is: told by all that the header says, so that a stray slice is noticed."""

from __future__ import annotations

import re
from functools import lru_cache

from core.imaging.dicom import tags
from core.imaging.dicom.headers import Header
from core.imaging.dicom.values import plain_text

Who = tuple[str, str, str, str]
"""What an image says of its patient: number, name, birth date, sex; "" where it is silent."""


def patient_of(header: Header) -> Who:
    """What an image says of its patient."""
    raw = header.raw
    return _who(
        raw.get(tags.PatientID, b""),
        raw.get(tags.PatientName, b""),
        raw.get(tags.PatientBirthDate, b""),
        raw.get(tags.PatientSex, b""),
    )


@lru_cache(maxsize=4096)
def _who(number: bytes, name: bytes, born: bytes, sex: bytes) -> Who:
    # Writers differ in case, padding and empty parts of a name: those tell nobody apart.
    said = "^".join(part for part in re.split(r"[\^=\s]+", plain_text(name).casefold()) if part)
    return (plain_text(number), said, plain_text(born), plain_text(sex).upper())


def persons(said: set[Who]) -> dict[Who, str]:
    """A key for each person; what contradicts in nothing that both state is one person."""
    known: list[Who] = []
    found: dict[Who, str] = {}
    for who in sorted(said, key=lambda one: (-sum(map(bool, one)), one)):
        same = next((other for other in known if _may_be_one(who, other)), None)
        if same is None:
            known.append(who)
            same = who
        found[who] = "|".join(same)
    return found


def _may_be_one(a: Who, b: Who) -> bool:
    if a[0] != b[0] and ((a[0] and b[0]) or not a[1] or a[1] != b[1]):
        return False
    return all(x == y or not x or not y for x, y in zip(a[1:], b[1:], strict=True))
