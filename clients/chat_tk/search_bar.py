"""The strip in which one searches the room in front."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk

from chatd.clients.chat_tk.entries import entry
from chatd.clients.chat_tk.search import SearchState
from chatd.clients.chat_tk.theme import Theme


class SearchBar(ttk.Frame):
    """Enter and Shift+Enter go from one message that was found to the next."""

    def __init__(
        self,
        parent: tk.Misc,
        theme: Theme,
        *,
        row: int,
        on_type: Callable[[str], None],
        on_step: Callable[[int], None],
        on_close: Callable[[], None],
    ) -> None:
        px = theme.px
        super().__init__(
            parent, style="List.TFrame", padding=(px(16), px(8), px(10), px(4))
        )
        self._theme, self._row, self._on_close = theme, row, on_close
        self.columnconfigure(0, weight=1)
        self.value = tk.StringVar(self)
        self.field = entry(self, self.value)
        self.field.grid(row=0, column=0, sticky="ew")
        self.count = ttk.Label(self, style="Topic.TLabel", anchor="e", width=14)
        self.count.grid(row=0, column=1, padx=px(8))
        self._buttons: dict[str, ttk.Button] = {}
        for column, (icon, act) in enumerate(
            (
                ("up", lambda: on_step(1)),
                ("down", lambda: on_step(-1)),
                ("close", on_close),
            ),
            2,
        ):
            button = ttk.Button(self, style="Ghost.TButton", command=act)
            button.grid(row=0, column=column)
            self._buttons[icon] = button
        self.value.trace_add("write", lambda *_: on_type(self.value.get()))
        self.field.bind("<Return>", lambda event: on_step(1))
        self.field.bind("<Shift-Return>", lambda event: on_step(-1))
        self.field.bind("<Up>", lambda event: on_step(1))
        self.field.bind("<Down>", lambda event: on_step(-1))
        self.restyle()

    def restyle(self) -> None:
        """Take the theme's colours."""
        for name, button in self._buttons.items():
            button.configure(image=self._theme.icon(name, self._theme.palette.soft, 16))

    @property
    def open(self) -> bool:
        return bool(self.grid_info())

    def show(self, state: SearchState) -> None:
        """What was found."""
        self.count.configure(text=state.text)

    def begin(self) -> None:
        """Open it, and let the reader type."""
        self.grid(row=self._row, column=0, sticky="ew")
        self.field.focus_set()
        self.field.selection_range(0, "end")

    def end(self) -> None:
        """Take it away."""
        self.grid_remove()
        self.value.set("")
