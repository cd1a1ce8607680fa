-- Lock due challenges, oldest deadline first, skipping what another sweeper holds; with today's repository name.
with head as materialized (
  select array(select h.id from pr_challenges h
                where h.status = 'PENDING' and h.deadline_at <= now()
                order by h.deadline_at limit %(limit)s for update skip locked) as ids)
select clock_timestamp() as now,
       exists (select from repo_whitelist w where w.repo_id = c.repo_id and w.github_user_id = c.author_id),
       c.id, c.installation_id, c.repo_id,
       coalesce((select r.full_name from github_installation_repositories r
                  where r.installation_id = c.installation_id and r.repo_id = c.repo_id), c.repo_full_name),
       c.pr_number, c.pull_request_id, c.html_url, c.author_id, c.author_login, c.head_sha, c.mode, c.window_s,
       c.verification, c.status, c.reason, c.event_at, c.created_at, c.updated_at, c.deadline_at, c.gate_comment_id
  from pr_challenges c where c.id = any((select ids from head)::uuid[]) order by c.deadline_at
