"""The keys of the window, as data: bound by the view, listed by F1."""

from __future__ import annotations

import sys
from dataclasses import dataclass

MOD = "Command" if sys.platform == "darwin" else "Control"


@dataclass(frozen=True, slots=True)
class Shortcut:
    """`sequences`: of Tk; `label`: as people write it; `act`: a name in the view."""

    act: str
    label: str
    does: str
    sequences: tuple[str, ...] = ()


SHORTCUTS = (
    Shortcut("find", "Ctrl+K", "Go to a room or person", (f"<{MOD}-k>",)),
    Shortcut("above", "Alt+Up", "The conversation above", ("<Alt-Up>",)),
    Shortcut("beneath", "Alt+Down", "The conversation below", ("<Alt-Down>",)),
    Shortcut("unread", "Alt+A", "The next unread conversation", ("<Alt-a>",)),
    Shortcut("search", "Ctrl+F", "Search this conversation", (f"<{MOD}-f>",)),
    Shortcut("new", "Alt+N", "To the first new message", ("<Alt-n>",)),
    Shortcut("", "Enter", "Send"),
    Shortcut("", "Shift+Enter", "A new line"),
    Shortcut("", "Up", "Edit what is not sent yet"),
    Shortcut("", "Page Up, Page Down", "Scroll"),
    Shortcut("escape", "Esc", "Close the search; cancel; to the newest", ("<Escape>",)),
    Shortcut(
        "larger",
        "Ctrl++",
        "Larger text",
        (f"<{MOD}-plus>", f"<{MOD}-equal>", f"<{MOD}-KP_Add>"),
    ),
    Shortcut(
        "smaller", "Ctrl+-", "Smaller text", (f"<{MOD}-minus>", f"<{MOD}-KP_Subtract>")
    ),
    Shortcut("usual", "Ctrl+0", "Text of the usual size", (f"<{MOD}-Key-0>",)),
    Shortcut("preferences", "Ctrl+,", "Preferences", (f"<{MOD}-comma>",)),
    Shortcut("keys", "F1", "This list", ("<F1>",)),
    Shortcut("close", "Ctrl+Q", "Quit", (f"<{MOD}-q>",)),
)
