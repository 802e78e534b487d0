"""The command chat-term: options, and which command they choose."""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path

from chatd import __version__, keyfile
from chatd.client import account, settings
from chatd.client.server_talk import ServerTalk
from chatd.clients.chat_term import commands, own_key, posting
from chatd.clients.chat_term.output import Output
from chatd.clients.chat_term.place import TALK, may_be_room
from chatd.clients.chat_term.run import USAGE, CommandFailed, Run
from chatd.clients.chat_term.saying import Saying, is_terminal, standard_input
from chatd.wire import invite

_EXAMPLES = """examples:
  chat-term                               a conversation; Ctrl-D ends it
  chat-term send Hello, Server!           to the server, which answers
  echo done | chat-term send '#ops'       to a room: standard input, as one message
  chat-term send '#ops' --each-line < log a message a line
  chat-term tail '#ops'                   what was said there, and what comes
  chat-term accept < invite.txt           a key of your own, from an invite

ROOM is #name, or @name for a conversation with one person, or @server.
send ends with 0 only when the server has the message on its disk. After --timeout it
ends with 1; the message is kept then, and goes out with the next run of any command.
exit codes: 0 done, 1 not done (stderr tells why), or nothing found, or a room that is
not what it was before; 2 wrong options or key file"""

LARGEST_COUNT = 1_000_000


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; its exit code."""
    args = _parser().parse_args(argv)
    try:
        chosen = settings.resolve(args, os.environ, Path.cwd())
        if args.command == "accept":
            return _accept(args, chosen)
        if args.plain:
            keyfile.read(chosen.key_path)
        else:
            account.keys(chosen.key_path)
    except (
        settings.BadSettings,
        keyfile.KeyFileError,
        invite.BadInvite,
        OSError,
    ) as error:
        sys.stderr.write(f"chat-term: {error}\n")
        return USAGE
    terminal = is_terminal(sys.stdin) and is_terminal(sys.stdout)
    facing = args.command is None and terminal and not args.json
    prompting = facing and _has_prompt()
    if prompting:
        from chatd.clients.chat_term.prompt import install

        install()
    run = Run(chosen, _output(args), args.timeout)
    return run.run(_chosen(run, args, facing, prompting))


def _output(args: argparse.Namespace) -> Output:
    return Output(
        lambda: sys.stdout,
        lambda: sys.stderr,
        as_json=args.json,
        clean=is_terminal(sys.stdout),
    )


def _chosen(
    run: Run, args: argparse.Namespace, facing: bool, prompting: bool
) -> Callable[[], Awaitable[int]]:
    """The command, to be run inside of the reactor."""
    match args.command:
        case "join":
            return lambda: commands.join(run, args.room)
        case "tail":
            return lambda: commands.tail(run, args.room, args.lines, args.count)
        case "history":
            return lambda: commands.history(run, args.room, args.lines, args.before)
        case "search":
            words = " ".join(args.words)
            return lambda: commands.search(run, words, args.room, args.lines)
        case "rooms":
            return lambda: commands.rooms(run)
        case "members":
            return lambda: commands.members(run, args.room)
        case "verify":
            return lambda: commands.verify(run, args.room)
        case "rekey":
            return lambda: own_key.rekey(run)
        case "send" if args.text and args.text[0][:1] in ("#", "@"):
            room, *args.text = args.text
            if room != TALK:
                return lambda: _send(run, room, args)
    return lambda: _talk(run, args, facing, prompting)


async def _send(run: Run, room: str, args: argparse.Namespace) -> int:
    """To a room: the words of the command line, or standard input."""
    if args.plain:
        raise CommandFailed("the plain dialect has no rooms: leave --plain out")
    if args.each_line and not args.text:
        return await posting.send_each_line(run, room, anew=args.anew)
    texts = [os.fsencode(" ".join(args.text))]
    if not args.text:
        texts = await standard_input(run, whole=True)
    if not any(texts):
        raise CommandFailed("nothing to say on standard input")
    return await posting.send(run, room, texts[0].decode(errors="surrogateescape"))


async def _talk(
    run: Run, args: argparse.Namespace, facing: bool, prompting: bool
) -> int:
    """With the server alone, or at a terminal with everybody."""
    told = args.command is None and is_terminal(sys.stdin)
    if args.plain:
        speaker = run.plain_client(keyfile.read(run.chosen.key_path), told)
        return await Saying(run, args, speaker, prompting).converse()
    client = run.client(told)
    if facing:
        from chatd.clients.chat_term.conversation import Conversation

        return await Conversation(run, client).converse(prompting)
    return await Saying(run, args, ServerTalk(client), prompting).converse()


def _accept(args: argparse.Namespace, chosen: settings.Settings) -> int:
    """Make an invite a key file."""
    given = invite.parse(args.invite or _asked_invite())
    path = chosen.key_path if args.key else _own_key(given.name)
    run = Run(replace(chosen, key_path=path), _output(args), args.timeout)
    return run.run(lambda: own_key.accept(run, given.key, given.hosts))


def _asked_invite() -> str:
    if sys.stdin is None:
        raise invite.BadInvite("give the invite, one line, on standard input")
    if is_terminal(sys.stdin):
        sys.stderr.write("chat-term: paste the invite, one line: ")
        sys.stderr.flush()
    return sys.stdin.readline(invite.LONGEST_LINE + 2)


def _own_key(name: str) -> Path:
    base = os.environ.get("XDG_CONFIG_HOME", "")
    folder = Path(base) if base.startswith("/") else Path.home() / ".config"
    return folder / "chatd" / f"{name}.key"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="chat-term",
        description="Chat in a terminal, or from scripts.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    settings.add_arguments(parser)
    _add_common(parser, first=True)
    parser.add_argument(
        "--version", action="version", version=f"chat-term {__version__}"
    )
    sub = parser.add_subparsers(dest="command", metavar="COMMAND")

    def add(name: str, words: str, room: bool = False) -> argparse.ArgumentParser:
        command: argparse.ArgumentParser = sub.add_parser(
            name, help=words, description=words
        )
        if room:
            command.add_argument("room", metavar="ROOM", type=_room)
        _add_common(command, first=False)
        return command

    send = add("send", "say one message: the words, or standard input")
    send.add_argument("text", nargs="*", metavar="[ROOM] TEXT")
    send.add_argument(
        "--each-line",
        action="store_true",
        help="each line of standard input is a message; cut off and given again,"
        " the same input goes on where it stopped",
    )
    send.add_argument(
        "--anew",
        action="store_true",
        help="with --each-line: say all, whatever a run that was cut off has said",
    )
    add("join", "follow a room; a public one is made where there is none", room=True)
    tail = add("tail", "print what was said in a room, and what comes", room=True)
    _add_lines(tail, 20)
    tail.add_argument(
        "--count", type=_number, metavar="N", help="end after so many that came"
    )
    history = add("history", "print the last messages of a room", room=True)
    _add_lines(history, 50)
    history.add_argument(
        "--before", type=_number, metavar="SEQ", help="older than this"
    )
    search = add("search", "print messages that hold all words, newest first")
    search.add_argument("words", nargs="+", metavar="WORD")
    search.add_argument("--room", metavar="ROOM", type=_room, help="in this room alone")
    _add_lines(search, 50)
    add("rooms", "list the rooms that you may see")
    add("members", "list who is in a room", room=True)
    add("verify", "print the checked hash of a room: compare it with others", room=True)
    accept = add("accept", "make a key of your own from an invite")
    accept.add_argument(
        "invite",
        nargs="?",
        metavar="INVITE",
        help="the line; on standard input it stays out of the shell's history",
    )
    add("rekey", "replace your key by a new one")
    return parser


def _add_common(parser: argparse.ArgumentParser, *, first: bool) -> None:
    """The options that may stand before the command or behind it."""
    parser.add_argument(
        "--json",
        action="store_true",
        default=False if first else argparse.SUPPRESS,
        help="print one JSON object a line",
    )
    parser.add_argument(
        "--timeout",
        type=settings.seconds,
        metavar="SECONDS",
        default=10.0 if first else argparse.SUPPRESS,
        help="how long to wait for a connection, and for a reply (default 10)",
    )
    parser.add_argument(
        "--plain",
        action="store_true",
        default=False if first else argparse.SUPPRESS,
        help="speak the plain dialect: with the server alone, by the shared key",
    )


def _add_lines(parser: argparse.ArgumentParser, usual: int) -> None:
    parser.add_argument(
        "-n",
        "--lines",
        type=_number,
        default=usual,
        metavar="N",
        help=f"how many (default {usual})",
    )


def _number(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 9 else -1
    if not 0 <= number <= LARGEST_COUNT:
        raise argparse.ArgumentTypeError(f"{text[:40]!r}: give 0..{LARGEST_COUNT}")
    return number


def _room(text: str) -> str:
    if not may_be_room(text):
        raise argparse.ArgumentTypeError(
            f"{text[:40]!r} is no room: give #name, or @name for a person"
        )
    return text


def _has_prompt() -> bool:
    return importlib.util.find_spec("prompt_toolkit") is not None


if __name__ == "__main__":
    raise SystemExit(main())
