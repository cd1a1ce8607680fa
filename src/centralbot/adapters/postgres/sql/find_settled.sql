-- Why a result did not count: what is known of the action now, and whether the signature was new.
select a.settled, a.worker_id, a.claim_token, a.outcome, q.claim_token as held_token, q.last_worker_id, q.last_token,
       q.last_outcome
  from bot_actions a left join bot_action_queue q on q.action_id = a.id
 where a.id = %(action_id)s
