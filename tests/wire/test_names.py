"""chatd.wire.names."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatd.wire.names import hook_name, is_guest, is_hook, is_name, is_public, pair


class HookNameTests(SynchronousTestCase):
    def test_nobody_elses(self) -> None:
        """What a hook is called no user, guest or partner of a talk can be."""
        sender = hook_name("ci")
        self.assertEqual(sender, "hook-ci")
        self.assertTrue(is_hook(sender))
        self.assertFalse(is_name(sender))
        self.assertFalse(is_guest("~" + sender))
        self.assertIsNone(pair("@bob+hook-ci"))

    def test_spelling(self) -> None:
        """A hook's name is spelled as a user's, with hook- before it."""
        for text in (
            "hook-",
            "hook-CI",
            "hook-a.key",
            "hook-" + "a" * 28,
            "ci",
            "~hook-ci",
        ):
            self.assertFalse(is_hook(text), text)
        self.assertTrue(is_hook("hook-" + "a" * 27))

    def test_rooms(self) -> None:
        """A room may be called after a hook."""
        self.assertTrue(is_public("#hook-ci"))
