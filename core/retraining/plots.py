"""Curves and tables as pictures, for reports. Light background: they are printed and mailed."""

from __future__ import annotations

import functools
import importlib.util
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.retraining.figures import Evaluation

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#2563eb", "#d97706", "#059669", "#7c3aed", "#db2777", "#0891b2", "#65a30d", "#475569")
"""One a model, distinguishable for the colour-blind in the first four."""

_INK = "#1f2937"
_GRID = "#e5e7eb"
_DPI = 144


def interval_text(value: float | None, ci95: tuple[float | None, float | None]) -> str:
    """A figure as in “0.912 (0.870–0.950)”, or “–” where it cannot be told."""
    if value is None:
        return "–"
    low, high = ci95
    return f"{value:.3f}" if low is None or high is None else f"{value:.3f} ({low:.3f}–{high:.3f})"


def roc(evaluations: Mapping[str, Evaluation]) -> Figure:
    """ROC curves over each other, with AUROC and the operating point of each."""
    figure, axes = _figure((5.2, 5.0))
    draw_roc(axes, evaluations)
    return figure


def draw_roc(axes: Axes, evaluations: Mapping[str, Evaluation]) -> None:
    """As `roc`, into axes."""
    _square(axes)
    axes.plot([0, 1], [0, 1], color="#9ca3af", linewidth=1, linestyle=(0, (4, 4)), zorder=1)
    for colour, (name, found) in zip(_colours(evaluations), evaluations.items(), strict=True):
        if found.roc is None:
            continue
        told = f"AUROC {interval_text(found.auroc, found.auroc_ci95)}"
        label = f"{name}\n{told}" if len(evaluations) > 1 else told
        axes.plot(found.roc.x, found.roc.y, color=colour, linewidth=2, label=label, zorder=2)
        if found.sensitivity is not None and found.specificity is not None:
            axes.plot(
                1 - found.specificity, found.sensitivity, "o", color=colour, markersize=8,
                markeredgecolor="white", zorder=3,
            )  # fmt: skip
    axes.set(xlabel="1 − specificity", ylabel="Sensitivity", xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    axes.set_title("ROC; the dot is the operating threshold", fontsize=11, color=_INK)
    axes.legend(loc="lower right", frameon=False, fontsize=9)


def precision_recall(evaluations: Mapping[str, Evaluation]) -> Figure:
    """Positive predictive value against sensitivity; the dashed line is the prevalence."""
    figure, axes = _figure((5.2, 5.0))
    draw_precision_recall(axes, evaluations)
    return figure


def draw_precision_recall(axes: Axes, evaluations: Mapping[str, Evaluation]) -> None:
    """As `precision_recall`, into axes."""
    _square(axes)
    for colour, (name, found) in zip(_colours(evaluations), evaluations.items(), strict=True):
        if found.precision_recall is None:
            continue
        told = f"average precision {found.average_precision:.3f}"
        label = f"{name}\n{told}" if len(evaluations) > 1 else told
        curve = found.precision_recall
        axes.step(curve.x, curve.y, where="pre", color=colour, linewidth=2, label=label)
        axes.axhline(found.positives / found.n, color="#9ca3af", linewidth=1, linestyle=(0, (4, 4)))
    axes.set(
        xlabel="Sensitivity", ylabel="Positive predictive value", xlim=(-0.01, 1.01),
        ylim=(-0.01, 1.01),
    )  # fmt: skip
    axes.set_title("Precision and recall", fontsize=11, color=_INK)
    axes.legend(loc="best", frameon=False, fontsize=9)


def calibration(evaluations: Mapping[str, Evaluation]) -> Figure:
    """Observed share against stated probability; the area of a dot grows with its slices."""
    figure, axes = _figure((5.2, 5.0))
    draw_calibration(axes, evaluations)
    return figure


def draw_calibration(axes: Axes, evaluations: Mapping[str, Evaluation]) -> None:
    """As `calibration`, into axes."""
    _square(axes)
    axes.plot([0, 1], [0, 1], color="#9ca3af", linewidth=1, linestyle=(0, (4, 4)), zorder=1)
    for colour, (name, found) in zip(_colours(evaluations), evaluations.items(), strict=True):
        bins = found.calibration
        told = f"ECE {found.ece:.3f}, Brier {found.brier:.3f}"
        label = f"{name}\n{told}" if len(evaluations) > 1 else told
        x, y = [b.mean_probability for b in bins], [b.share_positive for b in bins]
        axes.plot(x, y, color=colour, linewidth=1.5, label=label, zorder=2)
        sizes = [20 + 180 * b.n / found.n for b in bins]
        axes.scatter(x, y, s=sizes, color=colour, edgecolor="white", zorder=3)
    axes.set(
        xlabel="Stated probability", ylabel="Observed share", xlim=(-0.02, 1.02),
        ylim=(-0.02, 1.02),
    )  # fmt: skip
    axes.set_title("Calibration", fontsize=11, color=_INK)
    axes.legend(loc="best", frameon=False, fontsize=9)


def confusion(found: Evaluation) -> Figure:
    """The confusion matrix: counts, coloured by the share of their label."""
    size = max(3.6, 1.0 + 0.9 * len(found.classes))
    figure, axes = _figure((size + 0.8, size))
    draw_confusion(axes, found)
    return figure


def draw_confusion(axes: Axes, found: Evaluation) -> None:
    """As `confusion`, into axes."""
    import numpy as np

    table = np.array(found.confusion)
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row in range(len(table)):
        for column in range(len(table)):
            share = shares[row, column]
            axes.text(
                column, row, f"{table[row, column]:,}\n{share:.0%}", ha="center", va="center",
                color="white" if share > 0.55 else _INK, fontsize=11,
            )  # fmt: skip
    names = [name.replace("_", " ") for name in found.classes]
    axes.set_xticks(range(len(names)), names, rotation=30 if len(names) > 3 else 0)
    axes.set_yticks(range(len(names)), names, rotation=90, va="center")
    axes.set(xlabel="Prediction", ylabel="Label")
    threshold = "" if found.threshold is None else f" at threshold {found.threshold:.3f}"
    axes.set_title(f"Confusion{threshold}", fontsize=11, color=_INK)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def learning_curves(histories: Mapping[str, Sequence[tuple[float, float]]], label: str) -> Figure:
    """One line a run: (epoch, value) pairs."""
    from matplotlib.ticker import MaxNLocator

    figure, axes = _figure((6.4, 4.2))
    axes.grid(color=_GRID, linewidth=0.8)
    for colour, (name, points) in zip(_colours(histories), histories.items(), strict=True):
        axes.plot(*zip(*points, strict=True), color=colour, linewidth=2, label=name)
    axes.set(xlabel="Epoch", ylabel=label)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False, fontsize=9)
    return figure


