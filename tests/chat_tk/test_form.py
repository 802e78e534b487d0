"""The form in the window: an invite, or a server and a key."""

from __future__ import annotations

from chatd.clients.chat_tk.target import Place, Target
from chatd.wire import invite
from chatd.wire.tokens import Key
from tests.chat_tk.view_case import ViewTestCase


class FormTests(ViewTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.key_path = self.mktemp()
        self.form = self.window.form

    def open(self, cancel: bool = False) -> None:
        target = Target("127.0.0.1", "5555", self.key_path)
        self.window.show_form(target, cancel=cancel)
        self.until(self.form.winfo_ismapped)

    def note(self, name: str) -> str:
        return str(self.form.notes[name].cget("text"))

    def test_errors_are_said_in_place(self) -> None:
        """Each field says what is wrong with it; nothing is connected."""
        self.open()
        self.form.values["host"].set("a b")
        self.form.values["port"].set("70000")
        self.form.connect.invoke()
        self.assertEqual(self.note("host"), "A host name or an address")
        self.assertEqual(self.note("port"), "1 to 65535")
        self.assertIn("no key file", self.note("key_path"))
        self.assertTrue(self.form.entries["port"].instate(["invalid"]))
        self.assertEqual(self.log, [])

    def test_generated_key_connects(self) -> None:
        """Generate writes a private key file; Connect takes it from there."""
        self.open()
        self.form.generate.invoke()
        self.assertIn("New key written", str(self.form.status.cget("text")))
        self.form.connect.invoke()
        (place,) = self.log
        assert isinstance(place, Place)
        self.assertEqual((place.host, place.port), ("127.0.0.1", 5555))
        self.assertEqual(place.key_path.stat().st_mode & 0o777, 0o600)

    def test_generate_never_overwrites(self) -> None:
        """A key file that is there is left alone, and the form says so."""
        self.open()
        self.form.generate.invoke()
        self.form.generate.invoke()
        self.assertIn("there already", self.note("key_path"))

    def test_browse_only_without_a_connection(self) -> None:
        """The file dialog would stop the network: while connected it is not opened."""
        self.browsed = "chosen.key"
        self.open()
        self.form.browse.invoke()
        self.assertEqual(self.form.values["key_path"].get(), self.key_path)
        self.assertIn("Type the path", str(self.form.status.cget("text")))
        self.cable.refusing = True
        self.cable.cut()
        self.form.browse.invoke()
        self.assertEqual(self.form.values["key_path"].get(), "chosen.key")

    def test_escape_goes_back_to_the_conversation(self) -> None:
        """Where there is one to go back to."""
        self.open(cancel=True)
        self.keys(self.form.entries["host"], "<Escape>")
        self.until(lambda: self.window.chat.winfo_ismapped())

    def test_entries_refuse_what_tk_cannot_edit(self) -> None:
        """Characters from U+10000 up leave halves behind in an Entry."""
        self.open()
        entry = self.form.entries["host"]
        entry.delete(0, "end")
        entry.insert("end", "🎉")
        self.assertEqual(entry.get(), "")

    def test_invite(self) -> None:
        """A pasted invite is accepted with the key file that is named."""
        self.open()
        key = Key.generate(lambda n: bytes(n))
        line = invite.line(invite.Invite((("h", 1),), "mira", key))
        self.form.values["invite"].set(f"  {line}\n")
        self.form.connect.invoke()
        self.assertEqual(self.log, [("mira", self.key_path)])
        self.assertTrue(self.form.connect.instate(["disabled"]))
        self.form.not_accepted("This invite was used.")
        self.assertEqual(self.note("invite"), "This invite was used.")
        self.assertTrue(self.form.connect.instate(["!disabled"]))

    def test_broken_invite(self) -> None:
        """A line that was cut is said to be that; it is not shown again."""
        self.open()
        self.form.values["invite"].set("chatd://h:1/?name=mira#c2VjcmV0")
        self.form.connect.invoke()
        self.assertIn("cut", self.note("invite"))
        self.assertNotIn("c2Vj", self.note("invite"))
        self.assertEqual(self.log, [])
