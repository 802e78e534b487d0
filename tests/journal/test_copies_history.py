"""What is read of a copy: pages and searches."""

from __future__ import annotations

from chatd.wire.messages import ROOT_HASH
from tests.journal.chains import CopiesCase, chain


class HistoryTests(CopiesCase):
    """What is read of a copy."""

    def setUp(self) -> None:
        super().setUp()
        self.messages = chain("#ops", ["Red fish", "blue FISH", None, "Straße", "x%_"])
        lobby = chain("#lobby", ["none", "none", "fish here"])
        for room in ("#ops", "#lobby"):
            self.copies.begin(room, 0, ROOT_HASH)
        self.copies.add([*self.messages, *lobby])

    def found(self, *words: str, room: str | None = None, limit: int = 9) -> list[str]:
        found = self.copies.search(words, room, limit)
        return [f"{message.room}{message.seq}" for message in found]

    def test_pages(self) -> None:
        """The newest below `before`, ascending."""
        self.assertEqual(self.copies.history("#ops", None, 2), self.messages[3:])
        self.assertEqual(self.copies.history("#ops", 4, 2), self.messages[1:3])
        self.assertEqual(self.copies.history("#ops", 2, 9), self.messages[:1])
        self.assertEqual(self.copies.history("#ops", 1, 9), [])

    def test_by_index(self) -> None:
        """A page is found by the key, without a look at the others, nor a sort."""
        connection = self.store._connection
        asked: list[str] = []
        connection.set_trace_callback(asked.append)
        self.copies.history("#ops", 4, 50)
        connection.set_trace_callback(None)
        plan = connection.execute(f"EXPLAIN QUERY PLAN {asked[0]}").fetchall()
        self.assertEqual(len(plan), 1, plan)
        self.assertIn("SEARCH messages USING PRIMARY KEY (room=? AND seq>", plan[0][3])

    def test_large(self) -> None:
        """A page among 100 000 messages takes no more steps than among five."""
        connection = self.store._connection
        steps: list[int] = []
        connection.execute(
            "INSERT INTO messages"
            " WITH RECURSIVE n(seq) AS"
            " (SELECT 1 UNION ALL SELECT seq + 1 FROM n WHERE seq < 100000)"
            " SELECT '#large', seq, 'id', 'alice', 1, 1, 'text', '', '' FROM n"
        )
        for room, before in ("#ops", 5), ("#large", 50_000), ("#large", None):
            steps.append(0)

            def count() -> int:
                steps[-1] += 1
                return 0

            connection.set_progress_handler(count, 1)
            self.copies.history(room, before, 4)
            connection.set_progress_handler(None, 1)
        self.assertGreater(steps[0], 0)
        self.assertLessEqual(max(steps), steps[0] + 5)

    def test_search(self) -> None:
        """Every word, in any case, as a part of a word; the newest first."""
        self.assertEqual(self.found("FISH"), ["#lobby3", "#ops2", "#ops1"])
        self.assertEqual(self.found("fis", "blu"), ["#ops2"])
        self.assertEqual(self.found("fish", "green"), [])
        self.assertEqual(self.found("STRASSE"), ["#ops4"])

    def test_search_letters(self) -> None:
        """What SQL or a pattern would take for its own are letters like others."""
        self.assertEqual(self.found("%_"), ["#ops5"])
        self.assertEqual(self.found("'\"--"), [])

    def test_search_within(self) -> None:
        """In one room alone, and not more than asked for."""
        self.assertEqual(self.found("fish", room="#lobby"), ["#lobby3"])
        self.assertEqual(self.found("fish", limit=1), ["#lobby3"])
