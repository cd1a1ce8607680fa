-- Lock due challenges, oldest deadline first, skipping what another sweeper holds; with where their repository is today,
-- its name, whether it is off, and how many closes wait in it: those queued, and those that other sweepers are about to
-- queue (due before ours and not ours: in one snapshot they are either still due or queued). The rows are those that
-- were locked, not those of the statement's start.
with head as materialized (
  select h.* from pr_challenges h
   where h.status = 'PENDING' and h.deadline_at <= now()
   order by h.deadline_at, h.id limit %(limit)s for update skip locked),
others as materialized (
  select p.repo_id, count(*)::int as closes
    from pr_challenges p
   where p.status = 'PENDING' and p.deadline_at <= (select max(deadline_at) from head)
     and (p.deadline_at, p.id) < (select deadline_at, id from head order by deadline_at desc, id desc limit 1)
     and not exists (select from head h where h.id = p.id)
   group by p.repo_id),
waiting as materialized (
  select h.repo_id, r.installation_id, r.full_name,
         exists (select from repo_configs f where f.repo_id = h.repo_id and f.mode = 'off') as off,
         (select count(*)::int from bot_action_queue q
           where q.repo_id = h.repo_id and q.action_type = 'CLOSE_PR_WITH_COMMENT') + coalesce(o.closes, 0) as closes
    from (select distinct repo_id from head) h
    left join others o on o.repo_id = h.repo_id
    left join github_installation_repositories r on r.repo_id = h.repo_id and r.active)
select now(),
       exists (select from repo_whitelist w where w.repo_id = c.repo_id and w.github_user_id = c.author_id),
       n.off, n.closes, c.id, coalesce(n.installation_id, c.installation_id), c.repo_id,
       coalesce(n.full_name, c.repo_full_name), c.pr_number, c.pull_request_id, c.html_url, c.author_id, c.author_login,
       c.head_sha, c.mode, c.window_s, c.verification, c.status, c.reason, c.event_at, c.created_at, c.updated_at,
       c.deadline_at, c.gate_comment_id
  from head c join waiting n on n.repo_id = c.repo_id
 order by c.deadline_at
