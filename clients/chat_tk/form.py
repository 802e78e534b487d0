"""The form in the window: which server, which key. Nothing in it waits."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk

from chatd.clients.chat_tk.entries import entry
from chatd.clients.chat_tk.target import Place, Target, check, generate
from chatd.clients.chat_tk.theme import Theme
from chatd.wire.invite import BadInvite, Invite, parse
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
        on_accept: Callable[[Invite, str], None],
        on_cancel: Callable[[], None],
        browse: Callable[[], str],
        connected: Callable[[], bool],
        new_key: Callable[[], Key],
    ) -> None:
        super().__init__(parent)
        self._theme, self._browse, self._connected = theme, browse, connected
        self._on_connect, self._new_key = on_connect, new_key
        self._on_accept = on_accept
        px = theme.px
        self.columnconfigure(0, weight=1)
        self.rowconfigure(0, weight=1)
        self._body = body = ttk.Frame(self, padding=px(16))
        body.grid(row=0, column=0)
        body.columnconfigure(0, weight=1, minsize=px(_WIDTH * 0.6))
        body.columnconfigure(1, minsize=px(_WIDTH * 0.25))
        title = ttk.Label(body, text="Connect to a server", style="Head.TLabel")
        title.grid(row=0, column=0, columnspan=2, sticky="w")
        about = "Paste an invite, or say where the server is and which key opens it."
        ttk.Label(body, text=about, style="Soft.TLabel").grid(
            row=1, column=0, columnspan=2, sticky="w", pady=(px(2), px(12))
        )
        self.values: dict[str, tk.StringVar] = {}
        self.entries: dict[str, ttk.Entry] = {}
        self.notes: dict[str, ttk.Label] = {}
        self._field(body, "invite", "Invite, if you got one", 2, 0, span=2)
        self._field(body, "host", "Server", 5, 0)
        self._field(body, "port", "Port", 5, 1)
        keys = ttk.Frame(body)
        keys.columnconfigure(0, weight=1)
        self._field(body, "key_path", "Key file", 8, 0, keys, span=2)
        keys.grid(row=9, column=0, columnspan=2, sticky="ew", pady=(px(3), 0))
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
        foot.grid(row=11, column=0, columnspan=2, sticky="ew", pady=(px(10), 0))
        for field in self.entries.values():
            field.bind("<Escape>", lambda event: self._escaped())
        self.restyle()

    def _field(
        self,
        body: ttk.Frame,
        name: str,
        label: str,
        row: int,
        column: int,
        holder: ttk.Frame | None = None,
        span: int = 1,
    ) -> None:
        """A labelled entry with a place for what is wrong under it."""
        px, left = self._theme.px, self._theme.px(10) if column else 0
        ttk.Label(body, text=label, style="Soft.TLabel").grid(
            row=row, column=column, sticky="w", padx=(left, 0)
        )
        value = self.values[name] = tk.StringVar(self)
        field = self.entries[name] = entry(holder or body, value)
        if holder is not None:
            field.grid(row=0, column=0, sticky="ew")
        else:
            field.grid(
                row=row + 1,
                column=column,
                columnspan=span,
                sticky="ew",
                padx=(left, 0),
                pady=(px(3), 0),
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
        field.bind("<Return>", lambda event: self.accept())

    def restyle(self) -> None:
        """Take the theme's colours."""
        key = self._theme.icon("key", self._theme.palette.soft, 15)
        self.generate.configure(image=key)

    def open(self, target: Target, *, note: str = "", cancel: bool) -> None:
        """Show `target`, with `note` under the key file; may it be cancelled?"""
        self.values["invite"].set("")
        for name in ("host", "port", "key_path"):
            self.values[name].set(getattr(target, name))
        self.connect.state(["!disabled"])
        self._mark({"key_path": note} if note else {})
        self.say("")
        if cancel:
            self.cancel.grid(row=0, column=1, padx=(self._theme.px(8), 0))
        else:
            self.cancel.grid_remove()
        self.entries["key_path" if note else "invite"].focus_set()

    def target(self) -> Target:
        """What is typed."""
        named = ("host", "port", "key_path")
        return Target(*(self.values[name].get() for name in named))

    def accept(self) -> None:
        """Connect, or say what is wrong where it is wrong."""
        if self.values["invite"].get().strip():
            self._accept_invite()
            return
        match check(self.target()):
            case Place() as place:
                self._mark({})
                self._on_connect(place)
            case wrong:
                self._mark(wrong)
                self.say("")

    def _accept_invite(self) -> None:
        try:
            invite = parse(self.values["invite"].get())
        except BadInvite as error:
            self._mark({"invite": str(error).capitalize()})
            return
        path = self.values["key_path"].get().strip()
        if not path:
            self._mark({"key_path": "Say where your new key file shall be"})
            return
        self._mark({})
        self.say("Accepting the invite…")
        self.connect.state(["disabled"])
        self._on_accept(invite, path)

    def not_accepted(self, why: str) -> None:
        """The invite did not become a key."""
        self.connect.state(["!disabled"])
        self.say("")
        self._mark({"invite": why})

    def _mark(self, wrong: dict[str, str]) -> None:
        for name, note in self.notes.items():
            note.configure(text=wrong.get(name, ""))
            self.entries[name].state(["invalid" if name in wrong else "!invalid"])
        if wrong:
            self.entries[next(iter(wrong))].focus_set()

    def say(self, text: str) -> None:
        """What is going on."""
        self.status.configure(text=text)

    def _escaped(self) -> None:
        if self.cancel.winfo_ismapped():
            self.cancel.invoke()

    def _browse_clicked(self) -> None:
        if self._connected():
            self.say("Type the path: the file dialog would hold up the connection.")
            return
        if chosen := self._browse():
            self.values["key_path"].set(chosen)
            self._mark({})

    def _generate_clicked(self) -> None:
        if wrong := generate(self.target(), self._new_key()):
            self._mark({"key_path": wrong})
            self.say("")
        else:
            self._mark({})
            self.say("New key written. The server needs the same file.")
