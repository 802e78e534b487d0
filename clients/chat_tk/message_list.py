"""The conversation in a Text: selection, copying, wrapping and bidi for nothing."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from tkinter import ttk

from chatd.clients.chat_tk.palette import person_colour
from chatd.clients.chat_tk.scrolling import Scrolling
from chatd.clients.chat_tk.side_list import SERVER
from chatd.clients.chat_tk.spans import Body, Day, Head, Mark, Row
from chatd.clients.chat_tk.theme import Theme

_GUTTER = 58  # where text begins, pixels at 96 dots an inch
_FACE = 32


class MessageList(ttk.Frame):
    """Message n lies between the Tk marks m<n> and e<n>; what became of it follows.

    Marks cost less than a tag for each message, and they move with the text.
    """

    def __init__(
        self,
        parent: tk.Misc,
        theme: Theme,
        *,
        on_scroll: Callable[[bool], None],
        on_link: Callable[[str], None],
        on_retry: Callable[[int], None],
        drawable: Callable[[str], str],
    ) -> None:
        super().__init__(parent, style="List.TFrame")
        self._theme, self._drawable = theme, drawable
        self._on_link, self._on_retry = on_link, on_retry
        self.text = text = tk.Text(
            self,
            wrap="word",
            state="disabled",
            borderwidth=0,
            highlightthickness=0,
            cursor="arrow",
            padx=0,
            pady=0,
            undo=False,
            insertwidth=0,
            takefocus=False,
        )
        bar = ttk.Scrollbar(self, orient="vertical", style="List.Vertical.TScrollbar")
        self.scrolling = Scrolling(text, bar, on_scroll, theme.px(48))
        self.columnconfigure(0, weight=1)
        self.rowconfigure(0, weight=1)
        text.grid(row=0, column=0, sticky="nsew")
        bar.grid(row=0, column=1, sticky="ns")
        self.ids: list[int] = []  # of the messages shown, in order
        self._links: dict[str, tuple[int, str]] = {}  # tag: message, address
        self._serial = 0
        self._pressed = ""
        text.bind("<Button-1>", lambda event: text.focus_set(), add=True)
        text.tag_bind("link", "<Button-1>", self._link_pressed)
        text.tag_bind("link", "<ButtonRelease-1>", self._link_released)
        text.tag_bind("retry", "<ButtonRelease-1>", self._retry_clicked)
        for tag in ("link", "retry"):
            text.tag_bind(tag, "<Enter>", lambda event: self._cursor("hand2"))
            text.tag_bind(tag, "<Leave>", lambda event: self._cursor("arrow"))
        self.restyle()

    # -- look

    def restyle(self) -> None:
        """Take the theme's colours. Pictures are replaced where they stand."""
        text, fonts = self.text, self._theme.fonts
        p, px = self._theme.palette, self._theme.px
        gutter, right = px(_GUTTER), px(24)
        text.configure(
            background=p.bg,
            foreground=p.text,
            font=fonts["ui"],
            selectbackground=p.mark,
            selectforeground=p.text,
            inactiveselectbackground=p.mark,
            spacing2=px(2),
        )
        text.tag_configure(
            "body",
            lmargin1=gutter,
            lmargin2=gutter,
            rmargin=right,
            spacing1=px(1),
            spacing3=px(2),
        )
        text.tag_configure(
            "head",
            lmargin1=px(16),
            lmargin2=gutter,
            rmargin=right,
            spacing1=px(11),
            tabs=(gutter,),
        )
        text.tag_configure("name", font=fonts["bold"])
        text.tag_configure("time", font=fonts["small"], foreground=p.soft)
        text.tag_configure(
            "day",
            font=fonts["smallbold"],
            foreground=p.soft,
            justify="center",
            spacing1=px(18),
            spacing3=px(4),
        )
        text.tag_configure("link", foreground=p.link, underline=True)
        text.tag_configure(
            "code",
            font=fonts["code"],
            background=p.code_bg,
            lmargincolor=p.bg,
            rmargincolor=p.bg,
        )
        text.tag_configure("pending", foreground=p.soft)
        text.tag_configure("failed", foreground=p.bad, font=fonts["small"])
        text.tag_configure(
            "retry", foreground=p.bad, font=fonts["small"], underline=True
        )
        for n, colour in enumerate(p.people):
            text.tag_configure(f"who{n}", foreground=colour)
        text.tag_raise("sel")
        for name in map(str, text.image_names()):
            kind, _, what = name.split(":", 2)
            if kind == "face":
                text.image_configure(name, image=self._face(what))
            else:
                text.image_configure(name, image=self._mark_icon(Mark(what)))

    def _face(self, sender: str) -> tk.PhotoImage:
        return self._theme.face(sender, _FACE, server=sender == SERVER)

    def _mark_icon(self, mark: Mark) -> tk.PhotoImage:
        p, failed = self._theme.palette, mark is Mark.FAILED
        return self._theme.icon(mark.value, p.bad if failed else p.soft, 13)

    def _cursor(self, name: str) -> None:
        self.text.configure(cursor=name)

    # -- writing

    def append(self, rows: Sequence[Row]) -> None:
        """Write rows at the end."""
        self.text.configure(state="normal")
        self._write("end-1c", rows)
        self.text.configure(state="disabled")
        self.scrolling.settle()

    def reset(self, rows: Sequence[Row], see: int | None) -> None:
        """Write these in place of all; bring `see` to the top, None: the end."""
        text = self.text
        text.configure(state="normal")
        text.delete("1.0", "end")
        self._forget(set(self.ids))
        self.ids = []
        self._write("end-1c", rows)
        text.configure(state="disabled")
        self.scrolling.to_end()
        if see is not None:
            text.update_idletasks()
            text.yview(f"m{see}")

    def replace_top(self, rows: Sequence[Row], through: int) -> None:
        """Write rows in place of all up to the end of message `through`.

        What the reader has in view stays where it is.
        """
        text = self.text
        with self.scrolling.held(f"m{through}", f"e{through} lineend +1c"):
            text.configure(state="normal")
            gone = self.ids[: self.ids.index(through) + 1]
            kept = self.ids[len(gone) :]
            text.delete("1.0", f"e{through} lineend +1c")
            self._forget(set(gone))
            self.ids = []
            self._write("1.0", rows)
            self.ids += kept
            text.configure(state="disabled")

    def _forget(self, gone: set[int]) -> None:
        for id in gone:
            self.text.mark_unset(f"m{id}", f"e{id}")
        tags = [tag for tag, (id, _) in self._links.items() if id in gone]
        tags += [f"r{id}" for id in gone]
        for tag in tags:
            self._links.pop(tag, None)
        if tags:
            self.text.tag_delete(*tags)

    def _number(self) -> int:
        self._serial += 1
        return self._serial

    def _write(self, where: str, rows: Sequence[Row]) -> None:
        text = self.text
        text.mark_set("at", where)
        text.mark_gravity("at", "right")
        for row in rows:
            match row:
                case Body():
                    self._write_body(row)
                case Head(sender, time):
                    self._write_head(sender, time)
                case Day(label):
                    text.insert("at", f"{label}\n", ("day",))

    def _write_head(self, sender: str, time: str) -> None:
        text, start = self.text, self.text.index("at")
        name = f"face:{self._number()}:{sender}"
        text.image_create("at", image=self._face(sender), align="center", name=name)
        text.tag_add("head", start)
        p = self._theme.palette
        who = f"who{p.people.index(person_colour(p, sender))}"
        text.insert("at", f"\t{self._drawable(sender)}", ("head", "name", who))
        text.insert("at", f"   {time}\n", ("head", "time"))

    def _write_body(self, body: Body) -> None:
        text, id = self.text, body.id
        self.ids.append(id)
        text.mark_set(f"m{id}", "at")
        text.mark_gravity(f"m{id}", "left")
        for span in body.spans:
            tags = ["body"]
            if span.kind:
                tags.append(span.kind)
            if span.href:
                tags.append(f"u{self._number()}")
                self._links[tags[-1]] = (id, span.href)
            text.insert("at", self._drawable(span.text), tags)
        text.mark_set(f"e{id}", "at")
        text.mark_gravity(f"e{id}", "left")
        text.insert("at", "\n", ("body",))
        self._write_mark(id, body.mark, body.why)

    def _write_mark(self, id: int, mark: Mark, why: str) -> None:
        """From e<n> to the line's end: a picture, and words for a failed message."""
        if mark is Mark.RECEIVED:
            return
        text, at = self.text, f"e{id}"
        failed = mark is Mark.FAILED
        if failed:  # written backwards, since the mark stays to the left
            text.insert(at, "Try again", ("body", "retry", f"r{id}"))
            text.insert(at, f" {self._drawable(why)}   ", ("body", "failed"))
        if mark is Mark.DELIVERED:
            text.insert(at, f" {why}", ("body", "time"))
        name = f"mark:{self._number()}:{mark.value}"
        text.image_create(
            at,
            image=self._mark_icon(mark),
            align="center",
            padx=self._theme.px(2),
            name=name,
        )
        text.tag_add("body", at)
        text.insert(at, "  " if failed else " ", ("body",))
        if mark is Mark.PENDING:
            text.tag_add("pending", f"m{id}", at)

    def set_mark(self, id: int, mark: Mark, why: str) -> None:
        """Show what became of message `id`, if it is shown."""
        if id not in self.ids:
            return
        text = self.text
        text.configure(state="normal")
        text.delete(f"e{id}", f"e{id} lineend")
        text.tag_remove("pending", f"m{id}", f"e{id}")
        self._write_mark(id, mark, why)
        text.configure(state="disabled")
        self.scrolling.settle()

    def selected(self) -> str:
        """The selected text as it is read: pictures are not part of it."""
        try:
            return self.text.get("sel.first", "sel.last").replace("\t", "")
        except tk.TclError:  # nothing is selected
            return ""

    # -- pointing

    def _tag_at(self, event: tk.Event[tk.Text], kind: str) -> str:
        tags = self.text.tag_names(f"@{event.x},{event.y}")
        return next((t for t in tags if t[0] == kind and t[1:].isdigit()), "")

    def _link_pressed(self, event: tk.Event[tk.Text]) -> None:
        self._pressed = self._tag_at(event, "u")

    def _link_released(self, event: tk.Event[tk.Text]) -> None:
        tag = self._tag_at(event, "u")
        if tag and tag == self._pressed and not self.text.tag_ranges("sel"):
            self._on_link(self._links[tag][1])

    def _retry_clicked(self, event: tk.Event[tk.Text]) -> None:
        tag = self._tag_at(event, "r")
        if tag:
            self._on_retry(int(tag[1:]))
