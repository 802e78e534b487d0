"""The strips that say how things stand: the connection, and errors of the program."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk

from chatd.clients.chat_tk.presenter import Banner
from chatd.clients.chat_tk.theme import Theme


class BannerStrip(ttk.Frame):
    """Words that wrap, a second smaller line, and buttons. Grids itself in and out."""

    def __init__(
        self,
        parent: tk.Misc,
        theme: Theme,
        *,
        row: int,
        on_retry: Callable[[], None],
        on_settings: Callable[[], None],
    ) -> None:
        px = theme.px
        super().__init__(parent, padding=(px(16), px(6), px(10), px(6)))
        self._row, self._px = row, px
        self.columnconfigure(0, weight=1)
        self.text = ttk.Label(self)
        self.detail = ttk.Label(self)
        self.retry = ttk.Button(self, text="Try now", command=on_retry, takefocus=False)
        self.settings = ttk.Button(
            self, text="Change…", command=on_settings, takefocus=False
        )
        self.text.grid(row=0, column=0, sticky="ew")
        self.bind("<Configure>", lambda event: self._wrap(event.width))

    def show(self, banner: Banner | None) -> None:
        """Show it, or nothing."""
        if banner is None:
            self.grid_remove()
            return
        kind = "Warn" if banner.kind == "warn" else "Bad"
        self.configure(style=f"{kind}.TFrame")
        self.text.configure(text=banner.text, style=f"{kind}.TLabel")
        self.detail.configure(text=banner.detail, style=f"Small.{kind}.TLabel")
        if banner.detail:
            self.detail.grid(row=1, column=0, sticky="w")
        else:
            self.detail.grid_remove()
        wanted = ((self.settings, banner.settings), (self.retry, banner.retry))
        for column, (button, shown) in enumerate(wanted, 1):
            if shown:
                button.configure(style=f"{kind}.TButton")
                button.grid(row=0, rowspan=2, column=column, padx=(self._px(8), 0))
            else:
                button.grid_remove()
        self.grid(row=self._row, column=0, sticky="ew")

    def _wrap(self, width: int) -> None:
        """Words take the width that the buttons leave."""
        buttons = sum(
            button.winfo_reqwidth() + self._px(8)
            for button in (self.retry, self.settings)
            if button.grid_info()
        )
        room = max(self._px(120), width - buttons - self._px(34))
        if int(str(self.text.cget("wraplength")) or 0) != room:
            self.text.configure(wraplength=room)


class TroubleStrip(ttk.Frame):
    """An error of the program itself: shown until the reader takes it away."""

    def __init__(self, parent: tk.Misc, theme: Theme, *, row: int) -> None:
        px = theme.px
        super().__init__(
            parent, style="Bad.TFrame", padding=(px(16), px(4), px(10), px(4))
        )
        self._row = row
        self.columnconfigure(0, weight=1)
        self.text = ttk.Label(self, style="Small.Bad.TLabel")
        self.text.grid(row=0, column=0, sticky="w")
        self.dismiss = ttk.Button(
            self,
            text="Dismiss",
            style="Bad.TButton",
            command=self.grid_remove,
            takefocus=False,
        )
        self.dismiss.grid(row=0, column=1, padx=(px(8), 0))
        self.bind("<Configure>", lambda event: self._wrap(event.width - px(34)))

    def show(self, text: str) -> None:
        """Show `text` in place of what was there."""
        self.text.configure(text=text)
        self.grid(row=self._row, column=0, sticky="ew")

    def _wrap(self, width: int) -> None:
        room = max(1, width - self.dismiss.winfo_reqwidth())
        if int(str(self.text.cget("wraplength")) or 0) != room:
            self.text.configure(wraplength=room)
