"""What may leave this workstation, and under which names.

Exports name what they carry (a keep-list); whatever is not named stays. A removal list would
let the next private tag through. Free text is never exported, whatever field it stands in,
because people type names into any field that takes text. Dates leave in DICOM exports alone,
shifted by the patient's own number of days.

People and images leave under pseudonyms: a keyed hash, so that nobody who lacks this site's
key can test whether a known patient number is among them. Anonymity of faces in thin slices of
a whole head is not promised: see docs/security.md.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
import unicodedata
from datetime import timedelta
from pathlib import Path
from typing import Any

from core import durable, places
from core.errors import DamagedSiteKeyError, NotDurableError
from core.imaging.volume import SeriesSummary

KEY_BYTES = 32
PSEUDONYM_LENGTH = 10
"""Characters of base32, 50 bits: among a million patients two share one in 1 of 2,000 sites."""

# fmt: off
MODALITIES = frozenset({
    "CR", "CT", "DX", "IO", "MG", "MR", "NM", "OCT", "OT", "PT", "PX", "RF", "RTIMAGE", "SC", "US",
    "XA", "XC",
})
"""Image modalities that are exported as stated. Source: DICOM PS3.3 C.7.3.1.1.1."""
# fmt: on

_STANDARD_TRANSFER_SYNTAX = "1.2.840.10008.1.2"


def allowed_facts(summary: SeriesSummary) -> dict[str, Any]:
    """The facts about a series that an export may state: numbers and closed word lists only.

    Keys: modality, quantity, shape [slices, rows, columns], spacing_mm [slice, row, column]
    or None where the source states none, plane_distance_mm, tilt_degrees, transfer_syntax,
    is_volume, synthetic, warnings (codes, without their texts).

    What is no standard modality code becomes "OT"; what is no standard transfer syntax UID
    becomes "": both fields can hold anything in a file that somebody edited.
    """
    geometry = summary.geometry
    known = geometry.has_spacing
    syntax = summary.transfer_syntax
    is_standard = syntax.startswith(_STANDARD_TRANSFER_SYNTAX) and all(
        part.isdigit() for part in syntax.split(".")
    )
    return {
        "modality": summary.modality if summary.modality in MODALITIES else "OT",
        "quantity": summary.quantity.value,
        "shape": list(geometry.shape),
        "spacing_mm": [round(value, 4) for value in geometry.spacing] if known else None,
        "plane_distance_mm": round(geometry.plane_distance, 4) if known else None,
        "tilt_degrees": round(geometry.tilt_degrees, 2) if known else None,
        "transfer_syntax": syntax if is_standard else "",
        "is_volume": summary.is_volume,
        "synthetic": summary.is_synthetic,
        "warnings": sorted({warning.code for warning in summary.warnings}),
    }


def pseudonym(site_key: bytes, identifier: str) -> str:
    """The name under which a person or an image leaves: 10 characters A–Z, 2–7.

    HMAC-SHA256 under the site's key, in base32: the same identifier gives the same name on
    this site for ever, so that a patient stays on one side of a split; another site, or one
    without the key, cannot compute it. Spaces around the identifier do not count, as in DICOM.

    Raises ValueError for an empty identifier: all who have none would become one patient.
    """
    normal = unicodedata.normalize("NFC", identifier).strip(" \0")
    if not normal:
        raise ValueError("an empty identifier has no pseudonym")
    digest = hmac.new(site_key, normal.encode(), hashlib.sha256).digest()
    return base64.b32encode(digest).decode()[:PSEUDONYM_LENGTH]


def patient_pseudonym(site_key: bytes, summary: SeriesSummary) -> str:
    """The pseudonym of a series' patient; of the case itself where no patient is stated."""
    return pseudonym(site_key, patient_name_of(summary))


def uid_pseudonym(site_key: bytes, uid: str) -> str:
    """The UID under which a study, series or instance leaves: repeatable, valid, unlike the old.

    The 128 leading bits of an HMAC under the site's key, under the arc for UUIDs (PS3.5 B.2).
    Raises ValueError for an empty UID.
    """
    normal = uid.strip(" \0")
    if not normal:
        raise ValueError("an empty UID has no pseudonym")
    digest = hmac.new(site_key, f"uid:{normal}".encode(), hashlib.sha256).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"


def date_shift(site_key: bytes, patient: str) -> timedelta:
    """By how much the dates of a patient move back: 1 to 365 days, the same for all of them.

    patient: name of the patient as `pseudonym` takes it. Intervals between a patient's studies
    are kept.
    """
    digest = hmac.new(site_key, f"shift:{patient}".encode(), hashlib.sha256).digest()
    return timedelta(days=1 + int.from_bytes(digest[:8], "big") % 365)


def patient_name_of(summary: SeriesSummary) -> str:
    """What stands for a series' patient wherever pseudonyms are made: never leaves as it is."""
    stated = summary.patient_id.strip(" \0")
    return f"patient:{stated}" if stated else f"case:{summary.case_id}"


def key_file() -> Path:
    """Where this site's key lies."""
    return places.data_folder() / "site.key"


def site_key() -> bytes:
    """This site's secret, made on first use and readable by its owner alone (0600).

    It never leaves the data folder. Raises DamagedSiteKeyError if the file is not a key: it is
    not replaced, because new pseudonyms would put known patients on the other side of a split.
    """
    path = key_file()
    if not path.exists():
        _create(path)
    try:
        key = path.read_bytes()
        if os.name != "nt" and path.stat().st_mode & 0o077:
            path.chmod(0o600)
    except OSError as error:
        raise DamagedSiteKeyError(path, error.strerror or str(error)) from error
    if len(key) != KEY_BYTES:
        raise DamagedSiteKeyError(path, f"it has {len(key)} bytes instead of {KEY_BYTES}")
    return key


def _create(path: Path) -> None:
    """Publish a new key under its name; if another process was first, its key stays."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as stream:
            stream.write(secrets.token_bytes(KEY_BYTES))
            stream.flush()
            os.fsync(stream.fileno())
        try:
            os.link(temporary, path)  # unlike a rename, never replaces
        except FileExistsError:
            pass
        finally:
            temporary.unlink()
        durable.fsync_folder(path.parent)
    except OSError as error:
        raise NotDurableError(path, error.strerror or str(error)) from error
