"""Talking with the server: lines of standard input, or words of the command line."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable

from twisted.internet.defer import Deferred

from chatd.client.link import LinkState, Phase
from chatd.clients.chat_term.lines import read_messages
from chatd.clients.chat_term.run import FAILED, OK, Run
from chatd.clients.chat_term.talk import Speaker, Talk, described


class Saying:
    """What is said goes to the server, each with its answer, in order."""

    def __init__(
        self, run: Run, args: argparse.Namespace, speaker: Speaker, prompting: bool
    ) -> None:
        self._run = run
        self._args = args
        self._prompting = prompting
        # A person at a terminal is told more, and a failed line fails no script.
        self._talking = args.command is None and is_terminal(sys.stdin)
        self._output = run.output
        self._speaker = speaker
        self._talk = Talk(speaker, run.reactor, run.output, args.timeout)
        speaker.observe(self._changed)

    async def converse(self) -> int:
        """Until the input ends; the exit code."""
        if self._prompting:
            from chatd.clients.chat_term.prompt import converse

            await converse(self._talk.take, lambda: described(self._speaker.state))
        elif text := getattr(self._args, "text", None):
            self._talk.take(os.fsencode(" ".join(text)))
        elif not await self._read() and self._args.command:
            self._output.notice("nothing to say on standard input")
            return FAILED
        await self._talk.idle()
        failed = self._talk.failed and not self._talking
        return FAILED if failed or self._run.troubled else OK

    async def _read(self) -> int:
        """Take standard input; how many messages it was."""
        if sys.stdin is None:  # closed: descriptor 0 may be anything by now
            return 0
        ended: Deferred[None] = Deferred()
        count = 0
        release: Callable[[], None]

        def got(data: bytes) -> None:
            nonlocal count
            if self._talking and not data:
                release()
                return
            count += 1
            self._talk.take(data)

        def settled() -> None:
            release()
            if self._output.gone and not ended.called:
                ended.callback(None)

        self._talk.settled = settled
        release = read_messages(
            self._run.reactor,
            got,
            lambda: None if ended.called else ended.callback(None),
            whole=self._args.command == "send" and not self._args.each_line,
        )
        await ended
        return count

    def _changed(self, state: LinkState) -> None:
        if self._talking and (
            not self._prompting or state.phase in (Phase.ONLINE, Phase.WAITING)
        ):
            self._output.notice(described(state))


async def standard_input(run: Run, *, whole: bool) -> list[bytes]:
    """All of standard input: as one message, or one a line."""
    if sys.stdin is None:
        return []
    ended: Deferred[None] = Deferred()
    found: list[bytes] = []
    release: Callable[[], None]

    def got(data: bytes) -> None:
        found.append(data)
        release()

    release = read_messages(run.reactor, got, lambda: ended.callback(None), whole=whole)
    await ended
    return found


def is_terminal(stream: object) -> bool:
    """Whether `stream`, None when closed, is a terminal."""
    isatty = getattr(stream, "isatty", None)
    return isatty is not None and bool(isatty())
