"""The window itself, on a screen of the tests' own."""

from __future__ import annotations

from functools import partial

from chatd.clients.chat_tk.link_status import Banner
from chatd.clients.chat_tk.presenter import SHOWN
from tests.chat_tk.view_case import ViewTestCase


class ConversationTests(ViewTestCase):
    def test_enter_sends_and_shift_enter_does_not(self) -> None:
        """Shift+Enter begins a line, Enter sends all and empties the field."""
        self.type(self.field, "hi there")
        self.keys(self.field, "<Shift-Return>")
        self.type(self.field, "x")
        self.assertEqual(int(self.field.cget("height")), 2)
        self.keys(self.field, "<Return>")
        self.answer()
        said = self.house.journal.of("@mira+server")[0]
        self.assertEqual(said.body, "hi there\nx")
        self.assertEqual(self.window.composer.get(), "")
        self.assertEqual(int(self.field.cget("height")), 1)

    def test_pending_then_answered(self) -> None:
        """The line stands there pending; with the answer its mark changes."""
        self.presenter.writing.submit("hello")
        self.assertEqual(self.marks(), ["pending"])
        self.assertNotIn("Server received", self.shown())
        self.answer()
        self.assertEqual(self.marks(), ["stored"])
        self.assertIn("Server received: hello", self.shown())

    def test_failed_line_is_sent_again_by_a_click(self) -> None:
        """Why, and Try again, stand beside the line; the click sends it once more."""
        self.house.journal.fault = lambda draft: "forbidden"
        self.presenter.writing.submit("hello")
        self.answer()
        self.assertEqual(self.marks(), ["failed"])
        self.assertIn("Not sent: not allowed here", self.shown())
        self.house.journal.fault = lambda draft: None
        box = self.list.bbox(self.list.tag_ranges("act")[0])
        assert box is not None
        self.click(self.list, box[0] + 3, box[1] + 3)
        self.assertEqual(self.marks(), ["pending"])
        self.answer()
        self.assertNotIn("Not sent", self.shown())

    def test_links_open(self) -> None:
        """A click on an address asks for it to be opened."""
        self.presenter.writing.submit("see https://a.org/x, please 🎉")
        self.rest()
        box = self.list.bbox(self.list.tag_ranges("link")[0])
        assert box is not None
        self.click(self.list, box[0] + 3, box[1] + 3)
        self.assertEqual(self.log, ["https://a.org/x"])

    def test_list_stays_at_its_end_until_the_reader_scrolls(self) -> None:
        """A banner or a resize does not lose the end; the reader's key does."""
        self.say_many(60)
        self.until(self.at_end)
        self.root.geometry("700x500")
        self.until(lambda: self.root.winfo_width() == 700)
        self.window.show_banner(Banner("bad", "The connection was lost."))
        self.until(self.at_end)
        self.keys(self.field, "<Prior>", "<Prior>")
        self.assertFalse(self.at_end())
        self.answer()
        self.until(self.window.list.below.winfo_ismapped)
        self.window.list.below.invoke()
        self.until(self.at_end)
        self.until(lambda: not self.window.list.below.winfo_ismapped())

    def test_list_is_bounded_and_keeps_the_readers_place(self) -> None:
        """When the oldest page goes, what is in view does not move."""
        self.say_many(SHOWN)
        self.keys(self.field, "<Prior>")
        top = self.list.get("@0,0", "@0,0 lineend")
        self.stranger("one more")
        self.assertLess(len(self.window.messages.ids), SHOWN)
        self.assertEqual(self.window.messages.ids, self._kept())
        self.assertEqual(self.list.get("@0,0", "@0,0 lineend"), top)

    def _kept(self) -> list[int]:
        return [
            message.id for message in self.presenter.conversation.transcript.messages
        ]

    def test_strangers_text_is_harmless(self) -> None:
        """Controls, overrides and halves of pairs do no harm in the widget."""
        self.stranger("a\x00b\u202ec\ud83d 🎉 \x1b[31m")
        self.assertIn("abc", self.shown())

    def test_copy_has_no_pictures(self) -> None:
        """What is copied is the text as it is read."""
        self.presenter.writing.submit("first")
        self.list.tag_add("sel", "1.0", "end")
        self.keys(self.list, "<Control-c>")
        copied = self.root.clipboard_get()
        self.assertIn("first", copied)
        self.assertNotIn("\t", copied)

    def test_typing_in_the_list_goes_on_in_the_field(self) -> None:
        """One need not click the field first."""
        self.type(self.list, "x")
        self.assertEqual(self.window.composer.get(), "x")

    def test_paste_replaces_the_selection(self) -> None:
        """Line ends of other systems are made plain."""
        self.window.composer.put("old")
        self.field.tag_add("sel", "1.0", "end-1c")
        self.root.clipboard_clear()
        self.root.clipboard_append("a\r\nb")
        self.keys(self.field, "<<Paste>>")
        self.assertEqual(self.window.composer.get(), "a\nb")


