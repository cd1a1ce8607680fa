"""The simulated GitHub as a command."""

from __future__ import annotations

import httpx

from tests.entrypoints.commands import Cli


def test_it_prints_the_settings_that_a_worker_needs_for_it(bare_cli: Cli) -> None:
    """Ready for .env: started again with them, it is the same App."""
    with bare_cli.started("simulator", "--port", "0") as simulator:
        assert simulator.process.stdout is not None
        lines = [simulator.process.stdout.readline().rstrip("\n") for _ in range(7)]
        settings = dict(line.split("=", 1) for line in lines)
        page = httpx.get(settings["CENTRALBOT_GITHUB_API_URL"], trust_env=False)
        result = simulator.stop()
    with bare_cli.started("simulator", "--port", "0", **settings) as again:
        assert again.process.stdout is not None
        repeated = dict(again.process.stdout.readline().rstrip("\n").split("=", 1) for _ in range(7))
    kept = ("APP_ID", "APP_PRIVATE_KEY", "WEBHOOK_SECRET", "CLIENT_ID", "CLIENT_SECRET")
    same = [f"CENTRALBOT_GITHUB_{name}" for name in kept]
    assert (page.status_code, result.code) == (200, 0)
    assert [settings[name] for name in same] == [repeated[name] for name in same]
