"""What F1 shows."""

from __future__ import annotations

from tkinter import ttk

from chatd.clients.chat_tk.keys import SHORTCUTS
from chatd.clients.chat_tk.theme import Theme


def fill(frame: ttk.Frame, theme: Theme) -> None:
    """List the keys in `frame`."""
    for row, each in enumerate(SHORTCUTS, 1):
        label = ttk.Label(frame, text=each.label, style="Key.TLabel")
        label.grid(row=row, column=0, sticky="w", padx=(0, theme.px(18)))
        ttk.Label(frame, text=each.does).grid(row=row, column=1, sticky="w")
