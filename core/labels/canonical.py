"""A label event as canonical JSON, and the hash that chains it to the one before.

The journal stores the text that was hashed, so that an entry stays verifiable when later
versions of the schema know more fields: fields that came after version 1 are left out while
they have nothing to say.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import Any

from core.labels.schema import (
    Action,
    Attention,
    LabelDraft,
    LabelEvent,
    ModelOpinion,
    Region,
    RegionShape,
)


@dataclass(frozen=True)
class Origin:
    """Who writes: the fields of an event that stay the same for one start of the program."""

    reader: str
    session: str = ""
    machine: str = ""
    program: str = ""


def genesis(journal_id: str) -> str:
    """What the first entry of a journal names as the digest before it.

    It depends on the journal's own id: entries cannot be moved from one journal to another.
    """
    return hashlib.sha256(f"sliceloop label journal {journal_id}".encode()).hexdigest()


def digest_of(body: bytes) -> str:
    """SHA-256 hex of an entry's canonical text, which names the digest before it."""
    return hashlib.sha256(body).hexdigest()


def sealed(
    draft: LabelDraft, origin: Origin, *, sequence: int, batch: int, at: str, previous: str
) -> tuple[LabelEvent, str]:
    """The event that a draft becomes at its place in the chain, and its canonical text."""
    event = LabelEvent(
        sequence,
        at,
        origin.reader,
        draft,
        previous,
        "",
        batch,
        origin.session,
        origin.machine,
        origin.program,
    )
    body = to_body(event)
    return replace(event, digest=digest_of(body.encode("ascii"))), body


def follows(body: bytes, sequence: int, case_id: str, previous: str) -> bool:
    """Whether a canonical text states this number, this case and this digest before it.

    Looks for the three as text: a hundred thousand entries are checked at each start. In JSON a
    quotation mark inside a string is escaped, so these patterns cannot stand in a reader's words.
    """
    return (
        f'"previous":"{previous}"'.encode() in body
        and f'"sequence":{sequence},'.encode() in body
        and f'"case_id":{json.dumps(case_id)},'.encode() in body
    )


def to_body(event: LabelEvent) -> str:
    """Canonical JSON of all fields but the digest: ASCII, sorted keys, no spaces.

    Raises ValueError for a number that JSON cannot say (NaN, infinity).
    """
    draft = event.draft
    fields: dict[str, Any] = {
        "action": draft.action.value,
        "at": event.at,
        "batch": event.batch,
        "case_id": draft.case_id,
        "label_set": draft.label_set,
        "machine": event.machine,
        "new": draft.new,
        "old": draft.old,
        "opinion": None if draft.opinion is None else vars(draft.opinion),
        "patient_id": draft.patient_id,
        "previous": event.previous,
        "program": event.program,
        "reader": event.reader,
        "reason": draft.reason,
        "sequence": event.sequence,
        "session": event.session,
        "slice_id": draft.slice_id,
        "slice_index": draft.slice_index,
        "target": draft.target,
    }
    if draft.regions:
        fields["regions"] = [_region_fields(region) for region in draft.regions]
    if draft.note:
        fields["note"] = draft.note
    if draft.blind:
        fields["blind"] = True
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _region_fields(region: Region) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "attention": region.attention.value,
        "box": list(region.box),
        "class_id": region.class_id,
    }
    if region.shape is not RegionShape.BOX:
        fields["shape"] = region.shape.value
    if region.outline:
        fields["outline"] = [list(corner) for corner in region.outline]
    if region.runs:
        fields["runs"] = list(region.runs)
    return fields


def _region(item: dict[str, Any]) -> Region:
    return Region(
        tuple(item["box"]),
        Attention(item["attention"]),
        item["class_id"],
        RegionShape(item.get("shape", RegionShape.BOX.value)),
        tuple((row, column) for row, column in item.get("outline", ())),
        tuple(item.get("runs", ())),
    )


def from_body(body: bytes, digest: str) -> LabelEvent:
    """The event of a stored text. Raises ValueError if it is not one."""
    try:
        fields = json.loads(body)
        opinion = fields["opinion"]
        draft = LabelDraft(
            action=Action(fields["action"]),
            case_id=fields["case_id"],
            patient_id=fields["patient_id"],
            slice_id=fields["slice_id"],
            slice_index=fields["slice_index"],
            label_set=fields["label_set"],
            old=fields["old"],
            new=fields["new"],
            reason=fields["reason"],
            opinion=None if opinion is None else ModelOpinion(**opinion),
            target=fields["target"],
            regions=tuple(_region(item) for item in fields.get("regions", ())),
            note=fields.get("note", ""),
            blind=fields.get("blind", False),
        )
        return LabelEvent(
            fields["sequence"],
            fields["at"],
            fields["reader"],
            draft,
            fields["previous"],
            digest,
            fields["batch"],
            fields["session"],
            fields["machine"],
            fields["program"],
        )
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"not a label event: {error!r}") from error
