"""The form in the window: which server, which key. Nothing in it waits."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk

from chatd.clients.chat_tk.target import Place, Target, check, generate
from chatd.clients.chat_tk.theme import Theme
from chatd.wire.tokens import Key

_WIDTH = 520  # pixels at 96 dots an inch


class ConnectForm(ttk.Frame):
    """`browse` asks for a file, "" for none, and may stop the network meanwhile: it is
    called only while `connected` says no. `new_key` makes a key for Generate.
    """

    def __init__(
        self,
        parent: tk.Misc,
        theme: Theme,
        *,
        on_connect: Callable[[Place], None],
        on_cancel: Callable[[], None],
        browse: Callable[[], str],
        connected: Callable[[], bool],
        new_key: Callable[[], Key],
    ) -> None:
        super().__init__(parent)
        self._theme, self._browse, self._connected = theme, browse, connected
        self._on_connect, self._new_key = on_connect, new_key
        px = theme.px
        self.columnconfigure(0, weight=1)
        self.rowconfigure(0, weight=1)
        self._body = body = ttk.Frame(self, padding=px(16))
        body.grid(row=0, column=0)
        body.columnconfigure(0, weight=1, minsize=px(_WIDTH * 0.6))
        body.columnconfigure(1, minsize=px(_WIDTH * 0.25))
        title = ttk.Label(body, text="Connect to a server", style="Head.TLabel")
        title.grid(row=0, column=0, columnspan=2, sticky="w")
        about = "The key file is the secret you share with the server; it is not sent."
        ttk.Label(body, text=about, style="Soft.TLabel").grid(
            row=1, column=0, columnspan=2, sticky="w", pady=(px(2), px(12))
        )
        self.values: dict[str, tk.StringVar] = {}
        self.entries: dict[str, ttk.Entry] = {}
        self.notes: dict[str, ttk.Label] = {}
        self._field(body, "host", "Server", 2, 0)
        self._field(body, "port", "Port", 2, 1)
        keys = ttk.Frame(body)
        keys.columnconfigure(0, weight=1)
        self._field(body, "key_path", "Key file", 5, 0, keys)
        keys.grid(row=6, column=0, columnspan=2, sticky="ew", pady=(px(3), 0))
        self.browse = ttk.Button(keys, text="Browse…", command=self._browse_clicked)
        self.generate = ttk.Button(
            keys, text="Generate", compound="left", command=self._generate_clicked
        )
        self.browse.grid(row=0, column=1, padx=(px(8), 0))
        self.generate.grid(row=0, column=2, padx=(px(8), 0))
        foot = ttk.Frame(body)
        foot.columnconfigure(0, weight=1)
        self.status = ttk.Label(foot, style="Soft.TLabel", wraplength=px(300))
        self.status.grid(row=0, column=0, sticky="w")
        self.cancel = ttk.Button(foot, text="Cancel", command=on_cancel)
        self.connect = ttk.Button(
            foot, text="Connect", style="Accent.TButton", command=self.accept
        )
        self.connect.grid(row=0, column=2, padx=(px(8), 0))
        foot.grid(row=8, column=0, columnspan=2, sticky="ew", pady=(px(10), 0))
        for entry in self.entries.values():
            entry.bind("<Escape>", lambda event: self._escaped())
        self.restyle()

    def _field(
        self,
        body: ttk.Frame,
        name: str,
        label: str,
        row: int,
        column: int,
        holder: ttk.Frame | None = None,
    ) -> None:
        """A labelled entry with a place for what is wrong under it."""
        px, left = self._theme.px, self._theme.px(10) if column else 0
        span = 2 if holder is not None else 1
        ttk.Label(body, text=label, style="Soft.TLabel").grid(
            row=row, column=column, sticky="w", padx=(left, 0)
        )
        value = self.values[name] = tk.StringVar(self)
        entry = self.entries[name] = _entry(holder or body, value)
        if holder is not None:
            entry.grid(row=0, column=0, sticky="ew")
        else:
            entry.grid(
                row=row + 1, column=column, sticky="ew", padx=(left, 0), pady=(px(3), 0)
            )
        note = self.notes[name] = ttk.Label(body, style="Note.TLabel")
        note.configure(wraplength=px(_WIDTH * (0.98 if span == 2 else 0.4)))
        note.grid(
            row=row + 2,
            column=column,
            columnspan=span,
            sticky="w",
            padx=(left, 0),
            pady=(px(1), px(6)),
        )
        entry.bind("<Return>", lambda event: self.accept())

    def restyle(self) -> None:
        """Take the theme's colours."""
        key = self._theme.icon("key", self._theme.palette.soft, 15)
        self.generate.configure(image=key)

    def open(self, target: Target, *, note: str = "", cancel: bool) -> None:
        """Show `target`, with `note` under the key file; may it be cancelled?"""
        for name, value in self.values.items():
            value.set(getattr(target, name))
        self._mark({"key_path": note} if note else {})
        self._say("")
        if cancel:
            self.cancel.grid(row=0, column=1, padx=(self._theme.px(8), 0))
        else:
            self.cancel.grid_remove()
        self.entries["key_path" if note else "host"].focus_set()

    def target(self) -> Target:
        """What is typed."""
        return Target(**{name: value.get() for name, value in self.values.items()})

    def accept(self) -> None:
        """Connect, or say what is wrong where it is wrong."""
        match check(self.target()):
            case Place() as place:
                self._mark({})
                self._on_connect(place)
            case wrong:
                self._mark(wrong)
                self._say("")

    def _mark(self, wrong: dict[str, str]) -> None:
        for name, note in self.notes.items():
            note.configure(text=wrong.get(name, ""))
            self.entries[name].state(["invalid" if name in wrong else "!invalid"])
        if wrong:
            self.entries[next(iter(wrong))].focus_set()

    def _say(self, text: str) -> None:
        self.status.configure(text=text)

    def _escaped(self) -> None:
        if self.cancel.winfo_ismapped():
            self.cancel.invoke()

    def _browse_clicked(self) -> None:
        if self._connected():
            self._say("Type the path: the file dialog would hold up the connection.")
            return
        if chosen := self._browse():
            self.values["key_path"].set(chosen)
            self._mark({})

    def _generate_clicked(self) -> None:
        if wrong := generate(self.target(), self._new_key()):
            self._mark({"key_path": wrong})
            self._say("")
        else:
            self._mark({})
            self._say("New key written. The server needs the same file.")


def _entry(parent: tk.Misc, value: tk.StringVar) -> ttk.Entry:
    """An entry that refuses characters from U+10000 up.

    Tk 8.6 keeps those as two halves; deleting one in an Entry leaves the other.
    """
    entry = ttk.Entry(parent, textvariable=value)
    check = entry.register(lambda new: all(ord(c) < 0x10000 for c in new))
    entry.configure(validate="key", validatecommand=(check, "%S"))
    return entry