def png(figure: Figure) -> bytes:
    """A figure as PNG."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=_DPI, facecolor="white", bbox_inches="tight")
    return stream.getvalue()


def _colours(things: Mapping[str, Any]) -> list[str]:
    return [COLOURS[index % len(COLOURS)] for index in range(len(things))]


def _square(axes: Axes) -> None:
    dress(axes)
    axes.grid(color=_GRID, linewidth=0.8)
    axes.set_aspect("equal")


def dress(axes: Axes) -> None:
    """Frame and colours that all plots share."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color("#9ca3af")
    axes.tick_params(colors=_INK, labelsize=9)
    axes.xaxis.label.set_color(_INK)
    axes.yaxis.label.set_color(_INK)


def blank(size: tuple[float, float]) -> Figure:
    """An empty figure, inches; without pyplot, which keeps figures alive and a global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    _use_fonts()
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


@functools.cache
def _use_fonts() -> None:
    """Hangul in class names is drawn, not boxed: the font comes with koreanize-matplotlib."""
    import matplotlib
    from matplotlib import font_manager

    spec = importlib.util.find_spec("koreanize_matplotlib")
    for folder in (spec.submodule_search_locations or []) if spec is not None else []:
        for file in sorted(Path(folder).rglob("NanumGothic*.ttf")):
            font_manager.fontManager.addfont(str(file))
            matplotlib.rcParams["font.family"] = ["DejaVu Sans", "NanumGothic"]


def _figure(size: tuple[float, float]) -> tuple[Figure, Axes]:
    figure = blank(size)
    axes = figure.add_subplot()
    dress(axes)
    return figure, axes
