"""Keys, menus and panels of the window, by real events."""

from __future__ import annotations

import tkinter as tk

from chatd.clients.chat_tk.keys import SHORTCUTS
from tests.chat_tk.view_case import ViewTestCase
from tests.client.cable import Account


class RoomCase(ViewTestCase):
    """Bob is here, too, and has written."""

    def setUp(self) -> None:
        super().setUp()
        self.bob = Account(self, self.cable, "bob")
        self.bob_says("@bob+mira", "psst")
        self.bob_says("#lobby", "the needle", "hay", "```\nx = 1\n```")

    def bob_says(self, room: str, *texts: str) -> None:
        for text in texts:
            self.bob.client.say(room, text)
        self.answer()

    def open(self, room: str) -> None:
        self.presenter.open(room)
        self.answer()

    def title(self) -> str:
        return str(self.window.header.title.cget("text"))


class KeyTests(RoomCase):
    """Everything can be done without a pointer."""

    def test_switcher(self) -> None:
        """Ctrl+K, some letters, Enter: the room is in front, one goes on writing."""
        self.keys(self.field, "<Control-k>")
        self.assertIs(self.root.focus_get(), self.window.side.field)
        self.type(self.window.side.field, "ob")
        labels = [item.label for item in self.window.side.rows.items]
        self.assertEqual(labels, ["#lobby", "bob"])
        self.keys(self.window.side.field, "<Down>", "<Return>")
        self.assertEqual(self.title(), "bob")
        self.assertEqual(self.window.side.field.get(), "")
        self.until(lambda: self.root.focus_get() is self.field)

    def test_new_room(self) -> None:
        """#name and Enter makes a room; nonsense is told, and stays to be mended."""
        field = self.window.side.field
        self.keys(field)
        field.insert(0, "#ops")
        self.keys(field, "<Return>")
        self.answer()
        self.assertEqual(self.title(), "ops")
        field.insert(0, "#no room")
        self.keys(field, "<Return>")
        self.assertEqual(field.get(), "#no room")
        self.until(self.window.trouble.winfo_ismapped)

    def test_list_by_keys(self) -> None:
        """The list of conversations has the focus, a ring, and the arrow keys."""
        rows = self.window.side.rows
        self.keys(rows, "<Down>", "<Down>")
        self.assertEqual(rows.marked, self.window.side.items[2])
        self.keys(rows, "<Up>", "<Return>")
        self.assertEqual(self.title(), "lobby")

    def test_up_and_down(self) -> None:
        """Alt and the arrows go through the conversations, Alt+A to what is unread."""
        self.keys(self.field, "<Alt-Down>")
        self.assertEqual(self.title(), "lobby")
        self.keys(self.field, "<Alt-Up>")
        self.assertEqual(self.title(), "Server")
        self.keys(self.field, "<Alt-a>")
        self.assertEqual(self.title(), "bob")

    def test_search(self) -> None:
        """Ctrl+F, words, Enter; Escape ends it. What is found is pointed at."""
        self.open("#lobby")
        self.keys(self.field, "<Control-f>")
        bar = self.window.search_bar
        self.until(bar.winfo_ismapped)
        self.type(bar.field, "needle")
        self.keys(bar.field, "<Return>")
        self.answer()
        self.assertEqual(str(bar.count.cget("text")), "1 of 1")
        start, end = self.list.tag_ranges("found")
        self.assertEqual(self.list.get(start, end), "needle")
        self.keys(bar.field, "<Escape>")
        self.until(lambda: not bar.winfo_ismapped())
        self.assertEqual(self.list.tag_ranges("found"), ())
        self.until(lambda: self.root.focus_get() is self.field)

    def test_text_size(self) -> None:
        """Larger, smaller, as usual: all fonts, and it is kept."""
        font = self.theme.fonts["ui"]
        for key, size in (
            ("<Control-plus>", 11),
            ("<Control-plus>", 12),
            ("<Control-minus>", 11),
            ("<Control-Key-0>", 10),
        ):
            self.keys(self.field, key)
            self.assertEqual(font.cget("size"), size)
            self.assertEqual(self.presenter.preferences.size, size)

    def test_edit_by_up(self) -> None:
        """Up in the empty field edits what is not sent; Escape leaves it as it was."""
        self.cable.refusing = True
        self.cable.cut()
        self.presenter.writing.submit("frist")
        self.keys(self.field, "<Up>")
        self.assertEqual(self.window.composer.get(), "frist")
        self.until(self.window.composer.editing.winfo_ismapped)
        self.keys(self.field, "<Escape>")
        self.assertEqual(self.window.composer.get(), "")
        self.until(lambda: not self.window.composer.editing.winfo_ismapped())
        self.keys(self.field, "<Up>")
        self.window.composer.put("first")
        self.keys(self.field, "<Return>")
        self.assertIn("first", self.shown())
        self.assertNotIn("frist", self.shown())

    def test_every_shortcut_is_bound(self) -> None:
        """What F1 lists with a key does something, in the field and in the list."""
        for each in SHORTCUTS:
            for sequence in each.sequences:
                for widget in (self.root, self.field, self.list):
                    self.assertTrue(widget.bind(sequence), each.label)

    def test_keys_are_listed(self) -> None:
        """F1 lists the keys; Escape closes the list."""
        self.keys(self.field, "<F1>")
        window = self.window.keys.window
        assert window is not None
        self.until(window.winfo_viewable)
        self.keys(window, "<Escape>")
        self.assertIsNone(self.window.keys.window)


