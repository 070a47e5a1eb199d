"""An evaluation as files: figures as JSON, predictions as tables, curves, one page to read.

The page stands alone (pictures inside, nothing loaded from elsewhere) and carries no name of a
person or file: slices and patients appear under their codes.
"""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core import durable
from core.retraining import plots
from core.retraining.dataset import Dataset
from core.retraining.evaluation import decisions
from core.retraining.figures import CaseFigure, Evaluation
from core.retraining.plots import interval_text
from core.retraining.printing import evaluation_pdf

_STYLE = """
:root{color-scheme:light}
body{font:15px/1.5 system-ui,"Segoe UI",sans-serif;color:#1f2937;background:#fff;
max-width:1040px;margin:2rem auto;padding:0 1.25rem}
h1{font-size:1.6rem;margin:0 0 .25rem}h2{font-size:1.15rem;margin:2rem 0 .5rem}
.sub{color:#6b7280;margin:0}
.tiles{display:flex;flex-wrap:wrap;gap:.75rem;margin:1.25rem 0}
.tile{border:1px solid #e5e7eb;border-radius:10px;padding:.6rem .9rem;min-width:9rem}
.tile b{display:block;font-size:1.35rem}.tile span{color:#6b7280;font-size:.85rem}
table{border-collapse:collapse;margin:.5rem 0;font-variant-numeric:tabular-nums}
th,td{padding:.3rem .75rem;border-bottom:1px solid #e5e7eb;text-align:right}
th:first-child,td:first-child{text-align:left}th{font-weight:600;color:#374151}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(320px,1fr));gap:1rem}
.plots img{width:100%}
.cases{display:grid;grid-template-columns:repeat(auto-fill,minmax(300px,1fr));gap:1rem}
figure{margin:0}.cases img{max-width:100%;border-radius:8px}
figcaption{font-size:.85rem;color:#374151}.wrong{color:#b91c1c}.right{color:#047857}
.wide{overflow-x:auto}.wide td,.wide th{white-space:nowrap}
.wide td:nth-child(2){white-space:normal;min-width:18rem;text-align:left}
.note{color:#6b7280;font-size:.9rem}
footer{margin:3rem 0 1rem;color:#6b7280;font-size:.85rem;border-top:1px solid #e5e7eb;
padding-top:.75rem}
"""


def write_evaluation(
    folder: Path,
    found: Evaluation,
    dataset: Dataset,
    rows: NDArray[np.int64],
    probabilities: NDArray[np.float64],
    *,
    title: str,
    limits: Sequence[str] = (),
    cases: Mapping[str, bytes] | None = None,
) -> None:
    """Write metrics.json, predictions.parquet and .csv, the plots, report.html and report.pdf.

    probabilities: (n, classes) of `rows`, in the set's classes. cases: key of a slice → PNG,
    for the list of worst cases. Raises NotDurableError.
    """
    durable.write_bytes(folder / "metrics.json", found.model_dump_json(indent=2).encode() + b"\n")
    write_predictions(folder, found, dataset, rows, probabilities)
    pictures = draw_plots(found)
    for name, content in pictures.items():
        durable.write_bytes(folder / f"{name}.png", content)
    page = evaluation_page(found, title, limits, pictures, cases or {})
    durable.write_bytes(folder / "report.html", page.encode())
    durable.write_bytes(folder / "report.pdf", evaluation_pdf(found, title, limits, cases or {}))


def write_predictions(
    folder: Path,
    found: Evaluation,
    dataset: Dataset,
    rows: NDArray[np.int64],
    probabilities: NDArray[np.float64],
) -> None:
    """One row a slice: key, group, part, label, prediction, probability of each class."""
    import pyarrow
    from pyarrow import parquet

    classes, keys = found.classes, dataset.keys()
    index = None if found.positive is None else classes.index(found.positive)
    calls = decisions(probabilities, index, found.threshold or 0.5)
    columns: dict[str, list[Any]] = {
        "key": [keys[row] for row in rows],
        "group": [dataset.group_codes[dataset.groups[row]] for row in rows],
        "split": [str(dataset.splits[row]) for row in rows],
        "source": [spreadsheet_safe(dataset.sources[row]) for row in rows],
        "label": [classes[k] if (k := dataset.labels[row]) >= 0 else "" for row in rows],
        "predicted": [classes[call] for call in calls],
        **{
            f"p_{name}": [round(float(value), 6) for value in probabilities[:, k]]
            for k, name in enumerate(classes)
        },
    }
    stream = io.BytesIO()
    parquet.write_table(pyarrow.table(columns), stream, compression="zstd")
    durable.write_bytes(folder / "predictions.parquet", stream.getvalue())
    durable.write_bytes(folder / "predictions.csv", csv_text(columns).encode())


