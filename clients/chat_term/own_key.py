"""Commands about one's own key: from an invite, and a new one for the old."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from chatd.client import account
from chatd.client.link import Reason
from chatd.client.reach import Unreached
from chatd.client.settings import DEFAULT_PORT
from chatd.clients.chat_term.run import OK, Run
from chatd.wire.tokens import Key

_ELSEWHERE = frozenset(
    {Reason.REFUSED, Reason.UNREACHABLE, Reason.TIMEOUT, Reason.LOST}
)
"""Reasons for which the invite's next address is worth a try."""


async def accept(run: Run, invite: Key, hosts: Sequence[tuple[str, int]]) -> int:
    """Turn an invite into a key file, at the first of its `hosts` that answers."""
    path = run.chosen.key_path
    for number, (host, port) in enumerate(hosts, 1):
        run.go_to(host, port)
        try:
            name = await account.accept(
                invite, path, run.make, run.reactor, run.timeout
            )
            break
        except Unreached as error:
            if error.reason not in _ELSEWHERE or number == len(hosts):
                raise
            run.output.notice(str(error))
    words = ["chat-term", "--host", run.chosen.host]
    if run.chosen.port != DEFAULT_PORT:
        words += ["--port", str(run.chosen.port)]
    run.output.notice(f"you are {name}; your key is in {path}")
    run.output.notice(f"next: {shlex.join([*words, '--key', str(path)])}")
    return OK


async def rekey(run: Run) -> int:
    """Replace the user's key by a new one."""
    path = run.chosen.key_path
    name = await account.rotate(path, run.make, run.reactor, run.timeout)
    run.output.notice(f"{name} has a new key, in {path}; the old one is dead")
    return OK
