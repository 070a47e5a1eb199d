"""What was labelled, in words: classes, slices of the list to jump from, steps of the history."""

from __future__ import annotations

from datetime import datetime

from core.labels.history import HistoryEntry
from core.labels.schema import Action, LabelSet
from desktop.language import current, say, say_count
from desktop.operations.journal import Saved
from desktop.operations.labelled import LabelledSlice
from desktop.panels.bars import percent

FIGURE_SPACE = "\u2007"
"""A space as wide as a digit."""


def clock(at: str) -> str:
    """A journal time (UTC, ISO 8601) as local time for people: today's without the date."""
    local = datetime.fromisoformat(at).astimezone()
    today = datetime.now().astimezone().date()
    return local.strftime("%H:%M:%S" if local.date() == today else "%Y-%m-%d %H:%M")


def saved_words(saved: Saved) -> str:
    """The labels' way to the disk, for the footer."""
    if saved.failed:
        words = say("Labels: not saved")
    elif saved.pending:
        words = say("Labels: saving…")
    elif not saved.is_ready:
        words = say("Labels: opening the journal…")
    else:
        words = say("Labels: all saved") if saved.can_write else say("Labels: read only")
    return say("Blind reading · {state}", state=words) if saved.is_blind else words


def class_words(label_set: LabelSet | None, class_id: str | None) -> str:
    """A class's name; its id where this label set does not know it."""
    if class_id is None:
        return say("no label")
    try:
        return label_set.find(class_id).name(current()) if label_set is not None else class_id
    except KeyError:
        return class_id.replace("_", " ")


def jump_words(item: LabelledSlice, label_set: LabelSet | None, digits: int) -> str:
    """What stands on a slice; its number as wide as the longest, so that the names line up."""
    extras = []
    if item.regions:
        extras.append(say_count(item.regions, "{count} region", "{count} regions"))
    if item.note:
        extras.append(f"✎ {item.note}")
    name = class_words(label_set, item.class_id) if item.class_id is not None else ""
    number = str(item.index + 1).rjust(digits, FIGURE_SPACE)
    return "   ".join(part for part in (number, name, *extras) if part)


def jump_tip(item: LabelledSlice) -> str:
    """Who gave the label of a slice and when, and its note in full."""
    lines = [say("Slice {number}", number=item.index + 1)]
    if item.at:
        lines.append(say("Given by {reader}, {time}", reader=item.reader, time=clock(item.at)))
    if item.note:
        lines.append(item.note)
    return "\n".join(lines)


def entry_tip(entry: HistoryEntry, label_set: LabelSet | None) -> str:
    """Who did a step and when, what the model had said, why, and whether it was undone."""
    lines = [
        say(
            "Entry {sequence} by {reader}, {time}",
            sequence=entry.sequence,
            reader=entry.reader,
            time=clock(entry.at),
        )
    ]
    if entry.opinion is not None:
        lines.append(
            say(
                "The model had said: {name} {percent} ({model})",
                name=class_words(label_set, entry.opinion.class_id),
                percent=percent(entry.opinion.probability),
                model=entry.opinion.model,
            )
        )
    if entry.reason:
        lines.append(entry.reason)
    if not entry.stands:
        lines.append(say("Undone later."))
    return "\n".join(lines)


def entry_words(entry: HistoryEntry, label_set: LabelSet | None) -> str:
    """A step for people, such as “12:03:10  slice 17: No hemorrhage”."""
    new = class_words(label_set, entry.changes[0].new) if entry.changes else ""
    words = {
        Action.LABEL: new,
        Action.CLEAR: say("label cleared"),
        Action.MARK: say_count(len(entry.regions), "{count} region", "{count} regions"),
        Action.NOTE: say("note “{note}”", note=entry.note) if entry.note else say("note deleted"),
        Action.ADJUDICATE: say("settled as {name}", name=new),
        Action.UNDO: say("undone, now {name}", name=new),
        Action.REDO: say("redone, now {name}", name=new),
    }[entry.action]
    if entry.of in (Action.MARK, Action.NOTE):  # they leave the class as it is
        words = _turned_words(entry)
    numbers = [change.slice_index + 1 for change in entry.changes]
    place = (
        say("slice {number}", number=numbers[0])
        if len(numbers) == 1
        else say("{count} slices", count=len(numbers))
    )
    return f"{clock(entry.at)}  {place}: {words}"


def _turned_words(entry: HistoryEntry) -> str:
    if entry.of is Action.NOTE:
        return say("note undone") if entry.action is Action.UNDO else say("note redone")
    return say("regions undone") if entry.action is Action.UNDO else say("regions redone")
