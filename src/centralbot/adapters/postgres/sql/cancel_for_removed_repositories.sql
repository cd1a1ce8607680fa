-- Cancel the pending challenges and the queued actions of repositories that left their installation, or of a whole
-- installation that was deleted (repo_id null). By repository, so that the index of active challenges is probed: the cost
-- follows what those repositories have, not all that there ever was.
with dropped as materialized (
  select * from json_to_recordset(%(dropped)s::json) as t(installation_id bigint, repo_id bigint, reason text)),
places as materialized (
  select d.installation_id, d.repo_id, d.reason from dropped d where d.repo_id is not null
  union all
  select d.installation_id, r.repo_id, d.reason
    from dropped d join github_installation_repositories r on r.installation_id = d.installation_id
   where d.repo_id is null),
pending as materialized (
  select x.id, p.reason
    from places p
   cross join lateral (
     select c.id from pr_challenges c
      where c.repo_id = p.repo_id and c.status = 'PENDING' and c.installation_id = p.installation_id
      limit 1000000 for update) x),
canceled as (
  update pr_challenges c
     set status = 'CANCELED', reason = p.reason, updated_at = now()
    from pending p
   where c.id = any(array(select id from pending)) and c.id = p.id
  returning c.id, c.installation_id, c.repo_id, c.pr_number, c.reason),
gone as (
  delete from bot_action_queue q using dropped d
   where q.installation_id = d.installation_id and (d.repo_id is null or q.repo_id = d.repo_id)
     and (q.claim_token is null or q.run_at <= now())
  returning q.action_id, q.attempts, d.reason),
settled as (
  update bot_actions a
     set settled = 'CANCELED', settled_at = now(), failure_code = g.reason, attempts = g.attempts
    from gone g where a.id = any(array(select action_id from gone)) and a.id = g.action_id)
insert into audit_events (id, at, event, actor, installation_id, repo_id, pr_number, challenge_id, detail)
select centralbot_uuid7(), now(), 'challenge.canceled', 'centralbot', c.installation_id, c.repo_id, c.pr_number, c.id,
       jsonb_build_object('why', c.reason, 'was', 'PENDING')
  from canceled c
