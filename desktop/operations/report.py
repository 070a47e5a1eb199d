"""The report of a case on one page: images, answers, labels, the model and what it is not for."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QMarginsF, QRectF, Qt
from PySide6.QtGui import (
    QColor,
    QFontMetricsF,
    QImage,
    QPageLayout,
    QPageSize,
    QPainter,
    QPdfWriter,
    QPen,
)

from core.models.card import Card
from core.reading.burnt_in import BurntIn
from core.reading.measurements import statistics
from core.session import Reading
from desktop import appearance
from desktop.language import current, is_industry, say, say_core, say_count
from desktop.operations.picturing import (
    PictureRequest,
    draw,
    identity_words,
    request_of,
)
from desktop.panels.bars import percent
from desktop.panels.footer import DISCLAIMER
from desktop.viewer import captions, units
from desktop.viewer.words import size_words

DOTS = 150
"""Resolution of the page; images keep their own pixels."""

MOST_IMAGES, MOST_LINES, MOST_MEASUREMENTS = 4, 9, 6
INK, PALE, RULE = "#1b1f24", "#59626c", "#c9ced4"


@dataclass(frozen=True)
class ReportImage:
    """One image and what is said under it."""

    index: int
    caption: str


@dataclass(frozen=True)
class Report:
    """The page's content, ready to be drawn on any thread.

    facts: (what, value) rows of series, answers and labels. small: the model and its limits.
    """

    title: str
    identity: tuple[str, ...]
    pictures: PictureRequest
    images: tuple[ReportImage, ...]
    facts: tuple[tuple[str, str], ...]
    small: tuple[str, ...]
    program: str


def report_of(reading: Reading, card: Card | None, *, identity: bool) -> Report | None:
    """The report of a series as it is known now; None while its voxels are not all there."""
    from core.labels.journal import program

    request = request_of(reading, BurntIn(heat_map=True, regions=True, measurements=True))
    if request is None:
        return None
    return Report(
        say("Report of a series"),
        identity_words(reading) if identity else (),
        request,
        _images(reading),
        (*_series(reading), *_answers(reading), *_measured(reading), *_labels(reading)),
        _model(reading, card),
        program().capitalize(),
    )


def _images(reading: Reading) -> tuple[ReportImage, ...]:
    """The slice looked at, and those about which the model is surest."""
    case = reading.case
    chosen = [case.navigation.index()]
    prediction = case.prediction if case.display.answers else None
    if prediction is not None:
        by_probability = sorted(
            prediction.slices,
            key=lambda index: -prediction.slices[index].probabilities[prediction.positive],
        )
        chosen += [index for index in by_probability if index not in chosen]
    labelled = [k for k in range(reading.summary.shape[0]) if case.label_at(k) is not None]
    chosen += [index for index in labelled if index not in chosen]
    found = []
    for index in chosen[:MOST_IMAGES]:
        words = [say("Slice {number}", number=index + 1)]
        answer = prediction.slices.get(index) if prediction is not None else None
        if prediction is not None and answer is not None:
            words.append(percent(answer.probabilities[prediction.positive]))
        given = case.label_at(index)
        if given is not None:
            words.append(say("Label: {name}", name=_class(reading, given)))
        found.append(ReportImage(index, " · ".join(words)))
    return tuple(found)


def _class(reading: Reading, class_id: str) -> str:
    try:
        return reading.case.label_set.find(class_id).name(current())
    except KeyError:
        return class_id


def _series(reading: Reading) -> list[tuple[str, str]]:
    summary = reading.summary
    found = [(say("Series"), f"{summary.modality or say('Image')}   {size_words(summary)}")]
    found += [(say("Warning"), say_core(item.message)) for item in summary.warnings[:2]]
    return found


def _answers(reading: Reading) -> list[tuple[str, str]]:
    case = reading.case
    prediction = case.prediction if case.display.answers else None
    if prediction is None:
        return [(say("Answer"), say("The model was not asked, or its answers are hidden."))]
    name = _class(reading, prediction.positive)
    flagged = [index for index in sorted(prediction.slices) if case.is_suspicious(index)]
    found = []
    if prediction.series_probability is not None:
        value = percent(prediction.series_probability)
        found.append((say("Series as a whole"), f"{name} {value}"))
    words = ", ".join(str(index + 1) for index in flagged[:30]) or say("none")
    if len(flagged) > 30:
        words += " …"
    title = say(
        "{name}: flagged slices, from {threshold}",
        name=name,
        threshold=percent(case.threshold),
    )
    found.append((title, words))
    if reading.is_stale:
        found.append((say("Warning"), say("These answers are of a model no longer in use.")))
    found += [(say("Warning"), say_core(item)) for item in prediction.cautions[:2]]
    return found


def _measured(reading: Reading) -> list[tuple[str, str]]:
    """What was measured, in the words that stand beside it on the image."""
    case = reading.case
    items = sorted(case.measurements, key=lambda item: (item.plane.value, item.index, item.number))
    if not items:
        return []
    lines = []
    for item in items[:MOST_MEASUREMENTS]:
        known = item.kind.is_area and case.volume is not None
        found = statistics(case.volume, item) if known and case.volume is not None else None
        words = units.describe(case, item, found, fine=is_industry())
        plane = say(captions.PLANE_WORDS[item.plane])
        lines.append(f"{plane} {item.index + 1}: {'   '.join(words)}")
    if len(items) > MOST_MEASUREMENTS:
        lines.append(say("… and {count} more", count=len(items) - MOST_MEASUREMENTS))
    return [(say("Measurements"), "\n".join([*lines, units.source(case.summary)]))]


def _labels(reading: Reading) -> list[tuple[str, str]]:
    case = reading.case
    by_class: dict[str, list[int]] = {}
    for index in range(reading.summary.shape[0]):
        given = case.label_at(index)
        if given is not None:
            by_class.setdefault(given, []).append(index + 1)
    if not by_class:
        return [(say("Labels"), say("none"))]
    found = []
    for class_id, numbers in by_class.items():
        listed = ", ".join(map(str, numbers[:30])) + (" …" if len(numbers) > 30 else "")
        count = say_count(len(numbers), "{count} slice", "{count} slices")
        found.append((say("Label: {name}", name=_class(reading, class_id)), f"{count}: {listed}"))
    return found


def _model(reading: Reading, card: Card | None) -> tuple[str, ...]:
    prediction = reading.case.prediction if reading.case.display.answers else None
    if prediction is None:
        return ()
    identity = prediction.model
    lines = [
        say(
            "Model: {id} version {version}, SHA-256 {hash}",
            id=identity.id,
            version=identity.version,
            hash=identity.weights_sha256[:16],
        )
    ]
    if card is not None and card.identity == identity:
        lines.append(
            say(
                "Trained on {name}: {slices} slices of {patients} patients.",
                name=card.data.name,
                slices=card.data.slices,
                patients=card.data.patients,
            )
        )
        if card.operating_point is not None:
            lines.append(
                say(
                    "At this threshold: sensitivity {sensitivity}, specificity {specificity} "
                    "({how}).",
                    sensitivity=percent(card.operating_point.sensitivity),
                    specificity=percent(card.operating_point.specificity),
                    how=say_core(card.operating_point.how),
                )
            )
        lines += [say_core(limit) for limit in card.limits[:3]]
    return tuple(lines)


# ----------------------------------------------------------------- the page


def as_pdf(report: Report) -> bytes:
    """The page as a PDF file. May be called on any thread."""
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    writer = QPdfWriter(buffer)
    writer.setResolution(DOTS)
    writer.setPageSize(QPageSize(QPageSize.PageSizeId.A4))
    writer.setPageMargins(QMarginsF(15, 13, 15, 13), QPageLayout.Unit.Millimeter)
    writer.setTitle(report.title)
    writer.setCreator(report.program)
    painter = QPainter(writer)
    draw_page(painter, report, QRectF(0, 0, writer.width(), writer.height()))
    painter.end()
    buffer.close()
    return bytes(data.data())


def draw_page(painter: QPainter, report: Report, page: QRectF) -> None:
    """Draw the page into a rectangle of device pixels at `DOTS`."""
    mm = DOTS / 25.4
    y = page.top()

    def words(text: str, size: float, colour: str, place: QRectF, *, bold: bool = False) -> float:
        painter.setFont(appearance.font(round(size * mm), bold=bold))
        painter.setPen(QColor(colour))
        flags = Qt.TextFlag.TextWordWrap | Qt.AlignmentFlag.AlignTop
        painter.drawText(place, int(flags), text)
        metrics = QFontMetricsF(painter.font(), painter.device())
        return metrics.boundingRect(place, int(flags), text).height()

    def wide(top: float, height: float = 400 * 1.0) -> QRectF:
        return QRectF(page.left(), top, page.width(), height * mm)

    y += words(report.title, 5.4, INK, wide(y), bold=True) + 1.5 * mm
    if report.identity:
        y += words("   ".join(report.identity), 3.6, INK, wide(y)) + 1 * mm
    y += words(say(DISCLAIMER), 3.0, PALE, wide(y)) + 2 * mm
    _rule(painter, page, y)
    y = _draw_images(painter, report, page, y + 3 * mm) + 2 * mm
    column = page.width() * 0.3
    for what, value in report.facts[: MOST_LINES + 3]:
        left = words(what, 3.2, PALE, QRectF(page.left(), y, column - 3 * mm, 60 * mm))
        rest = QRectF(page.left() + column, y, page.width() - column, 60 * mm)
        y += max(left, words(value, 3.4, INK, rest)) + 1.2 * mm
    y += 1.5 * mm
    _rule(painter, page, y)
    y += 2.5 * mm
    for text in report.small:
        if y > page.bottom() - 16 * mm:
            break
        y += words(text, 2.9, PALE, wide(y)) + 0.8 * mm
    foot = say(
        "{disclaimer}. Made by {program}. An assistant for reading; the decision is a person's.",
        disclaimer=say(DISCLAIMER),
        program=report.program,
    )
    words(foot, 2.7, PALE, QRectF(page.left(), page.bottom() - 8 * mm, page.width(), 8 * mm))


def _rule(painter: QPainter, page: QRectF, y: float) -> None:
    painter.setPen(QPen(QColor(RULE), 1))
    painter.drawLine(round(page.left()), round(y), round(page.right()), round(y))


def _draw_images(painter: QPainter, report: Report, page: QRectF, top: float) -> float:
    """Each slice, with its heat map beside it where there is one. Returns where they end."""
    mm = DOTS / 25.4
    gap = 3 * mm
    shown: list[tuple[QImage, str]] = []
    bare = PictureRequest(
        report.pictures.volume,
        report.pictures.window,
        report.pictures.inverted,
        report.pictures.spacing,
    )
    for number, image in enumerate(report.images):
        if number == 0:
            shown.append((draw(bare, image.index), image.caption))
        hot = image.index in report.pictures.heat_maps
        if number or hot:
            caption = f"{image.caption} · {say('Heat map')}" if hot else image.caption
            shown.append((draw(report.pictures, image.index), caption))
    shown = shown[:MOST_IMAGES]
    across = 2 if len(shown) > 1 else 1
    width = (page.width() - gap * (across - 1)) / across
    most = 72 * mm
    y = top
    for row in range(0, len(shown), across):
        tallest = 0.0
        for column, (image, caption) in enumerate(shown[row : row + across]):
            height = min(width * image.height() / image.width(), most)
            fitted = height * image.width() / image.height()
            left = page.left() + column * (width + gap) + (width - fitted) / 2
            place = QRectF(left, y, fitted, height)
            painter.drawImage(place, image)
            painter.setFont(appearance.font(round(2.9 * mm)))
            painter.setPen(QColor(INK))
            under = QRectF(left, y + height + 0.8 * mm, fitted, 5 * mm)
            painter.drawText(under, int(Qt.AlignmentFlag.AlignLeft), caption)
            tallest = max(tallest, height + 6 * mm)
        y += tallest + 1.5 * mm
    return y
