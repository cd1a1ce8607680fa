-- Put a dead action back into the queue with the attempts that stay counted, perhaps for a renewed challenge.
with revived as (
  update bot_actions a
     set settled = null, settled_at = null, attempts = 0, worker_id = null, claim_token = null, outcome = null,
         challenge_id = %(challenge_id)s, marker = %(marker)s, markdown = %(markdown)s, reason = %(reason)s,
         comment_id = %(comment_id)s
   where a.id = %(action_id)s and a.settled = 'FAILED'
  returning *)
insert into bot_action_queue
  (action_id, installation_id, repo_id, pr_number, challenge_id, action_type, marker, run_at, attempts,
   failure_code, failure_message)
select r.id, r.installation_id, r.repo_id, r.pr_number, r.challenge_id, r.action_type, r.marker, now(),
       %(attempts)s, r.failure_code, r.failure_message
  from revived r
returning action_id
