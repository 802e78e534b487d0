"""A one-line field that Tk 8.6 does not break."""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk


def entry(parent: tk.Misc, value: tk.StringVar) -> ttk.Entry:
    """An entry that refuses characters from U+10000 up.

    Tk 8.6 keeps those as two halves; deleting one in an Entry leaves the other.
    """
    field = ttk.Entry(parent, textvariable=value)
    check = field.register(lambda new: all(ord(c) < 0x10000 for c in new))
    field.configure(validate="key", validatecommand=(check, "%S"))
    return field
