"""The installation's lifecycle: any order of the same events ends in the same state."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import example, given
from hypothesis import strategies as st

from centralbot.domain.events import IngestStatus, InstallationEvent
from centralbot.domain.installation import (
    Installation,
    InstallationFacts,
    InstallationRepository,
    InstallationStatus,
    decide,
)
from tests.builders import INSTALLATION, an_installation_event

REPOS = (1, 2, 3)


@dataclass
class World:
    """What a store would hold after the events so far."""

    installations: dict[int, Installation] = field(default_factory=dict)
    rows: dict[tuple[int, int], InstallationRepository] = field(default_factory=dict)

    def take(self, event: InstallationEvent) -> IngestStatus:
        ours = event.installation_id
        effects = decide(
            event,
            InstallationFacts(
                installation=self.installations.get(ours),
                repositories={repo: row for (of, repo), row in self.rows.items() if of == ours},
                elsewhere={repo: row for (of, repo), row in self.rows.items() if of != ours and row.active},
            ),
        )
        if effects.installation is not None:
            self.installations[ours] = effects.installation
        for row in effects.repositories:
            self.rows[row.installation_id, row.repo_id] = row
        return effects.outcome.status

    def state(self) -> tuple[dict[int, InstallationStatus], set[tuple[int, int]]]:
        """What matters: each installation's status, and which repositories are in it."""
        return (
            {i: installation.status for i, installation in self.installations.items()},
            {key for key, row in self.rows.items() if row.active},
        )


repos = st.lists(st.sampled_from(REPOS), max_size=3, unique=True).map(tuple)
shapes = st.one_of(
    st.tuples(st.just("created"), repos),
    st.tuples(st.sampled_from(["suspend", "unsuspend"]), st.just(())),
    st.tuples(st.sampled_from(["added", "removed"]), repos),
    st.tuples(st.sampled_from(["renamed"]), repos),
    st.tuples(st.just("deleted"), repos),
)


def an_event(action: str, named: tuple[int, ...], seconds: int, installation_id: int) -> InstallationEvent:
    return an_installation_event(
        action,
        *(named if action not in ("added", "removed") else ()),
        added=named if action == "added" else (),
        removed=named if action == "removed" else (),
        event_name="repository" if action == "renamed" else None,
        seconds=seconds,
        installation_id=installation_id,
    )


@given(
    st.lists(shapes, min_size=1, max_size=6).flatmap(lambda s: st.tuples(st.just(s), st.permutations(range(len(s)))))
)
def test_any_order_of_one_installations_events_ends_the_same(
    drawn: tuple[list[tuple[str, tuple[int, ...]]], list[int]],
) -> None:
    """Every event has its own time; GitHub promises no order (fault 12)."""
    shapes, order = drawn
    events = [an_event(action, named, seconds, INSTALLATION) for seconds, (action, named) in enumerate(shapes)]
    told, shuffled = World(), World()
    for event in events:
        told.take(event)
    for i in order:
        shuffled.take(events[i])
    assert shuffled.state() == told.state()


@given(
    st.lists(shapes, min_size=1, max_size=6).flatmap(lambda s: st.tuples(st.just(s), st.permutations(range(len(s)))))
)
@example(([("added", (1,)), ("removed", (1,)), ("added", (1,))], [0, 2, 1]))
@example(([("added", (1,)), ("removed", (1,)), ("added", (1,))], [2, 1, 0]))
def test_since_when_a_repository_is_in_is_never_too_early(
    drawn: tuple[list[tuple[str, tuple[int, ...]]], list[int]],
) -> None:
    """In any order of the news: known while it is in, and from after it was last out."""
    shapes, order = drawn
    world, told = World(), World()
    events = [an_event(action, named, seconds, INSTALLATION) for seconds, (action, named) in enumerate(shapes)]
    for i in order:
        world.take(events[i])
    for event in events:
        told.take(event)
    for key, row in world.rows.items():
        assert (row.active_since is not None) is row.active
        if row.active_since is not None:
            truth = told.rows[key].active_since
            assert truth is not None
            assert truth <= row.active_since <= row.changed_at


@given(st.permutations([(0, 1), (1, 2), (2, 1), (3, 2)]))
def test_a_repository_that_moves_to_and_fro_ends_where_it_was_last(order: list[tuple[int, int]]) -> None:
    """It is in one installation at a time, in any order of the news."""
    world = World()
    for seconds, installation_id in order:
        world.take(an_event("added", (1,), seconds, installation_id))
        assert len(world.state()[1]) <= 1
    assert world.state()[1] == {(2, 1)}


@given(st.lists(shapes, max_size=6), st.integers(0, 6))
def test_deleted_is_final(shapes: list[tuple[str, tuple[int, ...]]], place: int) -> None:
    """Whatever comes before or after, earlier or later."""
    world = World()
    place = min(place, len(shapes))
    for seconds, (action, named) in enumerate(shapes[:place]):
        world.take(an_event(action, named, seconds, INSTALLATION))
    world.take(an_event("deleted", (), 3, INSTALLATION))
    for seconds, (action, named) in enumerate(shapes[place:]):
        assert world.take(an_event(action, named, seconds, INSTALLATION)) == IngestStatus.IGNORED
    assert world.state() == ({INSTALLATION: InstallationStatus.DELETED}, set())


@given(before=repos, after=repos)
def test_a_complete_list_is_the_truth(before: tuple[int, ...], after: tuple[int, ...]) -> None:
    """What it does not name is gone."""
    world = World()
    world.take(an_event("created", before, 0, INSTALLATION))
    world.take(an_installation_event("added", *after, seconds=1, complete=True))
    assert world.state()[1] == {(INSTALLATION, repo) for repo in after}


@given(shape=shapes)
def test_the_same_event_again_changes_nothing(shape: tuple[str, tuple[int, ...]]) -> None:
    """Even under a new delivery id."""
    world = World()
    world.take(an_event("created", (1, 2), -1, INSTALLATION))
    world.take(an_event(*shape, 0, INSTALLATION))
    once = world.state()
    world.take(an_event(*shape, 0, INSTALLATION))
    assert world.state() == once
