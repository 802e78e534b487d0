"""``make chaos``: the long storm, with a seed that repeats its blows."""

from __future__ import annotations

import argparse
import time
import unittest

from twisted.trial.unittest import SynchronousTestCase

from tests.chaos.storm import Plan, Storm


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--messages", type=int, default=1_000)
    parser.add_argument("--server-kills", type=int, default=50)
    parser.add_argument("--client-kills", type=int, default=20)
    parser.add_argument("--cuts", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60.0, help="of blows, about")
    args = parser.parse_args()
    plan = Plan(
        args.seed,
        args.messages,
        args.server_kills,
        args.client_kills,
        args.cuts,
        args.seconds,
    )
    print(plan, flush=True)

    class Run(SynchronousTestCase):
        def test_storm(self) -> None:
            storm = Storm(self, plan)
            storm.blow()
            storm.settle()
            faults = storm.verdict()
            self.assertEqual(faults, [])
            print(f"{plan.messages} messages, each once, in order, everywhere")

    began = time.monotonic()
    result = unittest.TextTestRunner().run(Run("test_storm"))
    print(f"seed {plan.seed}: {time.monotonic() - began:.0f} s")
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    raise SystemExit(main())
