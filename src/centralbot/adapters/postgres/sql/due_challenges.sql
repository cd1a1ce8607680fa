-- Lock due challenges, oldest deadline first, skipping what another sweeper holds; with where their repository is today,
-- its name, whether it is off, and how many closes wait in it. The rows are those that were locked, not those of the statement's start.
with head as materialized (
  select h.* from pr_challenges h
   where h.status = 'PENDING' and h.deadline_at <= now()
   order by h.deadline_at limit %(limit)s for update skip locked),
waiting as materialized (
  select h.repo_id, r.installation_id, r.full_name,
         exists (select from repo_configs f where f.repo_id = h.repo_id and f.mode = 'off') as off,
         (select count(*)::int from bot_action_queue q
           where q.repo_id = h.repo_id and q.action_type = 'CLOSE_PR_WITH_COMMENT') as closes
    from (select distinct repo_id from head) h
    left join github_installation_repositories r on r.repo_id = h.repo_id and r.active)
select now(),
       exists (select from repo_whitelist w where w.repo_id = c.repo_id and w.github_user_id = c.author_id),
       n.off, n.closes, c.id, coalesce(n.installation_id, c.installation_id), c.repo_id,
       coalesce(n.full_name, c.repo_full_name), c.pr_number, c.pull_request_id, c.html_url, c.author_id, c.author_login,
       c.head_sha, c.mode, c.window_s, c.verification, c.status, c.reason, c.event_at, c.created_at, c.updated_at,
       c.deadline_at, c.gate_comment_id
  from head c join waiting n on n.repo_id = c.repo_id
 order by c.deadline_at
