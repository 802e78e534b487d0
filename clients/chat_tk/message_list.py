"""The conversation in a Text: selection, copying, wrapping and bidi for nothing."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Iterator, Sequence
from tkinter import ttk

from chatd.clients.chat_tk import list_tags
from chatd.clients.chat_tk.drawable import width
from chatd.clients.chat_tk.palette import person_colour
from chatd.clients.chat_tk.pointing import Acts, Pointing
from chatd.clients.chat_tk.rows import Body, Day, Head, Mark, New, Row
from chatd.clients.chat_tk.scrolling import Scrolling
from chatd.clients.chat_tk.side_list import SERVER
from chatd.clients.chat_tk.theme import Theme

_FACE = 32  # pixels at 96 dots an inch


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
        on_edge: Callable[[int], None],
        acts: Acts,
        drawable: Callable[[str], str],
    ) -> None:
        super().__init__(parent, style="List.TFrame")
        self._theme, self._drawable = theme, drawable
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
        self.scrolling = Scrolling(text, bar, on_scroll, on_edge, theme.px(48))
        self.columnconfigure(0, weight=1)
        self.rowconfigure(0, weight=1)
        text.grid(row=0, column=0, sticky="nsew")
        bar.grid(row=0, column=1, sticky="ns")
        self.ids: list[int] = []  # of the messages shown, in order
        self._serial = 0
        self._words: tuple[str, ...] = ()
        self.pointing = Pointing(text, acts, self._at)
        self.restyle()

    # -- look

    def restyle(self) -> None:
        """Take the theme's colours. Pictures are replaced where they stand."""
        text = self.text
        list_tags.configure(text, self._theme)
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

    # -- writing

    def append(self, rows: Sequence[Row]) -> None:
        """Write rows at the end."""
        self.text.configure(state="normal")
        self._write("end-1c", rows)
        self.text.configure(state="disabled")
        self.scrolling.settle()

    def reset(self, rows: Sequence[Row], see: int | None) -> None:
        """Write these in place of all; bring `see` into view, None: the end."""
        text = self.text
        text.configure(state="normal")
        text.delete("1.0", "end")
        self._forget(self.ids)
        self.ids = []
        self._write("end-1c", rows)
        text.configure(state="disabled")
        self.scrolling.to_end()
        if see is not None:
            self.scrolling.show(f"m{see}")

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
            self._forget(gone)
            self.ids = []
            self._write("1.0", rows)
            self.ids += kept
            text.configure(state="disabled")

    def cut_below(self, last: int | None) -> None:
        """Take out all below message `last`; None: all there is."""
        text = self.text
        kept = 0 if last is None else self.ids.index(last) + 1
        start = "1.0" if last is None else f"e{last} lineend +1c"
        text.configure(state="normal")
        text.delete(start, "end-1c")
        text.configure(state="disabled")
        self._forget(self.ids[kept:])
        del self.ids[kept:]

    def replace_body(self, body: Body) -> None:
        """Write one message's text anew, if it is shown."""
        if body.id not in self.ids:
            return
        text = self.text
        text.configure(state="normal")
        self.pointing.forget([body.id])
        # The line's end stays, or the marks of the next message would move up.
        text.delete(f"m{body.id}", f"e{body.id} lineend")
        text.mark_set("at", f"m{body.id}")
        text.mark_gravity("at", "right")
        self._write_spans(body)
        self._write_mark(body.id, body.mark, body.why)
        text.configure(state="disabled")
        self.scrolling.settle()

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

    def _forget(self, gone: Sequence[int]) -> None:
        for id in gone:
            self.text.mark_unset(f"m{id}", f"e{id}")
        self.pointing.forget(gone)

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
                case New():
                    text.insert("at", "New messages\n", ("new",))

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
        self._write_spans(body)
        text.insert("at", "\n", ("body",))
        self._write_mark(id, body.mark, body.why)

    def _write_spans(self, body: Body) -> None:
        """From m<n> on; e<n> stands behind it then."""
        text, id, before = self.text, body.id, ""
        for span in body.spans:
            block = span.kind == "block"
            if (block and before[-1:] not in ("", "\n")) or before == "```":
                text.insert("at", "\n", ("body",))
            tags = ["body"]
            if span.kind:
                tags.append(span.kind)
            if span.kind == "fold":
                tags.append(self.pointing.act(id, "unfold"))
            if span.href:
                tags.append(self.pointing.link(id, span.href))
            text.insert("at", self._drawable(span.text), tags)
            before = "```" if block else span.text
        text.mark_set(f"e{id}", "at")
        text.mark_gravity(f"e{id}", "left")
        self._highlight(id)

    def _write_mark(self, id: int, mark: Mark, why: str) -> None:
        """From e<n> to the line's end: a picture, and words for a failed message."""
        if mark is Mark.RECEIVED:
            return
        text, at = self.text, f"e{id}"
        failed = mark is Mark.FAILED
        if failed:  # written backwards, since the mark stays to the left
            for label, what in (
                ("Delete", "discard"),
                ("Edit", "edit"),
                ("Try again", "retry"),
            ):
                text.insert(at, label, ("body", "act", self.pointing.act(id, what)))
                text.insert(at, "   ", ("body", "failed"))
            text.insert(at, f" {self._drawable(why)}", ("body", "failed"))
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

    # -- pointing at things

    def show(self, id: int) -> None:
        """Bring message `id` into view, and point at it."""
        if id in self.ids:
            self.text.tag_remove("pointed", "1.0", "end")
            self.text.tag_add("pointed", f"m{id}", f"e{id}")
            self.scrolling.show(f"m{id}")

    def highlight(self, words: tuple[str, ...]) -> None:
        """Point at these words wherever they stand; none: at nothing."""
        self.text.tag_remove("found", "1.0", "end")
        if not words:
            self.text.tag_remove("pointed", "1.0", "end")
        self._words = tuple(word.lower() for word in words)
        for id in self.ids if words else ():
            self._highlight(id)

    def _highlight(self, id: int) -> None:
        if not self._words:
            return
        line = int(self.text.index(f"m{id}").partition(".")[0])
        # A picture would count, too: a message begins with its line, and has none.
        for row, written in enumerate(self.text.get(f"m{id}", f"e{id}").split("\n")):
            for start, end in _found(written, self._words):
                first, last = width(written[:start]), width(written[:end])
                at = line + row
                self.text.tag_add("found", f"{at}.{first}", f"{at}.{last}")

    def selected(self) -> str:
        """The selected text as it is read: pictures are not part of it."""
        try:
            return self.text.get("sel.first", "sel.last").replace("\t", "")
        except tk.TclError:  # nothing is selected
            return ""

    def _at(self, x: int, y: int) -> int | None:
        """The message at a place of the widget."""
        index = self.text.index(f"@{x},{y}")
        for id in reversed(self.ids):
            if self.text.compare(f"m{id}", "<=", index):
                inside = self.text.compare(index, "<=", f"e{id} lineend")
                return id if inside else None
        return None


def _found(text: str, words: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Where `words` stand in `text`, in any case."""
    low = text.lower()
    if len(low) != len(text):  # some letters fold to two
        low = text
    for word in words:
        at = low.find(word)
        while at >= 0:
            yield at, at + len(word)
            at = low.find(word, at + len(word))
