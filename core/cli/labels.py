"""`sliceloop labels`: list, verify, export, restore the journal; how far readers agree."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from core import durable
from core.cli import labelling
from core.cli.preview import preview
from core.cli.text import printable
from core.errors import NoLabelsError
from core.imaging.deidentify import site_key
from core.labels import backups
from core.labels.agreement import Agreement, Reading, disputes, fleiss, pairwise, readings
from core.labels.export import as_csv, as_json_lines, rows
from core.labels.history import History
from core.labels.journal import Journal, utc_now
from core.labels.schema import LabelEvent
from core.labels.store import default_place
from core.models.catalogue import Catalogue
from core.retraining.lineage import learnt_from

app = typer.Typer(no_args_is_help=True, help="The label journal: who said what, when, and why.")

labelling.register(app)
app.command("preview")(preview)

JournalOption = Annotated[
    Path | None,
    typer.Option("--journal", help="Another journal file, such as a backup.", show_default=False),
]
SetOption = Annotated[str, typer.Option("--set", help="Only entries of this label set.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_(
    case: Annotated[str, typer.Option(help="Only this case.")] = "",
    current: Annotated[
        bool, typer.Option("--current", help="Only the labels that stand now.")
    ] = False,
    set_id: SetOption = "",
    as_json: JsonOption = False,
    journal: JournalOption = None,
) -> None:
    """Print the entries of the journal, the oldest first."""
    try:
        with _reading(journal) as opened:
            events = _chosen(opened.events(case or None), current, set_id)
    except NoLabelsError:
        events = ()
    if as_json:
        typer.echo(json.dumps([_facts(event) for event in events], indent=2))
        return
    if not events:
        typer.echo("There are no labels yet.")
    for event in events:
        typer.echo(_line(event))


@app.command()
def verify(as_json: JsonOption = False, journal: JournalOption = None) -> None:
    """Recompute the chain of the journal; any change or gap is named."""
    with _reading(journal) as opened:
        found = opened.head()  # opening has recomputed the chain
        path = opened.path
    if as_json:
        typer.echo(json.dumps({"ok": True, "entries": found.entries, "head": found.head}))
    else:
        typer.echo(f"The journal is whole: {_entries(found.entries)} ({path}).")
        typer.echo(f"Digest of the last: {found.head}")


@app.command()
def export(
    out: Annotated[Path, typer.Option(help="The file to write: .csv or .jsonl.")],
    case: Annotated[str, typer.Option(help="Only this case.")] = "",
    current: Annotated[
        bool, typer.Option("--current", help="Only the labels that stand now.")
    ] = False,
    set_id: SetOption = "",
    journal: JournalOption = None,
) -> None:
    """Write the entries to a file, under pseudonyms, without dates and free text."""
    writers = {".csv": as_csv, ".jsonl": as_json_lines}
    if out.suffix.lower() not in writers:
        raise typer.BadParameter("the file's name must end in .csv or .jsonl", param_hint="--out")
    with _reading(journal) as opened:
        events = _chosen(opened.events(case or None), current, set_id)
        path = opened.path
    if not events:
        raise NoLabelsError(path)
    durable.write_bytes(out, writers[out.suffix.lower()](rows(events, site_key())))
    typer.echo(f"{_entries(len(events))} written to {out}.")


@app.command()
def agreement(
    set_id: Annotated[
        str, typer.Option("--set", help="Label set; needed where labels of several are there.")
    ] = "",
    as_json: JsonOption = False,
    journal: JournalOption = None,
) -> None:
    """How far readers agree, with 95 % intervals, and the slices on which they differ."""
    with _reading(journal) as opened:
        found = _readings(History(opened.events()), set_id)
    together, open_disputes = fleiss(found), disputes(found)
    compared = [*pairwise(found), *([together] if together else [])]
    if as_json:
        told = {
            "cohen": [_agreement(item) for item in compared[: len(compared) - bool(together)]],
            "fleiss": _agreement(together) if together else None,
            "disputes": [
                {"case_id": d.case_id, "slice_index": d.slice_index, "said": dict(d.said)}
                for d in open_disputes
            ],
        }
        typer.echo(json.dumps(told, indent=2))
        return
    if together is None:
        typer.echo("No slice has been labelled by two readers yet.")
        return
    for item in compared:
        name = "Fleiss' kappa, all readers" if item is together else "Cohen's kappa"
        typer.echo(printable(f"{name}: {_kappa(item)} ({', '.join(item.readers)})"))
    typer.echo(f"Slices in dispute: {len(open_disputes)}")
    for dispute in open_disputes:
        said = ", ".join(f"{reader}: {class_id}" for reader, class_id in dispute.said.items())
        typer.echo(printable(f"  {dispute.case_id}  slice {dispute.slice_index + 1}  {said}"))


@app.command()
def learnt(
    sequence: Annotated[int, typer.Argument(help="Number of an entry, as `labels list` shows it.")],
    as_json: JsonOption = False,
    journal: JournalOption = None,
) -> None:
    """Which models of this computer learnt from a label, with their runs and sets."""
    with _reading(journal) as opened:
        if not 1 <= sequence <= opened.head().entries:
            raise typer.BadParameter(f"the journal has {opened.head().entries} entries")
    found = learnt_from(sequence, models=[entry.folder for entry in Catalogue().list()])
    if as_json:
        typer.echo(json.dumps([{**vars(item), "run": str(item.run)} for item in found], indent=2))
        return
    if not found:
        typer.echo("No model of this computer learnt from it.")
    for item in found:
        typer.echo(printable(f"{item.model}  run {item.run.name}  set {item.dataset[:16]}"))


@app.command()
def restore(journal: JournalOption = None) -> None:
    """Put the newest whole backup in the place of a damaged journal, which is set aside."""
    path = _place(journal)
    if not isinstance(path, Path):
        raise typer.BadParameter("a database server is restored from its own backups")
    done = backups.restore(path, utc_now())
    told = f"The journal is whole again: {_entries(done.entries)}, from {done.source.name}"
    if done.salvaged:
        told = f"{told} and {_entries(done.salvaged)} after it from the damaged file"
    if done.set_aside is not None:
        told = f"{told}. The damaged file is now {done.set_aside.name}"
    typer.echo(f"{told}.")


def _readings(history: History, set_id: str) -> list[Reading]:
    """What readers said in the label set that is meant: classes of several are not compared."""
    used = history.label_sets()
    if not set_id and len(used) > 1:
        raise typer.BadParameter(f"labels of {', '.join(used)}: name one", param_hint="--set")
    return [item for name in used if set_id in ("", name) for item in readings(history, name)]


def _agreement(item: Agreement) -> dict[str, Any]:
    bounds = item.kappa_ci95
    return {
        "readers": list(item.readers),
        "slices": item.slices,
        "patients": item.patients,
        "kappa": item.kappa,
        "kappa_ci95": None if bounds is None else list(bounds),
        "observed": item.observed,
        "by_class": dict(item.by_class),
    }


def _kappa(item: Agreement) -> str:
    """Kappa in words; never without its interval, or why there is none."""
    share = f"{item.observed:.0%} of pairs agree on {item.slices} slices"
    if item.kappa is None:
        return f"not defined, only one class was given; {share}"
    if item.kappa_ci95 is None:
        return f"{item.kappa:.2f}, no interval from {item.patients} patient(s); {share}"
    low, high = item.kappa_ci95
    return f"{item.kappa:.2f} (95 % interval {low:.2f} to {high:.2f}); {share}"


def _entries(count: int) -> str:
    return f"{count} {'entry' if count == 1 else 'entries'}"


def _place(journal: Path | None) -> Path | str:
    return default_place() if journal is None else journal


@contextmanager
def _reading(journal: Path | None) -> Iterator[Journal]:
    """The journal, open for reading: a window may be writing it meanwhile."""
    place = _place(journal)
    if isinstance(place, Path) and not place.exists():
        raise NoLabelsError(place)
    with Journal(place, read_only=True) as opened:
        yield opened


def _chosen(events: tuple[LabelEvent, ...], current: bool, set_id: str) -> tuple[LabelEvent, ...]:
    found = History(events).standing() if current else events
    return tuple(event for event in found if set_id in ("", event.draft.label_set))


def _facts(event: LabelEvent) -> dict[str, Any]:
    """An entry for a program on this computer; the patient's number stays in the journal."""
    draft, opinion = event.draft, event.draft.opinion
    return {
        "sequence": event.sequence,
        "at": event.at,
        "reader": event.reader,
        "action": draft.action.value,
        "case_id": draft.case_id,
        "slice_id": draft.slice_id,
        "slice_index": draft.slice_index,
        "label_set": draft.label_set,
        "old": draft.old,
        "new": draft.new,
        "reason": draft.reason,
        "note": draft.note,
        "regions": [{"attention": r.attention.value, "box": list(r.box)} for r in draft.regions],
        "target": draft.target,
        "opinion": None if opinion is None else vars(opinion),
        "digest": event.digest,
    }


def _line(event: LabelEvent) -> str:
    draft = event.draft
    what = draft.action.value
    if draft.target is not None:
        what = f"{what} {draft.target}"
    change = f"{draft.old or 'unlabelled'} → {draft.new or 'unlabelled'}"
    text = (
        f"{event.sequence:>6}  {event.at[:19].replace('T', ' ')}  {event.reader}  "
        f"{draft.case_id}  slice {draft.slice_index + 1}  {draft.label_set}  {what}  {change}"
    )
    if said := draft.reason or draft.note:
        text = f"{text}  “{said}”"
    return printable(text)
