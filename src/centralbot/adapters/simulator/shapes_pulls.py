"""How GitHub writes pull requests, issue comments and labels in JSON."""

from __future__ import annotations

import hashlib

from .model import Comment, Json, PullRequest, Repository
from .shapes import Shapes, node_id, optional_timestamp, timestamp


def label(shapes: Shapes, repository: Repository, name: str) -> Json:
    """The ``label`` schema; id and colour follow from the name."""
    digest = hashlib.sha256(name.encode()).digest()
    number = int.from_bytes(digest[:4], "big") + 1
    return {
        "id": number,
        "node_id": node_id("Label", number),
        "url": f"{shapes.base}/repos/{repository.full_name}/labels/{name}",
        "name": name,
        "color": digest[:3].hex(),
        "default": False,
        "description": "",
    }


def comment(shapes: Shapes, pull: PullRequest, written: Comment) -> Json:
    """The ``issue-comment`` schema."""
    url = f"{shapes.base}/repos/{pull.repository.full_name}/issues"
    return {
        "url": f"{url}/comments/{written.id}",
        "html_url": f"{shapes.base}/{pull.repository.full_name}/pull/{pull.number}#issuecomment-{written.id}",
        "issue_url": f"{url}/{pull.number}",
        "id": written.id,
        "node_id": node_id("IssueComment", written.id),
        "user": shapes.user(written.author),
        "created_at": timestamp(written.created_at),
        "updated_at": timestamp(written.updated_at),
        "author_association": "NONE",
        "body": written.body,
        "performed_via_github_app": shapes.app() if written.via_app else None,
    }


def _branch(shapes: Shapes, pull: PullRequest, repository: Json, *, head: bool) -> Json:
    owner = pull.author if head else pull.repository.owner
    ref = pull.head_ref if head else "main"
    sha = pull.head_sha if head else hashlib.sha256(str(pull.repository.id).encode()).hexdigest()[:40]
    return {"label": f"{owner.login}:{ref}", "ref": ref, "sha": sha, "user": shapes.user(owner), "repo": repository}


def simple_pull(shapes: Shapes, pull: PullRequest, repository: Json | None = None) -> Json:
    """The ``pull-request-simple`` schema, as in lists. ``repository`` saves rendering it again."""
    repository = repository or shapes.repository(pull.repository)
    full_name = pull.repository.full_name
    api, html = f"{shapes.base}/repos/{full_name}", f"{shapes.base}/{full_name}/pull/{pull.number}"
    url, issue = f"{api}/pulls/{pull.number}", f"{api}/issues/{pull.number}"
    statuses = f"{api}/statuses/{pull.head_sha}"
    return {
        "url": url,
        "id": pull.id,
        "node_id": node_id("PullRequest", pull.id),
        "html_url": html,
        "diff_url": f"{html}.diff",
        "patch_url": f"{html}.patch",
        "issue_url": issue,
        "number": pull.number,
        "state": pull.state,
        "locked": pull.locked,
        "title": pull.title,
        "user": shapes.user(pull.author),
        "body": pull.body,
        "created_at": timestamp(pull.created_at),
        "updated_at": timestamp(pull.updated_at),
        "closed_at": optional_timestamp(pull.closed_at),
        "merged_at": optional_timestamp(pull.merged_at),
        "merge_commit_sha": None,
        "assignee": None,
        "assignees": [],
        "requested_reviewers": [],
        "requested_teams": [],
        "labels": [label(shapes, pull.repository, name) for name in pull.labels],
        "milestone": None,
        "draft": pull.draft,
        "commits_url": f"{url}/commits",
        "review_comments_url": f"{url}/comments",
        "review_comment_url": f"{api}/pulls/comments{{/number}}",
        "comments_url": f"{issue}/comments",
        "statuses_url": statuses,
        "head": _branch(shapes, pull, repository, head=True),
        "base": _branch(shapes, pull, repository, head=False),
        "_links": {
            "self": {"href": url},
            "html": {"href": html},
            "issue": {"href": issue},
            "comments": {"href": f"{issue}/comments"},
            "review_comments": {"href": f"{url}/comments"},
            "review_comment": {"href": f"{api}/pulls/comments{{/number}}"},
            "commits": {"href": f"{url}/commits"},
            "statuses": {"href": statuses},
        },
        "author_association": pull.association,
        "auto_merge": None,
        "active_lock_reason": None,
    }


def pull_request(shapes: Shapes, pull: PullRequest, repository: Json | None = None) -> Json:
    """The ``pull-request`` schema, as REST answers with one and webhooks carry it."""
    return {
        **simple_pull(shapes, pull, repository),
        "merged": pull.merged,
        "mergeable": None,
        "rebaseable": None,
        "mergeable_state": "unknown",
        "merged_by": shapes.optional_user(pull.merged_by),
        "comments": len(pull.comments),
        "review_comments": 0,
        "maintainer_can_modify": False,
        "commits": 1,
        "additions": 1,
        "deletions": 1,
        "changed_files": 1,
    }
