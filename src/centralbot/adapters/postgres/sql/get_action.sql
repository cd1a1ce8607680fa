-- One action as it is now.
select id, seq, action_type, installation_id, repo_id, repo_full_name, pr_number, challenge_id, marker, markdown, reason,
       comment_id, created_at, run_at, status, attempts, worker_id, claim_token, last_outcome, last_token, last_worker_id,
       failure_code, failure_message, settled_at
  from bot_actions_now where id = %(id)s
