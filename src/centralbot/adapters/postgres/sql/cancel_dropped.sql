-- Cancel the pending challenges and the queued actions of repositories that left their installation, or of a whole
-- installation that was deleted (repo_id null).
with dropped as materialized (
  select * from json_to_recordset(%(dropped)s::json) as t(installation_id bigint, repo_id bigint, reason text)),
canceled as (
  update pr_challenges c
     set status = 'CANCELED', reason = d.reason, updated_at = now()
    from dropped d
   where c.status = 'PENDING' and c.installation_id = d.installation_id
     and (d.repo_id is null or c.repo_id = d.repo_id)
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
