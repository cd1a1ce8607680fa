bin := ".venv/bin"

# what can be done here
help:
    @just --list --unsorted

# make .venv with everything that development needs, at the versions of constraints.txt
setup:
    python3 -m venv .venv
    {{bin}}/pip install -q -c constraints.txt -e '.[dev]'

# play the whole story on this machine
demo *options: setup
    {{bin}}/centralbot demo {{options}}

# run the tests; arguments go to pytest
test *options="-q -n 3":
    {{bin}}/pytest {{options}}

# all that CI runs
check:
    .ci/run

# change the domain's rules one at a time and show that the contract suite on PostgreSQL notices each
mutants *options:
    {{bin}}/python -m tests.mutants {{options}}

# print the speed and memory figures side by side
bench *options:
    {{bin}}/python -m bench {{options}}

# format the code and fix what can be fixed
fmt:
    {{bin}}/ruff format .
    {{bin}}/ruff check --fix .

# check the types
types:
    {{bin}}/mypy

# check the import contracts
imports:
    {{bin}}/lint-imports

# draw the diagrams in docs/ from the transition tables
docs:
    {{bin}}/centralbot docs diagrams --write

# photograph the pages for README (needs a chromium); with --all DIR every page in every state
pictures *options:
    {{bin}}/python -m tests.e2e.browser.pictures {{options}}