def csv_text(columns: Mapping[str, Sequence[Any]]) -> str:
    """Columns as CSV with a line of names."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return stream.getvalue()


def spreadsheet_safe(text: str) -> str:
    """Text that no spreadsheet takes for a formula. Source: OWASP, *CSV Injection*."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def draw_plots(found: Evaluation) -> dict[str, bytes]:
    """Name → PNG of every curve that these figures allow."""
    drawn = {
        "confusion": plots.confusion(found),
        "calibration": plots.calibration({"": found}),
    }
    if found.roc is not None:
        drawn = {"roc": plots.roc({"": found}), **drawn}
    if found.precision_recall is not None and found.average_precision is not None:
        drawn["precision_recall"] = plots.precision_recall({"": found})
    return {name: plots.png(figure) for name, figure in drawn.items()}


def evaluation_page(
    found: Evaluation,
    title: str,
    limits: Sequence[str],
    pictures: Mapping[str, bytes],
    cases: Mapping[str, bytes],
) -> str:
    """The page as HTML."""
    part = f"{found.split} part, " if found.split else ""
    body = [
        f"<h1>{escape(title)}</h1>",
        f"<p class=sub>{part}{found.n:,} {found.unit}s of {found.groups:,} patients or groups; "
        f"intervals are 95 %, over {found.resamples:,} resamples of whole groups</p>",
        _tiles(found),
        *(f"<p class=note>{escape(note)}</p>" for note in found.notes),
        '<div class="plots">',
        *(f'<img alt="{name}" src="{inline(content)}">' for name, content in pictures.items()),
        "</div>",
        _rates_table(found),
        _class_table(found),
        _subgroup_tables(found),
        _worst(found.worst, cases),
        _provenance(found),
    ]
    if limits:
        body.append("<h2>Limits</h2><ul>")
        body += [f"<li>{escape(limit)}</li>" for limit in limits]
        body.append("</ul>")
    return page(title, "\n".join(body))


