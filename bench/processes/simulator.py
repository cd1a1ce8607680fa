"""The GitHub simulator with many installations of one repository and open pull requests in each.

Usage: ``python -m bench.processes.simulator INSTALLATIONS PULLS_EACH``. Reads the App's key from the environment,
prints its address when it serves.
"""

from __future__ import annotations

import os
import sys

from bench.world import REPOSITORY_OFFSET, WEBHOOK_SECRET
from github_simulator import Simulator, run


def main() -> None:
    installations, pulls = int(sys.argv[1]), int(sys.argv[2])
    simulator = Simulator(
        webhook_secret=WEBHOOK_SECRET, private_key_pem=os.environ["CENTRALBOT_GITHUB_APP_PRIVATE_KEY"],
        app_id=1_200_001, primary_limit=10**9,
    )  # fmt: skip
    world = simulator.world
    world.add_user("contributor", 2002)
    for number in range(1, installations + 1):
        world.add_organization(f"org{number}", 10_000_000 + number)
        world.add_repository(f"org{number}/r", REPOSITORY_OFFSET + number)
        world.install(f"org{number}", ["r"], id=number)
        for _ in range(pulls):
            world.open_pull_request(f"org{number}/r", "contributor")
    run(simulator, ready=lambda base: print(base, flush=True))


if __name__ == "__main__":
    main()
