-- Cancel an action that no live claim holds: a queued or a dead one.
with gone as (
  delete from bot_action_queue q where q.action_id = %(action_id)s and (q.claim_token is null or q.run_at <= now())
  returning q.action_id, q.attempts)
update bot_actions a
   set settled = 'CANCELED', settled_at = now(), failure_code = 'OPERATOR',
       attempts = coalesce((select attempts from gone), a.attempts)
 where a.id = %(action_id)s and (a.settled = 'FAILED' or exists (select from gone))
returning a.id
