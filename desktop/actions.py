"""Every command of the window: its words, its keys, its menu. What they do is bound elsewhere."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QMenu, QMenuBar, QWidget

from desktop.language import later, say


class Menu(Enum):
    """The menus, in order."""

    FILE = later("&File")
    VIEW = later("&View")
    TOOLS = later("&Tools")
    LABEL = later("&Label")
    MODEL = later("&Model")
    HELP = later("&Help")


class Command(Enum):
    """What a person can ask for."""

    OPEN_FOLDER = auto()
    OPEN_FILE = auto()
    OPEN_SAMPLE = auto()
    CLOSE_SERIES = auto()
    EXPORT_CSV = auto()
    EXPORT_PICTURE = auto()
    COPY_PICTURE = auto()
    EXPORT_MEASUREMENTS = auto()
    EXPORT_MOVIE = auto()
    EXPORT_REPORT = auto()
    RESTORE_SESSION = auto()
    QUIT = auto()

    SLICE_UP = auto()
    SLICE_DOWN = auto()
    SLICE_UP_TEN = auto()
    SLICE_DOWN_TEN = auto()
    FIRST_SLICE = auto()
    LAST_SLICE = auto()
    PREVIOUS_SERIES = auto()
    NEXT_SERIES = auto()
    NEXT_SUSPICIOUS = auto()
    PREVIOUS_SUSPICIOUS = auto()
    HEAT_MAP = auto()
    THREE_PANELS = auto()
    PLANES = auto()
    GRID = auto()
    BESIDE = auto()
    CORRECT_TILT = auto()
    CROSS_HAIR = auto()
    SLAB = auto()
    SLAB_THICKER = auto()
    SLAB_THINNER = auto()
    HEAT_CLASS = auto()
    HEAT_COLOURS = auto()
    HEAT_CUT_UP = auto()
    HEAT_CUT_DOWN = auto()
    THRESHOLD_UP = auto()
    THRESHOLD_DOWN = auto()
    THRESHOLD_OWN = auto()
    CINE = auto()
    SMOOTH = auto()
    PRESET_1 = auto()
    PRESET_2 = auto()
    PRESET_3 = auto()
    PRESET_4 = auto()
    PRESET_5 = auto()
    WINDOW_AUTOMATIC = auto()
    WINDOW_HEADER = auto()
    INVERT = auto()
    ROTATE = auto()
    ROTATE_BACK = auto()
    ZOOM_IN = auto()
    ZOOM_OUT = auto()
    FIT = auto()
    ACTUAL_PIXELS = auto()
    FLIP_HORIZONTAL = auto()
    FLIP_VERTICAL = auto()
    NEUTRAL = auto()
    ANNOTATIONS = auto()
    STUDIES_PANEL = auto()
    FINDINGS_PANEL = auto()

    TOOL_WINDOW = auto()
    TOOL_PAN = auto()
    TOOL_ZOOM = auto()
    TOOL_SCROLL = auto()
    TOOL_MAGNIFY = auto()
    TOOL_LENGTH = auto()
    TOOL_ANGLE = auto()
    TOOL_RECTANGLE = auto()
    TOOL_ELLIPSE = auto()
    MARK_BOX = auto()
    MARK_ELLIPSE = auto()
    MARK_POLYGON = auto()
    MARK_BRUSH = auto()
    MARK_NOT_HERE = auto()
    BRUSH_ERASES = auto()
    BRUSH_LARGER = auto()
    BRUSH_SMALLER = auto()
    FILL_BETWEEN = auto()
    DELETE = auto()
    CLEAR_MEASUREMENTS = auto()
    DRAWN = auto()

    ACCEPT = auto()
    REJECT = auto()
    CLEAR_LABEL = auto()
    NOTE = auto()
    UNDO = auto()
    REDO = auto()
    NEXT_LABELLED = auto()
    PREVIOUS_LABELLED = auto()
    READER_NAME = auto()
    NEXT_REVIEW = auto()
    PREVIOUS_REVIEW = auto()
    REVIEW_PANEL = auto()

    ASK_MODEL = auto()
    ASK_ON_OPEN = auto()
    READ_FIRST = auto()
    RETRAIN = auto()
    TRAINING = auto()
    MODELS = auto()
    ROLL_BACK = auto()

    INDUSTRY = auto()
    KEYS = auto()
    EDIT_KEYS = auto()
    TOUR = auto()
    ABOUT = auto()


class Needs(Enum):
    """What must be there for a command to make sense; else it is greyed."""

    NOTHING = auto()
    SERIES = auto()
    ANSWER = auto()


class Where(Enum):
    """Where keys work: in the whole window, or while the image has the focus."""

    WINDOW = auto()
    IMAGE = auto()


@dataclass(frozen=True)
class Spec:
    """One command. A "" as text puts a separator before it. tip: one sentence for the status."""

    command: Command
    menu: Menu
    text: str
    keys: tuple[str, ...] = ()
    tip: str = ""
    needs: Needs = Needs.SERIES
    where: Where = Where.WINDOW
    checkable: bool = False
    separator: bool = False


_FREE, _ANSWER = Needs.NOTHING, Needs.ANSWER

SPECS: tuple[Spec, ...] = (
    Spec(Command.OPEN_FOLDER, Menu.FILE, "Open &folder…", ("Ctrl+O",), "", _FREE),
    Spec(Command.OPEN_FILE, Menu.FILE, "Open f&iles…", ("Ctrl+Shift+O",), "", _FREE),
    Spec(Command.OPEN_SAMPLE, Menu.FILE, "Open the &sample", (), "", _FREE),
    Spec(Command.CLOSE_SERIES, Menu.FILE, "&Close series", ("Ctrl+W",), separator=True),
    Spec(
        Command.EXPORT_CSV,
        Menu.FILE,
        "&Export answers and labels (CSV)…",
        ("Ctrl+E",),
        "Without name, number or date of the patient",
        separator=True,
    ),
    Spec(
        Command.EXPORT_MEASUREMENTS,
        Menu.FILE,
        "Export &measurements (CSV)…",
        ("Ctrl+Shift+E",),
        "Without name, number or date of the patient",
    ),
    Spec(
        Command.EXPORT_REPORT,
        Menu.FILE,
        "Save a one-page &report (PDF)…",
        ("Ctrl+Shift+P",),
        "Images, answers, labels, the model and its limits on one page",
    ),
    Spec(Command.EXPORT_PICTURE, Menu.FILE, "Save &picture (PNG)…", ("Ctrl+P",), separator=True),
    Spec(
        Command.EXPORT_MOVIE,
        Menu.FILE,
        "Save the series as pictures or mo&vie (PNG, MP4)…",
        ("Ctrl+Shift+M",),
    ),
    Spec(Command.COPY_PICTURE, Menu.FILE, "Cop&y picture", ("Ctrl+Shift+C",)),
    Spec(
        Command.RESTORE_SESSION,
        Menu.FILE,
        "Open &again at the next start what is open now",
        (),
        "",
        _FREE,
        checkable=True,
        separator=True,
    ),
    Spec(Command.QUIT, Menu.FILE, "&Quit", ("Ctrl+Q",), "", _FREE, separator=True),
    Spec(Command.SLICE_UP, Menu.VIEW, "Previous slice", ("Up",), where=Where.IMAGE),
    Spec(Command.SLICE_DOWN, Menu.VIEW, "Next slice", ("Down",), where=Where.IMAGE),
    Spec(Command.SLICE_UP_TEN, Menu.VIEW, "Back ten slices", ("Shift+Up",), where=Where.IMAGE),
    Spec(
        Command.SLICE_DOWN_TEN, Menu.VIEW, "Forward ten slices", ("Shift+Down",), where=Where.IMAGE
    ),
    Spec(Command.FIRST_SLICE, Menu.VIEW, "First slice", ("Home",), where=Where.IMAGE),
    Spec(Command.LAST_SLICE, Menu.VIEW, "Last slice", ("End",), where=Where.IMAGE),
    Spec(Command.PREVIOUS_SERIES, Menu.VIEW, "Previous series", ("PgUp",)),
    Spec(Command.NEXT_SERIES, Menu.VIEW, "Next series", ("PgDown",)),
    Spec(
        Command.NEXT_SUSPICIOUS,
        Menu.VIEW,
        "&Next suspicious slice",
        ("N",),
        "Where the model's probability reaches its threshold",
        _ANSWER,
        separator=True,
    ),
    Spec(
        Command.PREVIOUS_SUSPICIOUS,
        Menu.VIEW,
        "Pre&vious suspicious slice",
        ("Shift+N",),
        "",
        _ANSWER,
    ),
    Spec(
        Command.HEAT_MAP,
        Menu.VIEW,
        "&Heat map",
        ("G",),
        "What the model's answer rests on (Grad-CAM)",
        _ANSWER,
        checkable=True,
    ),
    Spec(
        Command.THREE_PANELS,
        Menu.VIEW,
        "&Three panels: original, heat map, overlay",
        ("T",),
        checkable=True,
    ),
    Spec(
        Command.PLANES,
        Menu.VIEW,
        "Three p&lanes with a cross-hair",
        ("P",),
        "A click, or moving with Shift held, puts the cross-hair there",
        checkable=True,
    ),
    Spec(
        Command.GRID,
        Menu.VIEW,
        "Planes two by t&wo",
        ("Shift+P",),
        "Three planes and the whole volume seen from the front",
        checkable=True,
    ),
    Spec(
        Command.BESIDE,
        Menu.VIEW,
        "Side by side with the next series",
        ("O",),
        "Two series, or two models on one series, in step",
        checkable=True,
    ),
    Spec(
        Command.CORRECT_TILT,
        Menu.VIEW,
        "Correct the gantry's tilt",
        (),
        "Opens the series once more on a rectangular grid; its voxels are interpolated",
    ),
    Spec(Command.CROSS_HAIR, Menu.VIEW, "Cross-hair on planes", ("X",), checkable=True),
    Spec(
        Command.SLAB,
        Menu.VIEW,
        "Slab: highest, lowest, mean, off",
        ("Shift+S",),
        "Shows several planes as one (MIP, MinIP, mean); the wheel with Alt changes how thick",
    ),
    Spec(Command.SLAB_THICKER, Menu.VIEW, "Thicker slab", ("Alt+Up",)),
    Spec(Command.SLAB_THINNER, Menu.VIEW, "Thinner slab", ("Alt+Down",)),
    Spec(
        Command.HEAT_CLASS,
        Menu.VIEW,
        "Heat map: evidence for the next class",
        ("Ctrl+G",),
        "",
        _ANSWER,
        separator=True,
    ),
    Spec(Command.HEAT_COLOURS, Menu.VIEW, "Heat map: other colours", ("Shift+G",), "", _ANSWER),
    Spec(Command.HEAT_CUT_UP, Menu.VIEW, "Heat map: strong evidence only", ("Alt+G",), "", _ANSWER),
    Spec(
        Command.HEAT_CUT_DOWN,
        Menu.VIEW,
        "Heat map: weaker evidence, too",
        ("Alt+Shift+G",),
        "",
        _ANSWER,
    ),
    Spec(
        Command.THRESHOLD_UP,
        Menu.VIEW,
        "Raise the operating threshold",
        ("Ctrl+Up",),
        "Fewer slices are flagged; the strip says what the card measured there",
        _ANSWER,
    ),
    Spec(
        Command.THRESHOLD_DOWN,
        Menu.VIEW,
        "Lower the operating threshold",
        ("Ctrl+Down",),
        "More slices are flagged; the strip says what the card measured there",
        _ANSWER,
    ),
    Spec(
        Command.THRESHOLD_OWN,
        Menu.VIEW,
        "The model's own operating threshold",
        ("Ctrl+Home",),
        "",
        _ANSWER,
    ),
    Spec(Command.CINE, Menu.VIEW, "&Cine", ("C",), checkable=True),
    Spec(Command.PRESET_1, Menu.VIEW, "Window: preset 1", ("1",), separator=True),
    Spec(Command.PRESET_2, Menu.VIEW, "Window: preset 2", ("2",)),
    Spec(Command.PRESET_3, Menu.VIEW, "Window: preset 3", ("3",)),
    Spec(Command.PRESET_4, Menu.VIEW, "Window: preset 4", ("4",)),
    Spec(Command.PRESET_5, Menu.VIEW, "Window: preset 5", ("5",)),
    Spec(Command.WINDOW_AUTOMATIC, Menu.VIEW, "Window: automatic", ("0",)),
    Spec(Command.WINDOW_HEADER, Menu.VIEW, "Window: as the header says", ("~", "`")),
    Spec(Command.INVERT, Menu.VIEW, "&Invert", ("I",), checkable=True),
    Spec(Command.ROTATE, Menu.VIEW, "&Rotate by 90°", ("R",), separator=True),
    Spec(Command.ROTATE_BACK, Menu.VIEW, "Rotate back by 90°", ("Shift+R",)),
    Spec(Command.FLIP_HORIZONTAL, Menu.VIEW, "Flip left and right", ("H",)),
    Spec(Command.FLIP_VERTICAL, Menu.VIEW, "Flip top and bottom", ("V",)),
    Spec(Command.ZOOM_IN, Menu.VIEW, "Larger", ("+", "=")),
    Spec(Command.ZOOM_OUT, Menu.VIEW, "Smaller", ("-",)),
    Spec(Command.FIT, Menu.VIEW, "Fit into the view", ("F",)),
    Spec(Command.ACTUAL_PIXELS, Menu.VIEW, "One pixel on one pixel", ("Shift+F",)),
    Spec(Command.NEUTRAL, Menu.VIEW, "Back to neutral", ("Esc",)),
    Spec(
        Command.SMOOTH,
        Menu.VIEW,
        "Smooth between pixels",
        ("B",),
        "Off shows each pixel as a square",
        checkable=True,
    ),
    Spec(Command.ANNOTATIONS, Menu.VIEW, "Text on the image", ("Space",), checkable=True),
    Spec(
        Command.STUDIES_PANEL,
        Menu.VIEW,
        "Studies panel",
        ("F7",),
        "",
        _FREE,
        checkable=True,
        separator=True,
    ),
    Spec(Command.FINDINGS_PANEL, Menu.VIEW, "Findings panel", ("F8",), "", _FREE, checkable=True),
    Spec(Command.TOOL_WINDOW, Menu.TOOLS, "&Window", ("W",), checkable=True),
    Spec(Command.TOOL_PAN, Menu.TOOLS, "&Move the image", ("M",), checkable=True),
    Spec(Command.TOOL_ZOOM, Menu.TOOLS, "&Zoom", ("Z",), checkable=True),
    Spec(Command.TOOL_SCROLL, Menu.TOOLS, "&Scroll", ("S",), checkable=True),
    Spec(
        Command.TOOL_MAGNIFY,
        Menu.TOOLS,
        "Ma&gnifying glass",
        ("Q",),
        "Enlarges what is under the mouse, with its value and place",
        checkable=True,
    ),
    Spec(Command.TOOL_LENGTH, Menu.TOOLS, "&Length", ("D",), checkable=True, separator=True),
    Spec(
        Command.TOOL_ANGLE,
        Menu.TOOLS,
        "&Angle",
        ("Shift+D",),
        "Drag a leg, then click",
        checkable=True,
    ),
    Spec(
        Command.TOOL_RECTANGLE,
        Menu.TOOLS,
        "&Rectangle with statistics",
        ("Shift+E",),
        checkable=True,
    ),
    Spec(Command.TOOL_ELLIPSE, Menu.TOOLS, "&Ellipse with statistics", ("E",), checkable=True),
    Spec(
        Command.MARK_BOX,
        Menu.TOOLS,
        "Region for the model: &box",
        ("U",),
        "What the model should look at, or should not",
        checkable=True,
        separator=True,
    ),
    Spec(
        Command.MARK_ELLIPSE,
        Menu.TOOLS,
        "Region for the model: ell&ipse",
        ("Shift+U",),
        checkable=True,
    ),
    Spec(
        Command.MARK_POLYGON,
        Menu.TOOLS,
        "Region for the model: &polygon",
        ("Y",),
        "Click its corners; a double click closes it",
        checkable=True,
    ),
    Spec(Command.MARK_BRUSH, Menu.TOOLS, "Region for the model: br&ush", ("K",), checkable=True),
    Spec(
        Command.MARK_NOT_HERE,
        Menu.TOOLS,
        "Regions say “&not here”",
        ("J",),
        "Off: the model should look here. On: it should not",
        checkable=True,
    ),
    Spec(Command.BRUSH_ERASES, Menu.TOOLS, "The brush erases", ("Shift+K",), checkable=True),
    Spec(Command.BRUSH_LARGER, Menu.TOOLS, "Larger brush", ("]",)),
    Spec(Command.BRUSH_SMALLER, Menu.TOOLS, "Smaller brush", ("[",)),
    Spec(
        Command.FILL_BETWEEN,
        Menu.TOOLS,
        "&Fill between drawn slices",
        ("Ctrl+B",),
        "Draws the slices between by the shapes on both sides",
    ),
    Spec(
        Command.DELETE,
        Menu.TOOLS,
        "&Delete what is chosen",
        ("Delete",),
        "A measurement or region that was clicked",
        separator=True,
    ),
    Spec(Command.CLEAR_MEASUREMENTS, Menu.TOOLS, "Delete all measurements", ("Ctrl+Delete",)),
    Spec(
        Command.DRAWN,
        Menu.TOOLS,
        "Measurements and regions on the image",
        ("Shift+Space",),
        checkable=True,
    ),
    Spec(
        Command.ACCEPT,
        Menu.LABEL,
        "&Accept the model's answer",
        ("Return", "Enter"),
        "Label the slice with what the model says of it",
        _ANSWER,
        Where.IMAGE,
    ),
    Spec(
        Command.REJECT,
        Menu.LABEL,
        "Re&ject the model's answer",
        ("Shift+Return", "Shift+Enter"),
        "Label the slice with the opposite of what the model says",
        _ANSWER,
        Where.IMAGE,
    ),
    Spec(Command.CLEAR_LABEL, Menu.LABEL, "&Clear label", ("Ctrl+0", "Ctrl+Backspace")),
    Spec(Command.NOTE, Menu.LABEL, "N&ote on this slice…", ("Ctrl+T",)),
    Spec(Command.UNDO, Menu.LABEL, "&Undo", ("Ctrl+Z",), separator=True),
    Spec(Command.REDO, Menu.LABEL, "&Redo", ("Ctrl+Y", "Ctrl+Shift+Z")),
    Spec(Command.NEXT_LABELLED, Menu.LABEL, "&Next labelled slice", ("L",), separator=True),
    Spec(Command.PREVIOUS_LABELLED, Menu.LABEL, "&Previous labelled slice", ("Shift+L",)),
    Spec(
        Command.NEXT_REVIEW,
        Menu.LABEL,
        "Ne&xt in the review queue",
        ("F2",),
        "The slice that most deserves a look",
        _FREE,
        separator=True,
    ),
    Spec(
        Command.PREVIOUS_REVIEW,
        Menu.LABEL,
        "Pre&vious in the review queue",
        ("Shift+F2",),
        "",
        _FREE,
    ),
    Spec(Command.REVIEW_PANEL, Menu.LABEL, "&Review queue", ("F6",), "", _FREE),
    Spec(
        Command.READER_NAME,
        Menu.LABEL,
        "&Your name…",
        (),
        "Kept with each label",
        _FREE,
        separator=True,
    ),
    Spec(Command.ASK_MODEL, Menu.MODEL, "&Ask the model", ("A",)),
    Spec(
        Command.ASK_ON_OPEN,
        Menu.MODEL,
        "Ask when a series is &opened",
        (),
        "",
        _FREE,
        checkable=True,
    ),
    Spec(
        Command.READ_FIRST,
        Menu.MODEL,
        "Read &first: answers stay hidden until you label",
        ("F10",),
        "A series shows what the model says once it has a label of yours",
        _FREE,
        checkable=True,
    ),
    Spec(Command.RETRAIN, Menu.MODEL, "&Retrain…", ("Ctrl+R",), "", _FREE, separator=True),
    Spec(Command.TRAINING, Menu.MODEL, "&Training runs", ("F9",), "", _FREE),
    Spec(Command.MODELS, Menu.MODEL, "&Models…", ("Ctrl+M",), "", _FREE, separator=True),
    Spec(Command.ROLL_BACK, Menu.MODEL, "Roll &back to the model before…", (), "", _FREE),
    Spec(
        Command.INDUSTRY,
        Menu.VIEW,
        "Industr&y profile",
        (),
        "Objects instead of patients, µm, and windows by percentiles",
        _FREE,
        checkable=True,
        separator=True,
    ),
    Spec(Command.KEYS, Menu.HELP, "&Keys and mouse", ("F1",), "", _FREE),
    Spec(Command.EDIT_KEYS, Menu.HELP, "&Change keys…", (), "", _FREE),
    Spec(Command.TOUR, Menu.HELP, "Guided &tour", (), "", _FREE),
    Spec(Command.ABOUT, Menu.HELP, "&About Sliceloop", (), "", _FREE, separator=True),
)

MOUSE = (
    (later("Wheel"), later("one slice")),
    (later("Shift + wheel"), later("ten slices")),
    (later("Alt + wheel"), later("how thick the slab is")),
    (later("Ctrl + wheel, right drag"), later("zoom")),
    (later("Middle drag, Shift + left drag"), later("move the image")),
    (
        later("Left drag"),
        later("window: right is wider, up is brighter; five times faster with Ctrl"),
    ),
    (
        later("Left drag with another tool"),
        later("what the tool says: zoom, scroll, measure, draw"),
    ),
    (
        later("Left drag on a measurement"),
        later("moves a point or the whole; Delete takes it away"),
    ),
    (later("Right click"), later("menu")),
    (
        later("Drag or wheel on the colour bar"),
        later("how strong evidence must be; its opacity"),
    ),
    (
        later("Double click"),
        later("three panels and back; in three planes, one plane alone and back"),
    ),
    (later("Shift + move in three planes"), later("cross-hair")),
    (later("Click or drag on the strip"), later("go to a slice")),
    (
        later("Drag the grip at the strip's left"),
        later("operating threshold; a double click gives the model's own back"),
    ),
    (later("Drop a folder or files"), later("open them")),
)
"""What the mouse does, for the key sheet; the viewer is the owner of the fact."""


class Actions(QObject):
    """The QActions by command. Nothing happens until they are bound.

    keys: name of a command → keys that a person chose instead of its own.
    """

    def __init__(self, window: QWidget, keys: Mapping[str, Sequence[str]] | None = None) -> None:
        super().__init__(window)
        self._actions: dict[Command, QAction] = {}
        own = keys or {}
        for spec in SPECS:
            action = QAction(say(spec.text), window)
            action.setShortcuts(
                [QKeySequence(key) for key in own.get(spec.command.name, spec.keys)]
            )
            action.setCheckable(spec.checkable)
            action.setStatusTip(say(spec.tip))
            if spec.tip:
                action.setToolTip(say(spec.tip))
            if spec.where is Where.IMAGE:
                action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            if spec.command is Command.QUIT:
                action.setMenuRole(QAction.MenuRole.QuitRole)
            self._actions[spec.command] = action
        self._window = window

    def remove(self) -> None:
        """Take all actions off the window; the object is of no more use."""
        for action in self._actions.values():
            for widget in action.associatedObjects():
                if isinstance(widget, QWidget):
                    widget.removeAction(action)
            action.deleteLater()
        self._actions.clear()
        self.deleteLater()

    def __getitem__(self, command: Command) -> QAction:
        return self._actions[command]

    def with_keys(self, words: str, command: Command) -> str:
        """A tool tip with the keys now in force: “Undo the last step (Ctrl+Z)”."""
        keys = keys_in_words(self._actions[command])
        return f"{words} ({keys})" if keys else words

    def bind(self, command: Command, act: Callable[[], None]) -> None:
        """Say what a command does."""
        self._actions[command].triggered.connect(lambda _checked=False: act())

    def bind_check(self, command: Command, act: Callable[[bool], None]) -> None:
        """Say what a command that is on or off does."""
        # Through a function of ours: PySide does not hand the state to Qt's own slots.
        self._actions[command].triggered.connect(lambda checked: act(checked))  # noqa: PLW0108

    def show_checked(self, command: Command, checked: bool) -> None:
        """Show a command as on or off, without doing it."""
        self._actions[command].setChecked(checked)

    def attach(self, image: QWidget) -> None:
        """Make the keys work: those of the image there, all others in the whole window."""
        for spec in SPECS:
            target = image if spec.where is Where.IMAGE else self._window
            target.addAction(self._actions[spec.command])

    def enable(self, *, series: bool, answer: bool) -> None:
        """Grey what makes no sense now."""
        for spec in SPECS:
            allowed = spec.needs is Needs.NOTHING or (
                answer if spec.needs is Needs.ANSWER else series
            )
            self._actions[spec.command].setEnabled(allowed)

    def fill(self, bar: QMenuBar) -> dict[Menu, QMenu]:
        """Make the menus."""
        menus = {menu: bar.addMenu(say(menu.value)) for menu in Menu}
        for spec in SPECS:
            menu = menus[spec.menu]
            if spec.separator:
                menu.addSeparator()
            menu.addAction(self._actions[spec.command])
        for menu in menus.values():
            menu.setToolTipsVisible(True)
        return menus

    def submenu(self, menu: QMenu, before: Command, title: str) -> QMenu:
        """A submenu of a menu, placed before a command."""
        made = QMenu(title, menu)
        menu.insertMenu(self._actions[before], made)
        return made


def exclusive(menu: QMenu) -> QActionGroup:
    """A group for actions of a menu of which one is checked."""
    group = QActionGroup(menu)
    group.setExclusive(True)
    return group


def plain(text: str) -> str:
    """A menu's text without the mark of its access key and the dots."""
    return re.sub(r"\(&\w\)", "", text).replace("&", "").replace("…", "").strip()


def keys_in_words(action: QAction) -> str:
    """The keys of an action for people, such as “Ctrl+Y or Ctrl+Shift+Z”.

    The two Enter keys count as one.
    """
    native = QKeySequence.SequenceFormat.NativeText
    words = [key.toString(native) for key in action.shortcuts()]
    both = [word for word in words if word.replace("Enter", "Return") in words]
    twice = [word for word in both if "Enter" in word]
    return say(" or ").join(word for word in words if word not in twice)
