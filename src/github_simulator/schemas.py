"""Answers and payloads as GitHub sends them."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime

from github_simulator.model import Account, AppInfo, Comment, Installation, Json, PullRequest, Repository

_REPOSITORY_LINKS = {
    "forks_url": "/forks",
    "keys_url": "/keys{/key_id}",
    "collaborators_url": "/collaborators{/collaborator}",
    "teams_url": "/teams",
    "hooks_url": "/hooks",
    "issue_events_url": "/issues/events{/number}",
    "events_url": "/events",
    "assignees_url": "/assignees{/user}",
    "branches_url": "/branches{/branch}",
    "tags_url": "/tags",
    "blobs_url": "/git/blobs{/sha}",
    "git_tags_url": "/git/tags{/sha}",
    "git_refs_url": "/git/refs{/sha}",
    "trees_url": "/git/trees{/sha}",
    "statuses_url": "/statuses/{sha}",
    "languages_url": "/languages",
    "stargazers_url": "/stargazers",
    "contributors_url": "/contributors",
    "subscribers_url": "/subscribers",
    "subscription_url": "/subscription",
    "commits_url": "/commits{/sha}",
    "git_commits_url": "/git/commits{/sha}",
    "comments_url": "/comments{/number}",
    "issue_comment_url": "/issues/comments{/number}",
    "contents_url": "/contents/{+path}",
    "compare_url": "/compare/{base}...{head}",
    "merges_url": "/merges",
    "archive_url": "/{archive_format}{/ref}",
    "downloads_url": "/downloads",
    "issues_url": "/issues{/number}",
    "pulls_url": "/pulls{/number}",
    "milestones_url": "/milestones{/number}",
    "notifications_url": "/notifications{?since,all,participating}",
    "labels_url": "/labels{/name}",
    "releases_url": "/releases{/id}",
    "deployments_url": "/deployments",
}


ROLES = ("none", "read", "triage", "write", "maintain", "admin")
"""Least first."""

BASE_ROLES = ROLES[1:-1]
"""What a custom role can be built on."""


def timestamp(seconds: float) -> str:
    """Unix seconds as GitHub writes a time: UTC, whole seconds."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def optional_timestamp(seconds: float | None) -> str | None:
    return None if seconds is None else timestamp(seconds)


def node_id(kind: str, number: int) -> str:
    """GitHub's old global id: the kind and the number in base64."""
    return base64.b64encode(f"{len(kind):03}:{kind}{number}".encode()).decode()


