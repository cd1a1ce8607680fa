-- Give back leases that ran out; with the attempts used up the action is dead, and a dead gate comment cancels its
-- challenge. One that was overtaken while it was held is canceled. One that waits with its attempts used up (the limit
-- was lowered) is dead, too: nobody would ever claim it, nor what is queued behind it.
with lost as materialized (
  select q.action_id, q.attempts, q.cancel_reason,
         q.attempts >= %(max_attempts)s and q.cancel_reason is null as dead,
         'LEASE_EXPIRED' as code, 'the last allowed claim ran out without a result' as message
    from bot_action_queue q
   where q.claim_token is not null and q.run_at <= now()
   limit %(limit)s for update skip locked),
worn as materialized (
  select q.action_id, q.attempts, q.cancel_reason, true as dead,
         coalesce(q.failure_code, 'ATTEMPTS_USED_UP') as code, q.failure_message as message
    from bot_action_queue q
   where q.claim_token is null and q.attempts >= %(max_attempts)s
   limit %(limit)s for update skip locked),
head as materialized (select * from lost union all select * from worn limit %(limit)s),
back as (
  update bot_action_queue q set worker_id = null, claim_token = null, failure_code = 'LEASE_EXPIRED'
   where q.action_id = any(array(select action_id from head where not dead and cancel_reason is null))),
died as (
  delete from bot_action_queue q
   where q.action_id = any(array(select action_id from head where dead or cancel_reason is not null))),
canceled as (
  update bot_actions a
     set settled = 'CANCELED', settled_at = now(), attempts = h.attempts, failure_code = h.cancel_reason
    from head h
   where a.id = any(array(select action_id from head where cancel_reason is not null)) and a.id = h.action_id),
failed as (
  update bot_actions a
     set settled = 'FAILED', settled_at = now(), attempts = h.attempts, failure_code = h.code,
         failure_message = h.message
    from head h
   where a.id = any(array(select action_id from head where dead)) and a.id = h.action_id
  returning a.challenge_id, a.action_type),
-- The status is compared with no constant: a plan made on empty tables would read all active challenges by their index.
unnoticed as (
  update pr_challenges c set status = 'CANCELED', reason = 'NOTICE_FAILED', updated_at = now()
   where c.id = any(array(select challenge_id from failed where action_type = 'UPSERT_PR_COMMENT'))
     and c.status = (select 'PENDING') and c.deadline_at is null
  returning c.id, c.installation_id, c.repo_id, c.pr_number),
audited as (
  insert into audit_events (id, at, event, actor, installation_id, repo_id, pr_number, challenge_id, detail)
  select centralbot_uuid7(), now(), 'challenge.canceled', 'centralbot', u.installation_id, u.repo_id, u.pr_number, u.id,
         jsonb_build_object('why', 'NOTICE_FAILED', 'was', 'PENDING')
    from unnoticed u)
select count(*) filter (where not dead), count(*) filter (where dead) from head
