"""The command chat-term: options, and which way the lines come and go."""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from chatd import __version__, keyfile
from chatd.client import settings
from chatd.client.link import LinkState, Phase, Reason
from chatd.client.plain import PlainClient
from chatd.clients.chat_term.lines import read_messages
from chatd.clients.chat_term.output import Output
from chatd.clients.chat_term.talk import Talk, described
from chatd.wire.tokens import Key

OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130
STOP_SECONDS = 2.0
"""How long the connection may take to close before the command ends anyway."""

_EXAMPLES = """examples:
  chat-term                               a conversation; Ctrl-D ends it
  chat-term send Hello, Server!           one message
  chat-term send < letter.txt             a whole file as one message
  chat-term send --each-line < lines.txt  a message a line

exit codes: 0 said, 1 not said (stderr tells why), 2 wrong options or key file"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; its exit code."""
    args = _parser().parse_args(argv)
    try:
        chosen = settings.resolve(args, os.environ, Path.cwd())
        key = keyfile.read(chosen.key_path)
    except (settings.BadSettings, keyfile.KeyFileError, OSError) as error:
        sys.stderr.write(f"chat-term: {error}\n")
        return USAGE
    terminal = _is_terminal(sys.stdin) and _is_terminal(sys.stdout)
    if args.command is None and terminal and not args.json and _has_prompt():
        from chatd.clients.chat_term.prompt import install

        install()
        return _Run(args, chosen, key, prompting=True).run()
    return _Run(args, chosen, key, prompting=False).run()


class _Run:
    """One run of the command."""

    def __init__(
        self,
        args: argparse.Namespace,
        chosen: settings.Settings,
        key: Key,
        prompting: bool,
    ) -> None:
        # The reactor is chosen by now; nothing imports it before.
        from twisted.internet import reactor
        from twisted.internet.endpoints import HostnameEndpoint

        self._reactor: Any = reactor
        self._args = args
        self._prompting = prompting
        # A person at a terminal is told more, and a failed line fails no script.
        self._talking = args.command is None and _is_terminal(sys.stdin)
        self._output = Output(
            lambda: sys.stdout,
            lambda: sys.stderr,
            as_json=args.json,
            clean=_is_terminal(sys.stdout),
        )
        self._client = PlainClient(
            self._reactor,
            HostnameEndpoint(
                self._reactor, chosen.host, chosen.port, timeout=args.timeout
            ),
            key,
            where=f"{chosen.host}:{chosen.port}",
        )
        self._talk = Talk(self._client, self._reactor, self._output, args.timeout)
        self._told: Reason | None = None
        self._code = INTERRUPTED

    def run(self) -> int:
        self._reactor.callWhenRunning(self._start)
        self._reactor.run()
        return self._code

    def _start(self) -> None:
        Deferred.fromCoroutine(self._converse()).addErrback(self._broken).addBoth(
            lambda _: self._stop()
        )

    async def _converse(self) -> None:
        self._client.observe(self._changed)
        self._client.start()
        if self._prompting:
            from chatd.clients.chat_term.prompt import converse

            await converse(self._talk.take, lambda: described(self._client.state))
        elif getattr(self._args, "text", None):
            self._talk.take(os.fsencode(" ".join(self._args.text)))
        elif not await self._read() and self._args.command:
            self._output.notice("nothing to say on standard input")
            self._code = FAILED
            return
        await self._talk.idle()
        failed = self._talk.failed and not self._talking
        self._code = FAILED if failed else OK

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
            self._reactor,
            got,
            lambda: None if ended.called else ended.callback(None),
            whole=self._args.command == "send" and not self._args.each_line,
        )
        await ended
        return count

    def _changed(self, state: LinkState) -> None:
        if self._talking:
            if not self._prompting or state.phase in (Phase.ONLINE, Phase.WAITING):
                self._output.notice(described(state))
        elif state.phase is Phase.WAITING and state.reason is not self._told:
            self._told = state.reason
            self._output.notice(described(state))

    def _broken(self, failure: Failure) -> None:
        self._output.notice(f"failed: {type(failure.value).__name__}")
        self._code = FAILED

    def _stop(self) -> None:
        def end(_: object) -> None:
            if self._reactor.running:
                self._reactor.stop()

        self._client.stop().addTimeout(STOP_SECONDS, self._reactor).addBoth(end)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="chat-term",
        description="Talk to a chatd server: lines in, its replies out.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    settings.add_arguments(parser)
    _add_common(parser, first=True)
    parser.add_argument(
        "--version", action="version", version=f"chat-term {__version__}"
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    send = commands.add_parser(
        "send", help="say one message, from the words or from standard input"
    )
    send.add_argument("text", nargs="*", metavar="TEXT")
    send.add_argument(
        "--each-line",
        action="store_true",
        help="each line of standard input is a message",
    )
    _add_common(send, first=False)
    return parser


def _add_common(parser: argparse.ArgumentParser, *, first: bool) -> None:
    """The options that may stand before the command or behind it."""
    parser.add_argument(
        "--json",
        action="store_true",
        default=False if first else argparse.SUPPRESS,
        help='print {"sent", "reply", "ms"} a line, or {"sent", "error"}',
    )
    parser.add_argument(
        "--timeout",
        type=settings.seconds,
        metavar="SECONDS",
        default=10.0 if first else argparse.SUPPRESS,
        help="how long to wait for a connection, and for a reply (default 10)",
    )


def _is_terminal(stream: object) -> bool:
    """Whether `stream`, None when closed, is a terminal."""
    isatty = getattr(stream, "isatty", None)
    return isatty is not None and bool(isatty())


def _has_prompt() -> bool:
    return importlib.util.find_spec("prompt_toolkit") is not None


if __name__ == "__main__":
    raise SystemExit(main())
