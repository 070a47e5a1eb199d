"""Words that a message of another library may keep in a report; all others become “…”.

A message of Qt can quote a file name, a window's title or a text that was to be drawn, and each
may name a patient. What is kept is a closed list of words that the messages of Qt and of its
platform plug-ins are made of, names of Qt's own classes, and functions of theirs.
"""

from __future__ import annotations

import re

_LIST = """
a about above accessible active added after again all already an and another any application
applied are argument as at attempt attempted available backend bad bar be because been before
being below between buffer but by cache call called caller can cannot changed character class
clipboard close closed code color colour combination combobox compile configuration connect
connected connection constructed container context could create created creating creation current
cursor data debug default deleted depth destroy destroyed destructor device dialog did different
direct disabled disconnect display do does done drag draw drawing drop during each effect either
empty enabled end ended engine error event events existing exists expected extension failed
fallback families family fatal file filter find first fixed focus font fonts for format found
frame from function garbage geometry get given glyph grab graphics handle handler has have height
icon id if ignored image in incompatible index initialize initialized inside install installed
integration invalid invoke invoked is item its key keyboard known label larger layout library line
list load loaded locale loop main make maximum member menu message method minimum missing mode
model modifier more mouse multiple must name native negative new no non not nothing null number
object of offscreen on one only opaque open opened opengl operation option or other out outside
owner paint painter painting palette parameter parent parse part path pending pixel pixmap place
platform please plugin plugins point pointer position possible probably process propagate
propagatesizehints property queue raise read reading receiver recursive region register registered
release removed render rendering repaint replaced requested required reset resize resource result
return returned rhi same scale screen script section seems selection sender set setting shader
shared shortcut should show signal size slot smaller socket software source started state still
stop stopped string style stylesheet subclass such support supported surface system table text
texture than that the their them there thread threads time timer timers to too top toplevel touch
transient translation tried try type unable unexpected unhandled uninitialized unknown unsupported
until up update updated use used using valid value version view visible wait warning was wayland
when which while widget widgets width will window windows with within without wrong xcb yet you
your
"""
_WORDS = frozenset(_LIST.split())

_TOKEN = re.compile(r"[^\s]+")
_BARE = re.compile(r"[A-Za-z]+")
_OF_QT = re.compile(r"Q[A-Z][A-Za-z]{1,40}(?:::~?[A-Za-z]{1,40})+(?:\(\))?")
_PATH_OR_QUOTE = re.compile(r"[\"'“”‘’`].*?[\"'“”‘’`]|\S*[\\/]\S*", re.DOTALL)

LONGEST = 400
"""Characters of a message that are looked at."""


def kept_words(message: str) -> str:
    """A message of which only words of the closed list are left; a run of others is one “…”.

    Quotations and paths go whole, whatever words they are made of.
    """
    text = _PATH_OR_QUOTE.sub(" \0 ", message[:LONGEST])
    kept: list[str] = []
    for token in _TOKEN.findall(text):
        core = token.strip(".,:;!?()[]<>")
        is_word = _BARE.fullmatch(core) is not None and core.lower() in _WORDS
        if is_word or _OF_QT.fullmatch(core) is not None:
            kept.append(token)
        elif not kept or kept[-1] != "…":
            kept.append("…")
    return " ".join(kept)
