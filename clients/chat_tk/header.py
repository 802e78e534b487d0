"""The strip above the conversation: its name, and what can be done."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk

from chatd.clients.chat_tk.side_list import SERVER
from chatd.clients.chat_tk.theme import Theme


class Header(ttk.Frame):
    """Search, the look, and a menu with everything else."""

    def __init__(
        self,
        parent: tk.Misc,
        theme: Theme,
        *,
        on_search: Callable[[], None],
        on_theme: Callable[[], None],
        on_menu: Callable[[int, int], None],
    ) -> None:
        """`on_menu`: with the right upper corner where it is to be."""
        px = theme.px
        super().__init__(
            parent, style="List.TFrame", padding=(px(16), px(10), px(10), px(10))
        )
        self._theme, self._on_menu, self._label = theme, on_menu, SERVER
        self.columnconfigure(2, weight=1)
        self._icon = ttk.Label(self, style="List.TLabel")
        self.title = ttk.Label(self, style="Title.TLabel", text=SERVER)
        self.topic = ttk.Label(self, style="Topic.TLabel", width=1)
        self._icon.grid(row=0, column=0, padx=(0, px(6)))
        self.title.grid(row=0, column=1, sticky="w")
        self.topic.grid(row=0, column=2, sticky="ew", padx=(px(12), 0))
        self.search = ttk.Button(self, style="Ghost.TButton", command=on_search)
        self.look = ttk.Button(self, style="Ghost.TButton", command=on_theme)
        self.menu = ttk.Button(self, style="Ghost.TButton", command=self._menu_clicked)
        for column, button in enumerate((self.search, self.look, self.menu), 3):
            button.grid(row=0, column=column, padx=px(1))
        self.restyle()

    def restyle(self) -> None:
        """Take the theme's colours."""
        theme, p = self._theme, self._theme.palette
        self.search.configure(image=theme.icon("search", p.soft, 18))
        self.look.configure(image=theme.icon("sun" if p.dark else "moon", p.soft, 18))
        self.menu.configure(image=theme.icon("dots", p.soft, 18))
        self.show(self._label)

    def show(self, label: str) -> None:
        """This conversation is in front."""
        self._label = label
        theme, p = self._theme, self._theme.palette
        if label == SERVER:
            icon = theme.icon("server", p.soft, 20)
        elif label.startswith("#"):
            icon = theme.icon("hash", p.soft, 18)
        else:
            icon = theme.face(label, 24)
        self._icon.configure(image=icon)
        self.title.configure(text=label.removeprefix("#"))

    def _menu_clicked(self) -> None:
        button = self.menu
        x = button.winfo_rootx() + button.winfo_width()
        self._on_menu(x, button.winfo_rooty() + button.winfo_height())
