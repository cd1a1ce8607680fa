"""Everything that the simulated GitHub shows, as one JSON-able value: what checks compare with what should be."""

from __future__ import annotations

import re
from collections import Counter

from .model import Comment, Installation, Json, PullRequest, Repository
from .requests import RequestLog
from .routing import Services
from .shapes import optional_timestamp, timestamp

_MARKER = re.compile(r"<!--\s*(\S+)\s*-->")
SHOWN_DELIVERIES = 1000


def snapshot(services: Services, log: RequestLog) -> Json:
    """Installations, repositories, pull requests with their history, the latest deliveries, request counts."""
    world = services.world
    repositories = sorted(world.repositories.values(), key=lambda repository: repository.id)
    return {
        "app": {"id": world.shapes.app_info.id, "slug": world.shapes.app_info.slug},
        "installations": [_installation(services, one) for one in world.installations.values()],
        "repositories": [_repository(one) for one in repositories],
        "pull_requests": [pull_shape(pull) for one in repositories for pull in one.pulls.values()],
        "deliveries": _deliveries(services),
        "requests": log.counts(),
    }


def pull_shape(pull: PullRequest) -> Json:
    """One pull request, with who did what to it."""
    return {
        "repository": pull.repository.full_name,
        "repository_id": pull.repository.id,
        "id": pull.id,
        "number": pull.number,
        "title": pull.title,
        "author": pull.author.login,
        "state": pull.state,
        "merged": pull.merged,
        "draft": pull.draft,
        "locked": pull.locked,
        "labels": list(pull.labels),
        "head_sha": pull.head_sha,
        "closed_by": None if pull.closed_by is None else pull.closed_by.login,
        "closed_at": optional_timestamp(pull.closed_at),
        "comments": [_comment(comment) for comment in pull.comments],
        "history": [{"at": at, "actor": actor, "action": action} for at, actor, action in pull.history],
    }


def _comment(comment: Comment) -> Json:
    markers = _MARKER.findall(comment.body)
    return {
        "id": comment.id,
        "author": comment.author.login,
        "author_type": comment.author.type,
        "via_app": comment.via_app,
        "body": comment.body,
        "marker": markers[-1] if markers else None,
        "created_at": timestamp(comment.created_at),
        "updated_at": timestamp(comment.updated_at),
        "edited_by": comment.edited_by,
    }


def _installation(services: Services, installation: Installation) -> Json:
    return {
        "id": installation.id,
        "account": installation.account.login,
        "account_type": installation.account.type,
        "suspended": installation.suspended_at is not None,
        "repository_selection": installation.selection,
        "repositories": [one.full_name for one in services.world.repositories_of(installation)],
    }


def _repository(repository: Repository) -> Json:
    return {
        "id": repository.id,
        "full_name": repository.full_name,
        "private": repository.private,
        "archived": repository.archived,
    }


def _deliveries(services: Services) -> Json:
    records = services.deliverer.log.records
    latest = [records[number].item() for number in list(records)[-SHOWN_DELIVERIES:]]
    return {
        "total": len(records),
        "waiting": len(services.deliverer.queue),
        "by_status": dict(Counter(str(one.status_code) for one in records.values() if one.status != "pending")),
        "latest": latest,
    }
