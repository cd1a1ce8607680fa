-- Lock due challenges, oldest deadline first, skipping what another sweeper holds; with today's repository name and how
-- many closes wait in that repository. The rows are those that were locked, not those of the statement's start.
with head as materialized (
  select h.* from pr_challenges h
   where h.status = 'PENDING' and h.deadline_at <= now()
   order by h.deadline_at limit %(limit)s for update skip locked),
waiting as materialized (
  select h.installation_id, h.repo_id, r.full_name,
         (select count(*)::int from bot_action_queue q
           where q.repo_id = h.repo_id and q.action_type = 'CLOSE_PR_WITH_COMMENT') as closes
    from (select distinct installation_id, repo_id from head) h
    left join github_installation_repositories r
      on r.installation_id = h.installation_id and r.repo_id = h.repo_id)
select now(),
       exists (select from repo_whitelist w where w.repo_id = c.repo_id and w.github_user_id = c.author_id),
       n.closes, c.id, c.installation_id, c.repo_id, coalesce(n.full_name, c.repo_full_name),
       c.pr_number, c.pull_request_id, c.html_url, c.author_id, c.author_login, c.head_sha, c.mode, c.window_s,
       c.verification, c.status, c.reason, c.event_at, c.created_at, c.updated_at, c.deadline_at, c.gate_comment_id
  from head c join waiting n on n.repo_id = c.repo_id and n.installation_id = c.installation_id
 order by c.deadline_at
