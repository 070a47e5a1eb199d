"""What is said on the image about the case: facts in, lines of text out. No drawing here."""

from __future__ import annotations

from core.case import Case
from core.imaging.geometry import Plane
from core.imaging.intensity import Quantity
from core.reading.slab import Slab, span
from desktop import appearance
from desktop.language import later, say_core
from desktop.viewer.furniture import Line
from desktop.viewer.words import level, number, percent, say

_AXES = (("L", "R"), ("P", "A"), ("H", "F"))
PLANE_WORDS = {
    Plane.SLICE: later("Slice"),
    Plane.ROW: later("Row"),
    Plane.COLUMN: later("Column"),
}


def patient_position(point: tuple[float, float, float]) -> str:
    """LPS millimetres as readers say them: R 12.3  P 40.1  H 5.0."""
    return "  ".join(
        f"{names[0] if value >= 0 else names[1]} {number(abs(value))}"
        for value, names in zip(point, _AXES, strict=True)
    )


def iso_date(stated: str) -> str:
    """A DICOM date, 20260131, as 2026-01-31; anything else as it is."""
    if len(stated) == 8 and stated.isdigit():
        return f"{stated[:4]}-{stated[4:6]}-{stated[6:]}"
    return stated


def study(case: Case, *, industry: bool = False, narrow: bool = False) -> list[Line]:
    """Who and what: upper left. industry: what only; an object has no patient.

    narrow: shorter lines, so that neither number nor date is cut off.
    """
    summary = case.summary
    dim = appearance.IMAGE.dim
    if industry:
        return [Line(summary.description, dim)] if summary.description else []
    name = " ".join(part for part in summary.patient_name.split("^") if part)
    who = [part for part in (name, summary.patient_id) if part]
    about = "" if narrow else summary.study_description
    facts = (summary.modality, about, iso_date(summary.study_date))
    what = "  ".join(part for part in facts if part)
    lines = _lines(who, narrow)
    lines += [Line(what, dim)] if what else []
    lines += [Line(summary.description, dim)] if summary.description else []
    if summary.is_synthetic:
        lines.append(Line(say("synthetic, not a patient"), dim))
    return lines


def place(case: Case, plane: Plane, *, narrow: bool = False) -> list[Line]:
    """Which slice, and where it lies: on one line, or on two where the view is narrow."""
    parts = _place(case, plane)
    return [Line(part) for part in parts] if narrow else [Line("   ".join(parts))]


def _lines(parts: list[str], narrow: bool, colour: str = "") -> list[Line]:
    """Parts beside one another, or below one another where the view is narrow."""
    together = parts if narrow else ["  ".join(parts)]
    return [Line(part, colour) for part in together if part]


def _place(case: Case, plane: Plane) -> list[str]:
    index, count = case.navigation.index(plane), case.navigation.count(plane)
    text = f"{say(PLANE_WORDS[plane])} {index + 1} / {count}"
    geometry = case.summary.geometry
    if not (geometry.has_spacing and case.summary.is_volume):
        return [text]
    if not geometry.has_orientation:
        return [text, f"{number(index * geometry.spacing[plane.value])} mm"]
    middle = [(size - 1) / 2 for size in geometry.shape]
    middle[plane.value] = index
    x, y, z = (float(part) for part in geometry.to_patient(middle))  # type: ignore[arg-type]
    step = geometry.affine[:3, plane.value]
    axis = int(abs(step).argmax())
    value = (x, y, z)[axis]
    letter = _AXES[axis][0 if value >= 0 else 1]
    return [text, f"{letter} {number(abs(value))} mm"]


def window(case: Case) -> Line:
    """The grey-level window, or that there is none."""
    if case.summary.quantity is Quantity.COLOUR:
        return Line(say("Colour picture"))
    shown = case.display.window
    words = say(
        "W {width}  L {center}",
        width=level(shown.width, shown.width),
        center=level(shown.center, shown.width),
    )
    extras = [say_core(shown.name)] if shown.name else []
    if case.display.inverted:
        extras.append(say("inverted"))
    return Line("   ".join([words, *extras]))


def label(case: Case, index: int, language: str) -> list[Line]:
    """The class that a person gave this slice."""
    class_id = case.label_at(index)
    if class_id is None:
        return []
    try:
        found = case.label_set.find(class_id)
    except KeyError:  # a label of another label set
        return [Line(say("Label: {name}", name=class_id), bold=True)]
    words = say("Label: {name}", name=found.name(language))
    return [Line(words, bold=True, swatch=found.colour)]


def class_name(case: Case, class_id: str, language: str) -> str:
    """A class's name for people; its id where this label set does not know it."""
    try:
        return case.label_set.find(class_id).name(language)
    except KeyError:
        return class_id.replace("_", " ")


def opinion(case: Case, index: int, language: str) -> tuple[str, float, bool] | None:
    """(class name, its probability, whether it is a finding) that the model says of a slice.

    A finding is said from the operating threshold on, whichever class is likelier.
    """
    prediction = case.prediction
    answer = prediction.slices.get(index) if prediction is not None else None
    if prediction is None or answer is None:
        return None
    chosen = prediction.positive
    if not case.is_suspicious(index):
        others = {k: p for k, p in answer.probabilities.items() if k != prediction.positive}
        if not others:
            return None
        chosen = max(others, key=lambda k: others[k])
    probability = answer.probabilities[chosen]
    return class_name(case, chosen, language), probability, chosen == prediction.positive


