-- Lock what a challenge has queued to close, so that no claim takes it while its end is decided. A statement of its own,
-- after the challenge is locked: only so it sees what a sweeper committed while we waited for that lock.
select from bot_action_queue
 where repo_id = %(repo_id)s and pr_number = %(pr_number)s and challenge_id = %(challenge_id)s
   and action_type = 'CLOSE_PR_WITH_COMMENT'
 order by seq for update
