"""The conversation with line editing: prompt_toolkit on the asyncio reactor.

Replies that come in while a line is typed do not tear it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from prompt_toolkit import PromptSession
from prompt_toolkit.patch_stdout import patch_stdout
from twisted.internet import asyncioreactor
from twisted.internet.defer import Deferred

_REFRESH_SECONDS = 0.5


def install() -> None:
    """Choose the reactor: to be called before anything imports the global one."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    asyncioreactor.install(loop)


async def converse(say: Callable[[bytes], None], status: Callable[[], str]) -> None:
    """Pass on what is typed until Ctrl-D or Ctrl-C; `status` stands below it."""
    task = asyncio.ensure_future(_prompt(say, status))
    await Deferred.fromFuture(task)


async def _prompt(say: Callable[[bytes], None], status: Callable[[], str]) -> None:
    session: PromptSession[str] = PromptSession()
    with patch_stdout():
        while True:
            try:
                line = await session.prompt_async(
                    "> ",
                    bottom_toolbar=lambda: f" {status()} ",
                    refresh_interval=_REFRESH_SECONDS,
                    handle_sigint=False,
                )
            except (EOFError, KeyboardInterrupt):
                return
            if line:
                say(line.encode(errors="surrogateescape"))
