"""Every command of the window by name, its menu, and what a row of the command table says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from desktop.language import later


class Menu(Enum):
    """The menus, in order."""

    FILE = later("&File")
    VIEW = later("&View")
    NAVIGATE = later("&Navigate")
    IMAGE = later("&Image")
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
    EXPORT_PROFILE = auto()
    IMPORT_PROFILE = auto()
    SETTINGS = auto()
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
    OVERLAYS = auto()

    ACCEPT = auto()
    REJECT = auto()
    CLEAR_LABEL = auto()
    NOTE = auto()
    UNDO = auto()
    REDO = auto()
    NEXT_LABELLED = auto()
    PREVIOUS_LABELLED = auto()
    READER_NAME = auto()
    BLIND = auto()
    ADJUDICATE = auto()
    NEXT_REVIEW = auto()
    PREVIOUS_REVIEW = auto()
    REVIEW_PANEL = auto()

    ASK_MODEL = auto()
    ASK_ON_OPEN = auto()
    READ_FIRST = auto()
    RETRAIN = auto()
    WHAT_IF = auto()
    TRAINING = auto()
    MODELS = auto()
    ROLL_BACK = auto()

    INDUSTRY = auto()
    MANUAL = auto()
    KEYS = auto()
    EDIT_KEYS = auto()
    TOUR = auto()
    MODEL_CARDS = auto()
    LICENCES = auto()
    LOG = auto()
    CRASH_REPORTS = auto()
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
    """One command. tip: one sentence for the status. separator: one stands before it."""

    command: Command
    menu: Menu
    text: str
    keys: tuple[str, ...] = ()
    tip: str = ""
    needs: Needs = Needs.SERIES
    where: Where = Where.WINDOW
    checkable: bool = False
    separator: bool = False
