"""An evaluation as PDF, A4: for the file of a department, where a web page is not wanted."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from core.retraining import plots
from core.retraining.figures import Evaluation, SubgroupFigures
from core.retraining.plots import interval_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_Table = tuple[Sequence[str], Sequence[Sequence[str]]]

_A4 = (8.27, 11.69)
_INK = "#1f2937"
_DIM = "#6b7280"
_CASES_A_PAGE = 8
_FOOT = "Made by Sliceloop. For research; not for diagnostic use."


def evaluation_pdf(
    found: Evaluation, title: str, limits: Sequence[str], cases: Mapping[str, bytes]
) -> bytes:
    """Figures and curves, then classes and subgroups, then worst cases with their pictures.

    cases: key of a slice → PNG. The file states no date and no author.
    """
    from matplotlib.backends.backend_pdf import PdfPages

    pages = [_first_page(found, title), _second_page(found, limits)]
    shown = [case for case in found.worst if case.key in cases]
    for start in range(0, len(shown), _CASES_A_PAGE):
        pages.append(_case_page(found, cases, start))
    stream = io.BytesIO()
    told = {"Title": title, "CreationDate": None, "Creator": "Sliceloop", "Producer": None}
    with PdfPages(stream, metadata=told) as pdf:
        for number, figure in enumerate(pages):
            figure.text(0.08, 0.02, _FOOT, fontsize=8, color=_DIM)
            figure.text(
                0.92, 0.02, f"{number + 1} / {len(pages)}", fontsize=8, color=_DIM, ha="right"
            )
            pdf.savefig(figure)
    return stream.getvalue()


def _page() -> Figure:
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    figure = plots.blank(_A4)
    figure.set_layout_engine(ConstrainedLayoutEngine(rect=(0.06, 0.05, 0.88, 0.88)))
    return figure


def _first_page(found: Evaluation, title: str) -> Figure:
    figure = _page()
    figure.text(0.08, 0.955, title, fontsize=16, weight="bold", color=_INK)
    part = f"{found.split} part, " if found.split else ""
    told = f"{part}{found.n:,} {found.unit}s of {found.groups:,} patients or groups; 95 % intervals"
    figure.text(0.08, 0.935, told, fontsize=9, color=_DIM)
    grid = figure.add_gridspec(3, 2, height_ratios=(1.05, 1, 1))
    table = figure.add_subplot(grid[0, :])
    _table(table, ("", "value (95 % interval)"), _figures(found))
    if found.roc is not None:
        plots.draw_roc(figure.add_subplot(grid[1, 0]), {"": found})
    plots.draw_confusion(figure.add_subplot(grid[1, 1]), found)
    plots.draw_calibration(figure.add_subplot(grid[2, 0]), {"": found})
    if found.precision_recall is not None and found.average_precision is not None:
        plots.draw_precision_recall(figure.add_subplot(grid[2, 1]), {"": found})
    return figure


def _second_page(found: Evaluation, limits: Sequence[str]) -> Figure:
    figure = _page()
    tables: list[_Table] = [
        (("class", f"{found.unit}s", "precision", "recall", "F1", "AUROC"), _by_class(found)),
        *(
            (_subgroup_header(name, found.unit), _by_value(values))
            for name, values in found.subgroups.items()
        ),
    ]
    provenance = [
        ("model", f"{found.model.id} {found.model.version}"),
        ("weights (SHA-256)", found.model.weights_sha256),
        ("training set", found.dataset),
        ("test part", found.test_hash),
        ("bootstrap", f"{found.resamples:,} resamples of groups, seed {found.seed}"),
    ]
    tables.append((("", ""), [row for row in provenance if row[1].strip()]))
    heights = [len(rows) + 1.5 for _, rows in tables] + [30 - sum(len(x[1]) for x in tables)]
    grid = figure.add_gridspec(len(tables) + 1, 1, height_ratios=[max(h, 1) for h in heights])
    for place, (header, rows) in enumerate(tables):
        _table(figure.add_subplot(grid[place]), header, rows)
    words = figure.add_subplot(grid[len(tables)])
    words.set_axis_off()
    lines = [textwrap.fill(f"• {line}", 110, subsequent_indent="   ") for line in limits]
    lines += [textwrap.fill(f"• {note}", 110, subsequent_indent="   ") for note in found.notes]
    words.text(0, 1, "\n".join(lines), va="top", fontsize=8.5, color=_INK)
    return figure


def _by_class(found: Evaluation) -> list[Sequence[str]]:
    return [
        [
            name.replace("_", " "),
            f"{item.n:,}",
            *(_number(value) for value in (item.precision, item.recall, item.f1, item.auroc)),
        ]
        for name, item in found.per_class.items()
    ]


def _subgroup_header(name: str, unit: str) -> Sequence[str]:
    return (name, f"{unit}s", "groups", "AUROC", "sensitivity", "specificity")


def _by_value(values: Mapping[str, SubgroupFigures]) -> list[Sequence[str]]:
    return [
        [
            value,
            f"{item.n:,}",
            f"{item.groups:,}",
            interval_text(item.auroc, item.auroc_ci95),
            _number(item.sensitivity),
            _number(item.specificity),
        ]
        for value, item in values.items()
    ]


def _case_page(found: Evaluation, cases: Mapping[str, bytes], start: int) -> Figure:
    import numpy as np
    from PIL import Image

    figure = _page()
    figure.text(0.08, 0.955, "Worst cases", fontsize=13, weight="bold", color=_INK)
    shown = [case for case in found.worst if case.key in cases][start : start + _CASES_A_PAGE]
    for place in range(_CASES_A_PAGE):
        axes = figure.add_subplot(4, 2, place + 1)
        axes.set_axis_off()
        if place < len(shown):
            case = shown[place]
            with Image.open(io.BytesIO(cases[case.key])) as picture:
                axes.imshow(np.asarray(picture.convert("RGB")), interpolation="bilinear")
            label, said = (text.replace("_", " ") for text in (case.label, case.predicted))
            caption = f"{case.key}, patient {case.group}\n{label}, said {said}"
            axes.set_title(f"{caption} ({case.probability:.1%})", fontsize=8, color=_INK)
    return figure


def _figures(found: Evaluation) -> list[tuple[str, str]]:
    by_patient = found.patients
    rows = [
        (f"AUROC by {found.unit}", interval_text(found.auroc, found.auroc_ci95)),
        (
            f"AUROC by patient (highest {found.unit})",
            "–" if by_patient is None else interval_text(by_patient.auroc, by_patient.auroc_ci95),
        ),
        ("accuracy", interval_text(found.accuracy, found.accuracy_ci95)),
        ("sensitivity", interval_text(found.sensitivity, found.sensitivity_ci95)),
        ("specificity", interval_text(found.specificity, found.specificity_ci95)),
        ("positive predictive value", interval_text(found.ppv, found.ppv_ci95)),
        ("negative predictive value", interval_text(found.npv, found.npv_ci95)),
        ("Brier score", interval_text(found.brier, found.brier_ci95)),
        ("calibration error", _number(found.ece)),
        ("operating threshold", "–" if found.threshold is None else f"{found.threshold:.4f}"),
    ]
    if found.looking is not None:
        here = found.looking
        rows += [
            (
                f"pointing game ({here.slices} marked slices)",
                interval_text(here.pointing_game, here.pointing_game_ci95),
            ),
            ("energy in the mark", interval_text(here.energy_in_mask, here.energy_in_mask_ci95)),
        ]
    return [row for row in rows if row[1] != "–"]


def _table(axes: Axes, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    axes.set_axis_off()
    if not rows:
        return
    drawn = axes.table(
        [list(row) for row in rows], colLabels=list(header), loc="upper left", cellLoc="left"
    )
    drawn.auto_set_font_size(False)
    drawn.set_fontsize(9)
    drawn.auto_set_column_width(list(range(len(header))))
    for (row, _), cell in drawn.get_celld().items():
        cell.visible_edges = "B"
        cell.set_edgecolor("#e5e7eb")
        cell.get_text().set_color(_INK if row else _DIM)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