def model(
    case: Case, index: int, language: str, *, stale: bool = False, made: str = "",
    narrow: bool = False,
) -> list[Line]:  # fmt: skip
    """What the model says of this slice, and which model it is.

    stale: another model has been chosen since; what the old one said is grey and named so.
    made: the date on its card, if it is known.
    """
    prediction = case.prediction
    if prediction is None:
        return []
    if not case.display.answers:
        return [Line(say("Answers are hidden until you commit"), appearance.IMAGE.dim)]
    said = opinion(case, index, language)
    if said is None:
        return [Line(say("Model: no answer for this slice yet"), appearance.IMAGE.dim)]
    name, probability, finding = said
    colour = appearance.DARK.positive if finding else appearance.DARK.negative
    words = say("Model: {name} {percent}", name=name, percent=percent(probability))
    answer = prediction.slices[index]
    if answer.spread is not None:
        low, high = answer.spread
        if not finding:  # the spread is of the finding; what is said here is its absence
            low, high = 1 - high, 1 - low
        words += f" ({percent(low)} – {percent(high)})"
    extra = []
    if case.class_shown != prediction.positive:
        shown = class_name(case, case.class_shown, language)
        extra = [Line(f"{shown} {percent(answer.probabilities[case.class_shown])}")]
    identity = prediction.model
    date = made if made != identity.version else ""  # of some models the date is the version
    version = " ".join(part for part in (identity.version, date) if part)
    which = [f"{identity.id} {version}", identity.weights_sha256[:8]]
    if narrow:
        which = [identity.id, f"{version}  {identity.weights_sha256[:8]}"]
    dim = appearance.IMAGE.dim
    if stale:
        old = say("stale: the model has changed since")
        return [Line(words, dim, bold=True), *_lines([old, *which], narrow, dim)]
    return [Line(words, bold=True, swatch=colour), *extra, *_lines(which, narrow, dim)]


def not_predicted(case: Case, index: int, language: str, *, named: bool = True) -> list[Line]:
    """That the class whose evidence is drawn is not what the model says here.

    A heat map shows what speaks for a class, also where that did not suffice. named: say which
    class; else it stands in the title.
    """
    prediction = case.prediction
    if prediction is None:
        return []
    shown = case.display.heat_class or prediction.positive
    if case.predicts(index, shown) is not False:
        return []
    name = class_name(case, shown, language)
    if not named:
        words = say("not predicted here")
    elif prediction.slices[index].of_volume:
        words = say("Heat map: {name} is not predicted for this volume", name=name)
    else:
        words = say("Heat map: {name} is not predicted on this slice", name=name)
    return [Line(words, appearance.DARK.warning)]


def pixel(
    case: Case, plane: Plane, row: int, column: int, *, slab: Slab | None = None
) -> list[Line]:
    """Value and position under the mouse; nothing outside the image or before it is loaded.

    The value is the voxel's own; with a slab it says so, because the screen shows another.
    """
    volume, index = case.volume, case.navigation.index(plane)
    geometry = case.summary.geometry
    down, across = [axis for axis in range(3) if axis != plane.value]
    at = [0, 0, 0]
    at[plane.value], at[down], at[across] = index, row, column
    inside = all(0 <= k < size for k, size in zip(at, geometry.shape, strict=True))
    if volume is None or not inside or not case.has(at[0]):
        return []
    stored = volume.voxels[tuple(at)]
    if volume.is_colour:
        value = "RGB " + " ".join(str(int(part)) for part in stored)
    else:
        real = float(stored) * float(volume.slope[at[0]]) + float(volume.intercept[at[0]])
        whole = real == round(real)
        unit = " HU" if case.summary.quantity is Quantity.HU else ""
        value = number(real, 0 if whole else 2 if abs(real) < 1000 else 1) + unit
    if slab is not None and len(span(geometry, plane, index, slab)) > 1:
        value = say("{value} in the middle of the slab", value=value)
    lines = [Line(value, bold=True)]
    if geometry.has_spacing and geometry.has_orientation:
        x, y, z = (float(part) for part in geometry.to_patient(at))  # type: ignore[arg-type]
        lines.append(Line(f"{patient_position((x, y, z))} mm", appearance.IMAGE.dim))
    words = say("column {column}, row {row}", column=column + 1, row=row + 1)
    return [*lines, Line(words, appearance.IMAGE.dim)]


def warnings(case: Case) -> tuple[str, ...]:
    """All that must be read before trusting the image or the answer, as sentences."""
    said = [item.message for item in case.summary.warnings]
    if case.prediction is not None and case.display.answers:
        said += [*case.prediction.cautions, *case.prediction.notes]
        if case.prediction.conflict and case.display.threshold is None:
            said.append(case.prediction.conflict)
    return tuple(dict.fromkeys(said))