@dataclass(slots=True)
class Shapes:
    """Renders records with absolute addresses under ``base`` (API and pages have the same, as the simulator does)."""

    app_info: AppInfo
    base: str

    def user(self, account: Account) -> Json:
        """The ``simple-user`` schema."""
        url, html = f"{self.base}/users/{account.login}", f"{self.base}/{account.login}"
        return {
            "login": account.login,
            "id": account.id,
            "node_id": node_id(account.type, account.id),
            "avatar_url": f"{self.base}/avatars/u/{account.id}",
            "gravatar_id": "",
            "url": url,
            "html_url": html,
            "followers_url": f"{url}/followers",
            "following_url": f"{url}/following{{/other_user}}",
            "gists_url": f"{url}/gists{{/gist_id}}",
            "starred_url": f"{url}/starred{{/owner}}{{/repo}}",
            "subscriptions_url": f"{url}/subscriptions",
            "organizations_url": f"{url}/orgs",
            "repos_url": f"{url}/repos",
            "events_url": f"{url}/events{{/privacy}}",
            "received_events_url": f"{url}/received_events",
            "type": account.type,
            "user_view_type": "public",
            "site_admin": False,
        }

    def optional_user(self, account: Account | None) -> Json | None:
        return None if account is None else self.user(account)

    def public_user(self, account: Account) -> Json:
        """The ``public-user`` schema."""
        blank = dict.fromkeys(("name", "company", "location", "email", "hireable", "bio", "twitter_username"))
        counts = dict.fromkeys(("public_repos", "public_gists", "followers", "following"), 0)
        times = {"created_at": timestamp(account.created_at), "updated_at": timestamp(account.created_at)}
        return {**self.user(account), **blank, **counts, **times, "blog": ""}

    def organization(self, account: Account) -> Json:
        """The part of a webhook on an organization's repository that names the organization; empty for a user's."""
        if account.type != "Organization":
            return {}
        url = f"{self.base}/orgs/{account.login}"
        return {
            "organization": {
                "login": account.login,
                "id": account.id,
                "node_id": node_id(account.type, account.id),
                "url": url,
                "repos_url": f"{url}/repos",
                "events_url": f"{url}/events",
                "hooks_url": f"{url}/hooks",
                "issues_url": f"{url}/issues",
                "members_url": f"{url}/members{{/member}}",
                "public_members_url": f"{url}/public_members{{/member}}",
                "avatar_url": f"{self.base}/avatars/u/{account.id}",
                "description": "",
            }
        }

    def app(self) -> Json:
        """The ``integration`` schema."""
        app = self.app_info
        return {
            "id": app.id,
            "client_id": app.client_id,
            "slug": app.slug,
            "node_id": node_id("Integration", app.id),
            "owner": self.user(app.owner),
            "name": app.name,
            "description": "",
            "external_url": app.external_url or self.base,
            "html_url": f"{self.base}/apps/{app.slug}",
            "created_at": timestamp(app.created_at),
            "updated_at": timestamp(app.created_at),
            "permissions": dict(app.permissions),
            "events": list(app.events),
        }

    def installation(self, installation: Installation) -> Json:
        """The ``installation`` schema, as REST answers with it."""
        account = installation.account
        where = f"organizations/{account.login}/settings" if account.type == "Organization" else "settings"
        return {
            "id": installation.id,
            "client_id": self.app_info.client_id,
            "account": self.user(account),
            "repository_selection": installation.selection,
            "access_tokens_url": f"{self.base}/app/installations/{installation.id}/access_tokens",
            "repositories_url": f"{self.base}/installation/repositories",
            "html_url": f"{self.base}/{where}/installations/{installation.id}",
            "app_id": self.app_info.id,
            "app_slug": self.app_info.slug,
            "target_id": account.id,
            "target_type": account.type,
            "permissions": dict(installation.permissions),
            "events": list(self.app_info.events),
            "created_at": timestamp(installation.created_at),
            "updated_at": timestamp(installation.updated_at),
            "single_file_name": None,
            "has_multiple_single_files": False,
            "single_file_paths": [],
            "suspended_by": self.optional_user(installation.suspended_by),
            "suspended_at": optional_timestamp(installation.suspended_at),
        }

    def repository_name(self, repository: Repository) -> Json:
        """The five fields by which installation webhooks name a repository."""
        return {
            "id": repository.id,
            "node_id": node_id("Repository", repository.id),
            "name": repository.name,
            "full_name": repository.full_name,
            "private": repository.private,
        }

    def repository(self, repository: Repository) -> Json:
        """The ``repository`` schema."""
        full_name = repository.full_name
        url, html = f"{self.base}/repos/{full_name}", f"{self.base}/{full_name}"
        open_issues = repository.open_count
        created_at = timestamp(repository.created_at)
        return {
            **self.repository_name(repository),
            "owner": self.user(repository.owner),
            "html_url": html,
            "description": None,
            "fork": False,
            "url": url,
            **{name: url + tail for name, tail in _REPOSITORY_LINKS.items()},
            "created_at": created_at,
            "updated_at": created_at,
            "pushed_at": created_at,
            "git_url": f"{html.replace('http', 'git', 1)}.git",
            "ssh_url": f"git@localhost:{full_name}.git",
            "clone_url": f"{html}.git",
            "svn_url": html,
            "homepage": None,
            "size": 0,
            "stargazers_count": 0,
            "watchers_count": 0,
            "language": None,
            "has_issues": True,
            "has_projects": True,
            "has_downloads": True,
            "has_wiki": True,
            "has_pages": False,
            "has_discussions": False,
            "forks_count": 0,
            "mirror_url": None,
            "archived": repository.archived,
            "disabled": False,
            "open_issues_count": open_issues,
            "license": None,
            "allow_forking": True,
            "is_template": False,
            "web_commit_signoff_required": False,
            "topics": [],
            "visibility": "private" if repository.private else "public",
            "forks": 0,
            "open_issues": open_issues,
            "watchers": 0,
            "default_branch": "main",
            "custom_properties": {},
        }

    def role(self, repository: Repository, role: str) -> Json:
        """The part of a repository that says what a signed-in caller may do with it. ``role`` may be a custom one."""
        reached = ROLES.index(repository.custom_roles.get(role, role))
        permissions = {name: index < reached for index, name in enumerate(("pull", "triage", "push", "maintain"))}
        return {"permissions": {"admin": role == "admin", **permissions}, "role_name": role}

    def full_repository(self, repository: Repository) -> Json:
        """The ``full-repository`` schema."""
        return {**self.repository(repository), "network_count": 0, "subscribers_count": 0}


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
