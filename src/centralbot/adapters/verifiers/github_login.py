"""``github-login``: signed in to GitHub as the author of the pull request."""

from __future__ import annotations

from collections.abc import Mapping

from centralbot.ports.verifier import Attempt, Evidence, ProofRefused, Step


class GitHubLogin:
    """See :class:`~centralbot.ports.verifier.Verifier`. Accounts are compared by GitHub's id: logins change."""

    kind = "github-login"
    summary = "The author signs in with GitHub, which shows that the account is theirs."

    def step(self, attempt: Attempt) -> Step:
        return Step(
            kind=self.kind,
            title="Sign in with GitHub",
            text="This shows that the pull request's author is here. GitHub tells us who you are, nothing else.",
            done=_is_author(attempt),
        )

    async def check(self, attempt: Attempt, given: Mapping[str, object]) -> Evidence:  # noqa: ARG002
        if attempt.user is None or not _is_author(attempt):
            raise ProofRefused(f"sign in to GitHub as {attempt.challenge.author_login}, who opened the pull request")
        return {"github_user_id": attempt.user.id, "github_login": attempt.user.login}


def _is_author(attempt: Attempt) -> bool:
    return attempt.user is not None and attempt.user.id == attempt.challenge.author_id
