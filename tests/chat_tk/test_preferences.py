"""What is kept between two runs, without a display."""

from __future__ import annotations

import json
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from chatd.clients.chat_tk import preferences
from chatd.clients.chat_tk.preferences import Preferences


class PreferencesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = Path(self.mktemp()) / "chatd" / "chat-tk.json"

    def test_kept(self) -> None:
        """All of it comes back, whatever was being written; for its owner alone."""
        kept = Preferences(
            "dark",
            12,
            "all",
            False,
            False,
            {"#ops": "none"},
            "800x600+1+2",
            "#ops",
            {"#ops": "half \U0001f389 \ud83d"},
        )
        preferences.save(self.path, kept)
        preferences.save(self.path, kept)
        self.assertEqual(preferences.load(self.path), kept)
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)
        self.assertEqual(list(self.path.parent.iterdir()), [self.path])

    def test_missing_or_damaged(self) -> None:
        """Without a file that can be read it begins as it was delivered."""
        self.assertEqual(preferences.load(self.path), Preferences())
        self.path.parent.mkdir(parents=True)
        for text in ("", "[]", "{", "[" * 100_000, "\x00\xff"):
            self.path.write_bytes(text.encode("latin-1"))
            self.assertEqual(preferences.load(self.path), Preferences())

    def test_nonsense(self) -> None:
        """What does not fit is its default; the rest is kept."""
        for name, value in (
            ("theme", "pink"),
            ("size", 6),
            ("size", 25),
            ("size", True),
            ("notify", ["all"][0] + "s"),
            ("bell", 1),
            ("rooms", {"#ops": "loud"}),
            ("drafts", {"#ops": 1}),
            ("room", None),
        ):
            text = json.loads(json.dumps({"geometry": "1x1+0+0", name: value}))
            found = preferences.parse(text)
            self.assertEqual(found, Preferences(geometry="1x1+0+0"), name)

    def test_place(self) -> None:
        """It lies in XDG_CONFIG_HOME where that is absolute, else under the home."""
        for environ, folder in (
            ({"XDG_CONFIG_HOME": "/c", "HOME": "/h"}, "/c/chatd"),
            ({"XDG_CONFIG_HOME": "c", "HOME": "/h"}, "/h/.config/chatd"),
        ):
            found = preferences.path(environ)
            self.assertEqual(found.parent, Path(folder))
