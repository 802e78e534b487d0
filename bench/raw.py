"""Group commit without a chat around it: the same rows, a thread, a queue."""

from __future__ import annotations

import queue
import threading
import time
from pathlib import Path

from chatd.journal import schema

BATCH = 512


def commits(folder: Path, outstanding: int, count: int, body: str) -> float:
    """Durable rows a second with so many waiting at a time: sqlite3 alone."""
    path = folder / f"raw-{time.monotonic_ns()}.db"
    jobs: queue.SimpleQueue[int | None] = queue.SimpleQueue()
    done: queue.SimpleQueue[int] = queue.SimpleQueue()

    def run() -> None:
        connection = schema.connect(path)
        schema.migrate(path, connection)
        connection.execute("INSERT INTO rooms VALUES (1, '#a', 1, 0, x'', x'')")
        done.put(0)
        while (job := jobs.get()) is not None:
            batch = [job]
            while len(batch) < BATCH:
                try:
                    more = jobs.get_nowait()
                except queue.Empty:
                    break
                if more is None:
                    break
                batch.append(more)
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(
                "INSERT INTO messages (room, seq, id, sender, time, body, hash)"
                " VALUES (1, ?, ?, 'alice', 1700000000000, ?, ?)",
                [(n, f"{n:032x}", body, bytes(32)) for n in batch],
            )
            connection.execute("COMMIT")
            for number in batch:
                done.put(number)
        connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    done.get()
    began, sent, finished = time.perf_counter(), 0, 0
    while finished < count:
        while sent < count and sent - finished < outstanding:
            sent += 1
            jobs.put(sent)
        done.get()
        finished += 1
    took = time.perf_counter() - began
    jobs.put(None)
    thread.join()
    for each in folder.glob(f"{path.name}*"):
        each.unlink()
    return count / took