class MenuTests(RoomCase):
    """Menus do not hold the network up."""

    def labels(self) -> list[str]:
        menu = self.window.menus.menu
        assert menu is not None
        last = menu.index("end")
        assert last is not None
        kinds = [(n, menu.type(n)) for n in range(last + 1)]
        return [str(menu.entrycget(n, "label")) for n, t in kinds if t != "separator"]

    def choose(self, label: str) -> None:
        menu = self.window.menus.menu
        assert menu is not None
        menu.invoke(label)
        self.rest()

    def right_click(self, tag: str) -> None:
        box = self.list.bbox(self.list.tag_ranges(tag)[0])
        assert box is not None
        self.list.event_generate("<Button-3>", x=box[0] + 2, y=box[1] + 2)
        self.rest()

    def test_message(self) -> None:
        """A message is copied and quoted, a link opened and copied."""
        self.open("#lobby")
        self.bob_says("#lobby", "see https://a.org/x")
        self.right_click("link")
        expected = ["Open link", "Copy link", "Copy message", "Quote"]
        self.assertEqual(self.labels(), expected)
        self.choose("Copy message")
        self.assertEqual(self.root.clipboard_get(), "see https://a.org/x")
        self.choose("Open link")
        self.assertEqual(self.log, ["https://a.org/x"])
        self.choose("Quote")
        self.assertEqual(self.window.composer.get(), "> see https://a.org/x\n")

    def test_own_message(self) -> None:
        """One that is not sent can be edited and deleted."""
        self.cable.refusing = True
        self.cable.cut()
        self.presenter.writing.submit("oops")
        self.rest()
        self.right_click("pending")
        self.assertEqual(self.labels()[-2:], ["Edit", "Delete"])
        self.choose("Delete")
        self.assertNotIn("oops", self.shown())

    def test_conversation(self) -> None:
        """A conversation has a rule of its own; a room can be left."""
        self.presenter.join("ops")
        self.answer()
        item = next(i for i in self.window.side.items if i.label == "#ops")
        self.window._side_menu(item, 10, 10)
        self.rest()
        self.choose("Call me for: nothing")
        self.assertEqual(self.presenter.preferences.rooms, {"#ops": "none"})
        self.choose("Leave")
        self.assertEqual(self.title(), "lobby")

    def test_network_lives_on(self) -> None:
        """What comes while a menu and panels are open is shown."""
        self.open("#lobby")
        self.window.header.menu.invoke()
        self.assertIn("Preferences…", self.labels())
        self.window.open_preferences()
        self.window.keys.open()
        self.bob_says("#lobby", "still here")
        self.assertIn("still here", self.shown())


