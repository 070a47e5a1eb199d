"""Labels on their way out: pseudonyms instead of identifiers, no dates, no free text.

CSV is for people and JSON Lines for programs. A cell of the CSV never begins with a character
by which a spreadsheet takes it for a formula (OWASP ASVS 1.2.10).
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from core.imaging.deidentify import pseudonym
from core.labels.schema import LabelEvent

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\0")

COLUMNS = (
    "sequence",
    "batch",
    "elapsed_s",
    "reader",
    "case",
    "patient",
    "slice",
    "slice_index",
    "label_set",
    "action",
    "old",
    "new",
    "target",
    "model",
    "weights_sha256",
    "model_class",
    "model_probability",
    "regions",
)
"""elapsed_s: seconds since the first entry exported. slice_index: from 0. target: sequence of
the entry that an undo or redo names. regions: [attention, class, top, left, height, width]."""


def safe_cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula: with `'` before it if it could."""
    return f"'{text}" if text.lstrip(" ").startswith(FORMULA_STARTS) else text


def rows(events: Iterable[LabelEvent], site_key: bytes) -> list[dict[str, Any]]:
    """What may leave of these entries, one dict of COLUMNS each.

    Readers, cases, patients and slices go by the pseudonyms of this site's key; reasons and
    notes (free text), times, machine names and the chain's hashes stay here.
    """
    found: list[dict[str, Any]] = []
    first: datetime | None = None
    for event in events:
        draft, opinion = event.draft, event.draft.opinion
        at = datetime.fromisoformat(event.at)
        first = first or at
        patient = f"patient:{draft.patient_id}" if draft.patient_id else f"case:{draft.case_id}"
        found.append(
            {
                "sequence": event.sequence,
                "batch": event.batch,
                "elapsed_s": round((at - first).total_seconds()),
                "reader": pseudonym(site_key, f"reader:{event.reader}"),
                "case": pseudonym(site_key, f"case:{draft.case_id}"),
                "patient": pseudonym(site_key, patient),
                "slice": pseudonym(site_key, f"slice:{draft.slice_id}"),
                "slice_index": draft.slice_index,
                "label_set": draft.label_set,
                "action": draft.action.value,
                "old": draft.old,
                "new": draft.new,
                "target": draft.target,
                "model": opinion.model if opinion else None,
                "weights_sha256": opinion.weights_sha256 if opinion else None,
                "model_class": opinion.class_id if opinion else None,
                "model_probability": opinion.probability if opinion else None,
                "regions": [[r.attention.value, r.class_id, *r.box] for r in draft.regions],
            }
        )
    return found


def as_csv(table: Iterable[dict[str, Any]]) -> bytes:
    """The rows as CSV, UTF-8 with a byte order mark (spreadsheets read Hangul only with it)."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for row in table:
        writer.writerow([_cell(row[name]) for name in COLUMNS])
    return text.getvalue().encode("utf-8-sig", "backslashreplace")


def as_json_lines(table: Iterable[dict[str, Any]]) -> bytes:
    """The rows as one JSON object a line."""
    return "".join(f"{json.dumps(row)}\n" for row in table).encode("ascii")


def _cell(value: Any) -> Any:
    if value is None or value == []:
        return ""
    if isinstance(value, list):
        return safe_cell("; ".join(" ".join(str(part) for part in item) for item in value))
    return safe_cell(value) if isinstance(value, str) else value
