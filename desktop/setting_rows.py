"""Every setting that a person can choose: its words, its hint, and what edits it.

A test sees to it that every field of `core.settings.Settings` is here or among `NOT_CHOSEN`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from desktop.language import later


class Group(Enum):
    """The pages of the dialog, in order."""

    READING = later("Reading")
    LOOKS = later("Looks")
    IMAGES = later("Images")
    COMPUTING = later("Computing")
    FOLDERS = later("Folders")
    KEYS = later("Keys")
    TROUBLE = later("Trouble")


class Editor(Enum):
    """What edits a setting."""

    CHECK = auto()
    CHOICE = auto()
    NUMBER = auto()
    TEXT = auto()
    FOLDER = auto()
    LABEL_SET = auto()
    PRESETS = auto()
    KEYS = auto()


@dataclass(frozen=True)
class Row:
    """One setting.

    field: of Settings. choices: (value, words) of a CHOICE. step, suffix, decimals: of a NUMBER.
    zero: what 0 of a NUMBER means, where it has a meaning of its own.
    """

    field: str
    group: Group
    label: str
    hint: str
    editor: Editor
    choices: tuple[tuple[str, str], ...] = ()
    step: float = 1.0
    decimals: int = 0
    suffix: str = ""
    zero: str = ""


_AS_THE_DESKTOP = ("", later("As the desktop"))

ROWS: tuple[Row, ...] = (
    Row(
        "reader",
        Group.READING,
        later("Your name"),
        later("Kept with each label that you give. Empty: the name of your account."),
        Editor.TEXT,
    ),
    Row(
        "industry",
        Group.READING,
        later("Profile"),
        later(
            "Medical: patients, Hounsfield windows, orientation letters. "
            "Industry: objects, µm, windows by percentiles."
        ),
        Editor.CHOICE,
        (("False", later("Medical")), ("True", later("Industry"))),
    ),
    Row(
        "task",
        Group.READING,
        later("Read for"),
        later("The label set whose classes you give. Applies from the next start."),
        Editor.LABEL_SET,
    ),
    Row(
        "ask_on_open",
        Group.READING,
        later("Ask the model when a series is opened"),
        later("Off: the model answers when you press A."),
        Editor.CHECK,
    ),
    Row(
        "read_first",
        Group.READING,
        later("Read first: hide the answers until you label"),
        later("Your reading stays your own; the answer comes once you have committed to one."),
        Editor.CHECK,
    ),
    Row(
        "restore_session",
        Group.READING,
        later("Open again at the next start what is open now"),
        later("The places of these series are noted on this computer only."),
        Editor.CHECK,
    ),
    Row(
        "queue_seed",
        Group.READING,
        later("Number from which the random audit is drawn"),
        later("The same number draws the same slices into the review queue again."),
        Editor.NUMBER,
    ),
    Row(
        "language",
        Group.LOOKS,
        later("Language"),
        later("Of the window, of its messages and of the manual."),
        Editor.CHOICE,
        (("en", "English"), ("ko", "한국어"), _AS_THE_DESKTOP),
    ),
    Row(
        "theme",
        Group.LOOKS,
        later("Theme"),
        later("The image area is black in both."),
        Editor.CHOICE,
        (("dark", later("Dark")), ("light", later("Light")), _AS_THE_DESKTOP),
    ),
    Row(
        "software_rendering",
        Group.LOOKS,
        later("Draw without the graphics card"),
        later("If the window flickers, stays empty or crashes. Applies from the next start."),
        Editor.CHECK,
    ),
    Row(
        "first_layout",
        Group.IMAGES,
        later("A series is first shown as"),
        later("Planes need slices that lie in space; pictures begin as one view."),
        Editor.CHOICE,
        (
            ("single", later("One view")),
            ("three-panels", later("Original, heat map, overlay")),
            ("planes", later("One large plane and three views")),
            ("grid", later("Planes two by two")),
        ),
    ),
    Row(
        "first_window",
        Group.IMAGES,
        later("Its first window"),
        later("The window that a series is opened with; it stays while you scroll."),
        Editor.CHOICE,
        (
            ("header", later("As the header says")),
            ("preset", later("The first preset")),
            ("automatic", later("Automatic")),
        ),
    ),
    Row(
        "window_presets",
        Group.IMAGES,
        later("Window presets on keys 1–5"),
        later("For images in Hounsfield units: name, centre and width."),
        Editor.PRESETS,
    ),
    Row(
        "smooth",
        Group.IMAGES,
        later("Smooth between pixels"),
        later("Off shows each pixel as a square."),
        Editor.CHECK,
    ),
    Row(
        "annotations",
        Group.IMAGES,
        later("Text on the image"),
        later("Space switches it while you read."),
        Editor.CHECK,
    ),
    Row(
        "cross_hair",
        Group.IMAGES,
        later("Cross-hair on planes"),
        later("X switches it while you read."),
        Editor.CHECK,
    ),
    Row(
        "measurements_shown",
        Group.IMAGES,
        later("Measurements on the image"),
        later("Hidden measurements are not deleted."),
        Editor.CHECK,
    ),
    Row(
        "regions_shown",
        Group.IMAGES,
        later("Regions for the model on the image"),
        later("Hidden regions still count in a training."),
        Editor.CHECK,
    ),
    Row(
        "heat_map",
        Group.IMAGES,
        later("Heat map from the start"),
        later("Off lets you read first; G lays it over the image."),
        Editor.CHECK,
    ),
    Row(
        "heat_opacity",
        Group.IMAGES,
        later("Opacity of the heat map"),
        later("How much of the image it covers."),
        Editor.NUMBER,
        step=0.05,
        decimals=2,
    ),
    Row(
        "heat_colours",
        Group.IMAGES,
        later("Colours of the heat map"),
        later("Cividis can be told apart with any colour vision."),
        Editor.CHOICE,
        (("inferno", "Inferno"), ("cividis", "Cividis"), ("red-blue", later("Red and blue"))),
    ),
    Row(
        "heat_cut",
        Group.IMAGES,
        later("Weakest evidence that is drawn"),
        later("Part of the heat map's range below which the image stays bare."),
        Editor.NUMBER,
        step=0.05,
        decimals=2,
    ),
    Row(
        "cine_rate",
        Group.IMAGES,
        later("Speed of cine"),
        later("C plays the series."),
        Editor.NUMBER,
        step=0.5,
        decimals=1,
        suffix=later(" slices a second"),
    ),
    Row(
        "device",
        Group.COMPUTING,
        later("Models answer on"),
        later("Automatic takes a graphics card if there is one that fits."),
        Editor.CHOICE,
        (
            ("auto", later("Automatic")),
            ("cpu", later("Processor (CPU)")),
            ("cuda", "NVIDIA (CUDA)"),
            ("mps", "Apple (MPS)"),
        ),
    ),
    Row(
        "runtime",
        Group.COMPUTING,
        later("Computed on a processor by"),
        later("Automatic takes whichever was measured to be faster here and answers alike."),
        Editor.CHOICE,
        (("auto", later("Automatic")), ("openvino", "OpenVINO"), ("torch", "PyTorch")),
    ),
    Row(
        "threads",
        Group.COMPUTING,
        later("Processor threads for models"),
        later("Fewer leave room for other programs. For engine and trainer, when they next start."),
        Editor.NUMBER,
        zero=later("automatic"),
    ),
    Row(
        "memory_gb",
        Group.COMPUTING,
        later("Memory for open series"),
        later("Beyond it the series read longest ago is let go, and read again when you return."),
        Editor.NUMBER,
        step=0.25,
        decimals=2,
        suffix=" GiB",
    ),
    Row(
        "export_folder",
        Group.FOLDERS,
        later("Exports begin in"),
        later("Where file dialogs open for pictures, tables and reports. Empty: the last one."),
        Editor.FOLDER,
    ),
    Row(
        "keys",
        Group.KEYS,
        later("Keys of your own"),
        later("A key that is taken is refused, with its owner."),
        Editor.KEYS,
    ),
    Row(
        "log_level",
        Group.TROUBLE,
        later("The log keeps"),
        later("More helps whoever looks for a fault. No names, values or paths of images get in."),
        Editor.CHOICE,
        (
            ("ERROR", later("Errors")),
            ("WARNING", later("Warnings and errors")),
            ("INFO", later("What happens, too")),
            ("DEBUG", later("Everything")),
        ),
    ),
    Row(
        "crash_reports",
        Group.TROUBLE,
        later("Keep a report of a crash"),
        later("On this computer only, without any patient. Nothing is sent."),
        Editor.CHECK,
    ),
)

NOT_CHOSEN = frozenset(
    {"version", "recent", "recipe", "window_geometry", "splitter", "session"}
)  # fmt: skip
"""Fields that the program notes by itself."""

FOLDER_ROWS = (
    (later("Settings and label sets"), "settings"),
    (later("Labels, models, training sets and runs"), "data"),
    (later("Log and crash reports"), "state"),
    (later("What can be made again"), "cache"),
)
"""Folders of the profile, which `--profile DIR` moves: words → which one."""
