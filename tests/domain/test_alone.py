"""The domain is a library of its own."""

import subprocess
import sys
from pathlib import Path

import centralbot

IMPORT_ALL = """
import importlib, pkgutil, sys
sys.path.insert(0, sys.argv[1])
for package in ("centralbot.domain", "centralbot.ports"):
    for module in pkgutil.walk_packages(importlib.import_module(package).__path__, package + "."):
        importlib.import_module(module.name)
"""


def test_domain_and_ports_import_with_the_standard_library_alone() -> None:
    """Without site-packages there is nothing else to import."""
    source = Path(centralbot.__file__).parent.parent
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", IMPORT_ALL, str(source)], check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