def page(title: str, body: str) -> str:
    """A whole HTML page around a body."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>\n{body}\n"
        "<footer>Made by Sliceloop. For research; not for diagnostic use.</footer>"
        "</body></html>\n"
    )


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """An HTML table; cells are escaped."""
    head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
    lines = ("".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows)
    return f"<table><tr>{head}</tr>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"


def inline(content: bytes) -> str:
    """A PNG as a data URL."""
    return "data:image/png;base64," + base64.b64encode(content).decode()


def case_figure(image: bytes | None, name: str, caption: str) -> str:
    """One slice of a list; `caption` is HTML, `name` is not."""
    shown = "" if image is None else f'<img alt="" src="{inline(image)}">'
    return f"<figure>{shown}<figcaption>{escape(name)}<br>{caption}</figcaption></figure>"


def number(value: float | None, digits: int = 3) -> str:
    """A figure as text, or a dash where it cannot be told."""
    return "–" if value is None else f"{value:.{digits}f}"


# ----------------------------------------------------------------- pieces of the page


def _tiles(found: Evaluation) -> str:
    tiles = [(f"AUROC by {found.unit}", found.auroc, found.auroc_ci95)]
    if found.patients is not None:
        tiles.append(("AUROC by patient", found.patients.auroc, found.patients.auroc_ci95))
    tiles += [
        ("Accuracy", found.accuracy, found.accuracy_ci95),
        ("Sensitivity", found.sensitivity, found.sensitivity_ci95),
        ("Specificity", found.specificity, found.specificity_ci95),
    ]
    if found.looking is not None:
        here = found.looking
        tiles += [
            ("Pointing game", here.pointing_game, here.pointing_game_ci95),
            ("Energy in the mark", here.energy_in_mask, here.energy_in_mask_ci95),
        ]
    cells = []
    for name, value, (low, high) in tiles:
        if value is not None:
            spread = "" if low is None or high is None else f"{low:.3f} – {high:.3f}"
            words = f"<span>{name}</span><b>{value:.3f}</b><span>{spread}</span>"
            cells.append(f'<div class="tile">{words}</div>')
    return f'<div class="tiles">{"".join(cells)}</div>'


def _rates_table(found: Evaluation) -> str:
    at = "" if found.threshold is None else f" at the operating threshold {found.threshold:.4f}"
    rows = [
        ("Accuracy", interval_text(found.accuracy, found.accuracy_ci95)),
        ("Sensitivity", interval_text(found.sensitivity, found.sensitivity_ci95)),
        ("Specificity", interval_text(found.specificity, found.specificity_ci95)),
        ("Positive predictive value", interval_text(found.ppv, found.ppv_ci95)),
        ("Negative predictive value", interval_text(found.npv, found.npv_ci95)),
        ("Average precision", number(found.average_precision)),
        ("Brier score", interval_text(found.brier, found.brier_ci95)),
        ("Expected calibration error", number(found.ece)),
        ("Log loss", number(found.log_loss)),
    ]
    if found.patients is not None:
        p = found.patients
        rows += [
            (
                f"Patients: {p.positives} of {p.n} with a finding; sensitivity",
                number(p.sensitivity),
            ),
            ("Patients: specificity", number(p.specificity)),
        ]
    if found.members:
        alone = ", ".join(number(area) for area in found.members)
        rows.append((f"AUROC of each of {len(found.members)} members alone", alone))
    rows += looking_rows(found)
    shown = [row for row in rows if row[1] != "–"]
    return f"<h2>Figures{at}</h2>{table(('', 'value (95 % interval)'), shown)}"


def looking_rows(found: Evaluation) -> list[tuple[str, str]]:
    """Where the model looks, on marks that it did not learn; nothing where none are marked."""
    here = found.looking
    if here is None:
        return []
    on = f"{here.slices} marked slices of {here.groups} groups"
    return [
        (
            f"Pointing game: strongest evidence on the mark ({on})",
            interval_text(here.pointing_game, here.pointing_game_ci95),
        ),
        (
            "Energy in the mark: share of the evidence on it",
            interval_text(here.energy_in_mask, here.energy_in_mask_ci95),
        ),
    ]


def _class_table(found: Evaluation) -> str:
    rows = [
        (
            name.replace("_", " "),
            f"{item.n:,}",
            number(item.precision),
            number(item.recall),
            number(item.f1),
            number(item.auroc),
        )
        for name, item in found.per_class.items()
    ]
    header = ("Class", f"{found.unit}s", "precision", "recall", "F1", "AUROC")
    return f"<h2>By class</h2>{table(header, rows)}"


def _subgroup_tables(found: Evaluation) -> str:
    parts = []
    for name, values in found.subgroups.items():
        rows = [
            (
                value,
                f"{item.n:,}",
                f"{item.groups:,}",
                f"{item.positives:,}",
                interval_text(item.auroc, item.auroc_ci95),
                number(item.sensitivity),
                number(item.specificity),
            )
            for value, item in values.items()
        ]
        header = (
            name,
            f"{found.unit}s",
            "groups",
            "findings",
            "AUROC",
            "sensitivity",
            "specificity",
        )
        parts.append(f"<h2>By {escape(name)}</h2>{table(header, rows)}")
    return "".join(parts)


def _worst(worst: Sequence[CaseFigure], cases: Mapping[str, bytes]) -> str:
    if not worst:
        return "<h2>Worst cases</h2><p>No call was wrong.</p>"
    figures = [
        case_figure(
            cases.get(case.key),
            f"{case.key}, patient {case.group}",
            f'<span class="right">label {escape(_plain(case.label))}</span>, '
            f'<span class="wrong">said {escape(_plain(case.predicted))}</span> '
            f"({case.probability:.1%})",
        )
        for case in worst
    ]
    return f'<h2>Worst cases</h2><div class="cases">{"".join(figures)}</div>'


def _plain(class_id: str) -> str:
    return class_id.replace("_", " ")


def _provenance(found: Evaluation) -> str:
    rows = [
        ("Model", f"{found.model.id} {found.model.version}".strip()),
        ("Weights (SHA-256)", found.model.weights_sha256),
        ("Training set", found.dataset),
        ("Split", found.split_hash),
        ("Test part", found.test_hash),
        ("Bootstrap", f"{found.resamples:,} resamples of groups, seed {found.seed}"),
    ]
    return f"<h2>Provenance</h2>{table(('', ''), [row for row in rows if row[1]])}"
