"""A window beside the main one that holds nothing up: not modal, closed by Escape."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk

from chatd.clients.chat_tk.theme import Theme


class Panel:
    """Opened again, the same one comes to the front."""

    def __init__(
        self,
        root: tk.Tk,
        theme: Theme,
        title: str,
        fill: Callable[[ttk.Frame], None],
    ) -> None:
        """`fill`: puts the widgets in, each time it is opened."""
        self._root, self._theme, self._title, self._fill = root, theme, title, fill
        self.window: tk.Toplevel | None = None

    def open(self) -> None:
        """Show it."""
        if self.window is not None and self.window.winfo_exists():
            self.window.lift()
            self.window.focus_force()
            return
        px = self._theme.px
        self.window = window = tk.Toplevel(self._root, takefocus=True)
        window.title(self._title)
        window.transient(self._root)
        window.resizable(False, False)
        p = self._theme.palette
        window.configure(
            background=p.panel,
            highlightthickness=1,
            highlightbackground=p.line,
            highlightcolor=p.line,
        )
        frame = ttk.Frame(window, padding=px(20))
        frame.grid(sticky="nsew")
        ttk.Label(frame, text=self._title, style="Head.TLabel").grid(
            row=0, column=0, columnspan=2, sticky="w", pady=(0, px(12))
        )
        self._fill(frame)
        close = ttk.Button(
            frame, text="Close", style="Accent.TButton", command=self.close
        )
        close.grid(row=100, column=0, columnspan=2, sticky="e", pady=(px(14), 0))
        window.bind("<Escape>", lambda event: self.close())
        window.geometry(
            f"+{self._root.winfo_rootx() + px(80)}+{self._root.winfo_rooty() + px(60)}"
        )
        close.focus_set()

    def close(self) -> None:
        """Take it away."""
        if self.window is not None:
            self.window.destroy()
            self.window = None

    def anew(self) -> None:
        """Fill it again, if it is open: the look or what it says has changed."""
        if self.window is not None and self.window.winfo_exists():
            self.close()
            self.open()