class PanelTests(RoomCase):
    """The preferences."""

    def press(self, label: str) -> None:
        panel = self.window.preferences.window
        assert panel is not None
        self._find(panel, label).invoke()  # type: ignore[attr-defined]
        self.rest()

    def _find(self, parent: tk.Misc, label: str) -> tk.Misc:
        found = [parent]
        for each in found:
            found += each.winfo_children()
            try:
                if each.cget("text") == label:
                    return each
            except tk.TclError:
                pass
        raise AssertionError(label)

    def test_choices_hold_at_once(self) -> None:
        """Look, size, rule and switches; the panel stays, in the new look."""
        self.keys(self.field, "<Control-comma>")
        for label in ("Dark", "+", "Mentions", "Ring the bell, too"):
            self.press(label)
        kept = self.presenter.preferences
        self.assertEqual(
            (kept.theme, kept.size, kept.notify, kept.bell),
            ("dark", 11, "mention", False),
        )
        self.assertTrue(self.theme.palette.dark)
        self.press("Server and key…")
        self.assertEqual(self.log[-1], "settings")
        self.assertIsNone(self.window.preferences.window)


class MessageTests(RoomCase):
    """What can be clicked in the list."""

    def test_unfolded(self) -> None:
        """A click shows the rest of a long paste; what stands below stays."""
        self.open("#lobby")
        self.bob_says("#lobby", "\n".join(f"line {n}" for n in range(40)), "below")
        self.assertNotIn("line 39", self.shown())
        box = self.list.bbox(self.list.tag_ranges("fold")[0])
        assert box is not None
        self.click(self.list, box[0] + 3, box[1] + 3)
        self.assertIn("line 39", self.shown())
        self.assertTrue(self.shown().rstrip().endswith("below"))
        self.assertEqual(self.list.tag_ranges("fold"), ())

    def test_failed_is_deleted(self) -> None:
        """Delete takes a line away that the server will not have."""
        self.house.journal.fault = lambda draft: "forbidden"
        self.presenter.writing.submit("nope")
        self.answer()
        spots = self.list.tag_ranges("act")
        box = self.list.bbox(spots[-2])
        assert box is not None
        self.click(self.list, box[0] + 3, box[1] + 3)
        self.assertNotIn("nope", self.shown())

    def test_code_block(self) -> None:
        """Lines of code stand in the font of code."""
        self.open("#lobby")
        start, end = self.list.tag_ranges("block")
        self.assertEqual(self.list.get(start, end), "x = 1")

    def test_highlight_counts_as_tk_does(self) -> None:
        """Behind an emoji, too, the word itself is pointed at."""
        self.open("#lobby")
        self.bob_says("#lobby", "🎉🎉 needle 🎉 needle")
        self.window.messages.highlight(("needle",))
        spots = list(map(str, self.list.tag_ranges("found")))
        found = [
            self.list.get(a, b) for a, b in zip(spots[::2], spots[1::2], strict=True)
        ]
        self.assertEqual(found, ["needle"] * 3)

    def test_scrolling_up_brings_older(self) -> None:
        """At the top the page before comes; what is in view stays."""
        self.open("#lobby")
        self.bob_says("#lobby", *[f"n{n} " * 30 for n in range(150)])
        self.presenter.open("@bob+mira")
        self.open("#lobby")
        self.assertNotIn("n10 ", self.shown())
        count = len(self.window.messages.ids)
        while self.list.yview()[0] > 0.02:
            self.keys(self.field, "<Prior>")
            if len(self.window.messages.ids) > count:
                break
        self.answer()
        self.assertIn("n10 ", self.shown())
        self.assertGreater(self.list.yview()[0], 0.02)