class FrameTests(ViewTestCase):
    def test_banner_and_try_now(self) -> None:
        """Without a connection a banner says why, counts down and offers Try now."""
        self.cable.refusing = True
        self.cable.cut()
        self.cable.flow()
        self.cable.pass_time(1)
        self.rest()
        self.until(self.window.banner.winfo_ismapped)
        self.assertIn("here:1", str(self.window.banner.text.cget("text")))
        detail = str(self.window.banner.detail.cget("text"))
        self.assertRegex(detail, r"Trying again in \d s")
        self.cable.refusing = False
        self.window.banner.retry.invoke()
        self.cable.flow()
        self.rest()
        self.until(lambda: not self.window.banner.winfo_ismapped())

    def test_theme_switch_keeps_the_conversation(self) -> None:
        """Dark, light and back: the same text and marks in other colours."""
        self.presenter.writing.submit("mine `code` https://a.org")
        before = self.shown()
        for name in ("dark", "light", "dark"):
            self.theme.use(name)
            self.window.restyle()
            self.rest()
        self.assertEqual((self.shown(), self.marks()), (before, ["pending"]))
        self.assertEqual(str(self.list.cget("background")), self.theme.palette.bg)

    def test_theme_button_and_closing_are_passed_on(self) -> None:
        """The window decides neither the look nor the end."""
        self.window.header.look.invoke()
        self.root.tk.call(self.root.protocol("WM_DELETE_WINDOW"))
        self.keys(self.field, "<Control-q>")
        self.assertEqual(self.log, ["dark", "close", "close"])

    def test_narrow_window_leaves_the_side_out(self) -> None:
        """Below a width the conversation has the window, and gives it back."""
        self.root.geometry("480x400")
        self.until(lambda: not self.window.side.winfo_ismapped())
        self.root.geometry("900x400")
        self.until(self.window.side.winfo_ismapped)

    def test_it_comes_to_rest_at_any_size(self) -> None:
        """No two widgets answer each other for ever."""
        self.say_many(20)
        self.window.show_banner(Banner("bad", "x " * 60, "y", True, True))
        for width in range(440, 1100, 60):
            self.root.geometry(f"{width}x{360 + width % 300}")
            self.root.update_idletasks()
            self.until(partial(self._is_wide, width))

    def _is_wide(self, width: int) -> bool:
        return self.root.winfo_width() == width

    def test_trouble_is_shown_until_dismissed(self) -> None:
        """An error of the program is in the window, too."""
        self.window.show_trouble("Something went wrong")
        self.until(self.window.trouble.winfo_ismapped)
        self.window.trouble.dismiss.invoke()
        self.until(lambda: not self.window.trouble.winfo_ismapped())

    def test_double_scale_doubles_the_pictures(self) -> None:
        """On a fine screen everything is drawn at its size, not blown up."""
        self.theme.scale = 2.0
        self.assertEqual(self.theme.icon("stored", "#ffffff", 16).width(), 32)
        self.assertEqual(self.theme.px(1.5), 3)
