"""What the preferences window shows: every choice has effect at once."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk
from typing import Any

from chatd.clients.chat_tk.attention import RULES
from chatd.clients.chat_tk.preferences import SIZES, THEMES, Preferences
from chatd.clients.chat_tk.theme import Theme


def fill(
    frame: ttk.Frame,
    theme: Theme,
    preferences: Preferences,
    key_words: tuple[str, str],
    prefer: Callable[..., None],
    on_connection: Callable[[], None],
) -> None:
    """Put the choices into `frame`. `key_words`: the key's id, and as words."""
    px = theme.px

    def row(number: int, label: str) -> ttk.Frame:
        ttk.Label(frame, text=label, style="Soft.TLabel").grid(
            row=number, column=0, sticky="nw", padx=(0, px(18)), pady=px(5)
        )
        holder = ttk.Frame(frame)
        holder.grid(row=number, column=1, sticky="w", pady=px(3))
        return holder

    def choice(
        number: int, label: str, options: dict[str, str], name: str, across: bool
    ) -> None:
        holder = row(number, label)
        value = tk.StringVar(holder, getattr(preferences, name))
        for n, (key, words) in enumerate(options.items()):
            ttk.Radiobutton(
                holder,
                text=words,
                value=key,
                variable=value,
                command=lambda: prefer(**{name: value.get()}),
            ).grid(
                row=0 if across else n,
                column=n if across else 0,
                sticky="w",
                padx=(0, px(12)),
                pady=px(1),
            )

    def switch(number: int, label: str, words: str, name: str) -> None:
        holder = row(number, label)
        value = tk.BooleanVar(holder, getattr(preferences, name))
        ttk.Checkbutton(
            holder,
            text=words,
            variable=value,
            command=lambda: prefer(**{name: value.get()}),
        ).grid()

    choice(1, "Look", THEMES, "theme", True)
    size = row(2, "Text size")
    shown = ttk.Label(size, text=str(preferences.size), width=3, anchor="center")
    shown.grid(row=0, column=1)
    for column, (sign, by) in ((0, ("-", -1)), (2, ("+", 1))):
        wanted = preferences.size + by

        def change(size: int = wanted) -> Any:
            prefer(size=size)

        button = ttk.Button(size, text=sign, width=3, command=change)
        button.state(["!disabled" if wanted in SIZES else "disabled"])
        button.grid(row=0, column=column)
    choice(3, "Call me for", RULES, "notify", False)
    switch(4, "", "Ring the bell, too", "bell")
    switch(5, "Reading", "Let others see how far I have read", "tell_read")
    connection = row(6, "Connection")
    ttk.Button(connection, text="Server and key…", command=on_connection).grid()
    id, words = key_words
    key = row(7, "Key")
    told = f"{id}    in words: {words}" if id else "none yet"
    ttk.Label(key, text=told).grid(sticky="w")
    hint = "Compare these with the operator's list of keys (chatctl user list)."
    ttk.Label(key, text=hint, style="Soft.TLabel").grid(sticky="w")
