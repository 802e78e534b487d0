"""The menus: of the window, of a message, of a conversation. They hold nothing up."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence

from chatd.clients.chat_tk.theme import Theme

Item = tuple[str, Callable[[], object]] | None
"""A label and what it does; None: a line between groups."""
Choice = tuple[str, bool, Callable[[], object]]
"""The same, and whether it is the one that holds."""


class Menus:
    """One menu at a time."""

    def __init__(self, root: tk.Tk, theme: Theme) -> None:
        self._root, self._theme = root, theme
        self.menu: tk.Menu | None = None
        self._chosen: tk.StringVar | None = None  # Tk forgets one that nobody holds

    def show(
        self,
        items: Sequence[Item],
        x: int,
        y: int,
        *,
        choices: Sequence[Choice] = (),
        to_left: bool = False,
    ) -> None:
        """Show a menu at a place on screen; `choices` stand above the items."""
        self.close()
        menu = self.menu = tk.Menu(self._root, tearoff=False)
        self._theme.menu(menu)
        chosen = self._chosen = tk.StringVar(
            menu, next((c[0] for c in choices if c[1]), "")
        )
        for label, _, act in choices:
            menu.add_radiobutton(label=label, value=label, variable=chosen, command=act)
        if choices and items:
            menu.add_separator()
        for item in items:
            if item is None:
                menu.add_separator()
            else:
                menu.add_command(label=item[0], command=item[1])
        menu.tk_popup(x - menu.winfo_reqwidth() if to_left else x, y)

    def close(self) -> None:
        """Take it away."""
        if self.menu is not None:
            self.menu.destroy()
            self.menu = None
