"""Where one writes: Enter sends, Shift+Enter begins a new line."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk

from chatd.clients.chat_tk.drawable import whole
from chatd.clients.chat_tk.theme import Theme

MOST_LINES = 8  # before it scrolls


class Composer(ttk.Frame):
    """A growing text field.

    A Text and not an Entry: Entries leave halves of emoji behind, or crash. `submit`
    gets the text and says whether it took it; `drawable` is put over pasted text.
    """

    def __init__(
        self,
        parent: tk.Misc,
        theme: Theme,
        submit: Callable[[str], bool],
        drawable: Callable[[str], str],
    ) -> None:
        px = theme.px
        super().__init__(
            parent, style="Composer.TFrame", padding=(px(12), px(8), px(6), px(8))
        )
        self._theme, self._submit, self._drawable = theme, submit, drawable
        self.text = text = tk.Text(
            self,
            height=1,
            width=10,
            wrap="word",
            borderwidth=0,
            highlightthickness=0,
            undo=True,
            maxundo=200,
            padx=0,
            pady=0,
        )
        self._hint = tk.Label(text, borderwidth=0, padx=0, pady=0, cursor="xterm")
        self.button = ttk.Button(
            self, style="Send.TButton", command=self.hand_over, takefocus=False
        )
        self.editing = ttk.Label(
            self, style="Editing.TLabel", text="Editing · Enter keeps it · Esc cancels"
        )
        self.columnconfigure(0, weight=1)
        text.grid(row=1, column=0, sticky="ew")
        self.button.grid(row=1, column=1, sticky="se", padx=(px(8), 0))
        for sequence in ("<Return>", "<KP_Enter>", "<Control-Return>"):
            text.bind(sequence, self._enter)
        text.bind("<Shift-Return>", self._newline)
        text.bind("<Shift-KP_Enter>", self._newline)
        text.bind("<Tab>", self._tab)
        text.bind("<<Paste>>", self._paste)
        text.bind("<<Modified>>", self._modified)
        text.bind("<Configure>", lambda event: self._grow())
        text.bind("<FocusIn>", lambda event: self._focused("focus"))
        text.bind("<FocusOut>", lambda event: self._focused("!focus"))
        self._hint.bind("<Button-1>", lambda event: text.focus_set())
        self.restyle()

    def restyle(self) -> None:
        """Take the theme's colours."""
        p, px, font = self._theme.palette, self._theme.px, self._theme.fonts["ui"]
        self.text.configure(
            background=p.field,
            foreground=p.text,
            insertbackground=p.accent,
            insertwidth=px(2),
            font=font,
            spacing1=px(1),
            spacing3=px(1),
            selectbackground=p.mark,
            selectforeground=p.text,
        )
        self._hint.configure(background=p.field, foreground=p.soft, font=font)
        self._changed()

    def prompt(self, text: str) -> None:
        """What is shown while it is empty."""
        self._hint.configure(text=text)
        self._changed()

    def get(self) -> str:
        """What is written, no half characters in it."""
        return whole(self.text.get("1.0", "end-1c"))

    def put(self, text: str) -> None:
        """Replace what is written."""
        self.text.delete("1.0", "end")
        self.text.insert("1.0", text)
        self.text.edit_reset()
        self._changed()

    def show_editing(self, editing: bool) -> None:
        """Say that what is written replaces a message."""
        if editing:
            self.editing.grid(row=0, column=0, columnspan=2, sticky="w")
        else:
            self.editing.grid_remove()

    def quote(self, text: str) -> None:
        """Begin an answer to `text`."""
        lines = "".join(f"> {line}\n" for line in text.strip().split("\n"))
        self._insert(self._drawable(lines))
        self.text.focus_set()

    def hand_over(self) -> None:
        """Hand the text over; empty again when it was taken."""
        if self._submit(self.get()):
            self.put("")

    def _enter(self, event: tk.Event[tk.Text]) -> str:
        self.hand_over()
        return "break"

    def _newline(self, event: tk.Event[tk.Text]) -> str:
        self._insert("\n")
        return "break"

    def _tab(self, event: tk.Event[tk.Text]) -> str:
        after = self.text.tk_focusNext()
        if after is not None:
            after.focus_set()
        return "break"

    def _paste(self, event: tk.Event[tk.Text]) -> str:
        """Line ends made plain, and what is selected replaced: X11's Text does not."""
        try:
            text = self.clipboard_get()
        except tk.TclError:  # nothing there, or no text
            return "break"
        self._insert(self._drawable(text.replace("\r\n", "\n").replace("\r", "\n")))
        return "break"

    def _insert(self, text: str) -> None:
        if self.text.tag_ranges("sel"):
            self.text.delete("sel.first", "sel.last")
        self.text.insert("insert", text)
        self.text.see("insert")

    def _focused(self, state: str) -> None:
        self.state([state])

    def _modified(self, event: tk.Event[tk.Text]) -> None:
        self._changed()

    def _changed(self) -> None:
        p = self._theme.palette
        self.text.edit_modified(False)
        written = self.get()
        if written:
            self._hint.place_forget()
        else:
            self._hint.place(x=0, y=self._theme.px(1))
        colour = p.accent if written.strip() else p.decor
        self.button.configure(image=self._theme.icon("send", colour, 20))
        self._grow()

    def _grow(self) -> None:
        counted = self.text.count("1.0", "end", "displaylines")
        lines = counted[0] if isinstance(counted, tuple) else counted or 1
        wanted = max(1, min(MOST_LINES, lines))
        if int(self.text.cget("height")) != wanted:
            self.text.configure(height=wanted)
