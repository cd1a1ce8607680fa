-- A challenge and what surrounds a decision about it; who decides holds the locks of lock_challenge and lock_close. Its
-- installation is the one that its repository is in by now, if any: the App may have been installed anew.
select clock_timestamp() as now,
       exists (select from repo_whitelist w where w.repo_id = c.repo_id and w.github_user_id = c.author_id),
       exists (select from repo_configs f where f.repo_id = c.repo_id and f.mode = 'off'),
       exists (select from pr_challenges o where o.repo_id = c.repo_id and o.pr_number = c.pr_number and o.id <> c.id
                  and o.status in ('PENDING', 'VERIFIED', 'EXEMPT')),
       coalesce((
         select case when q.action_id is null
                     then case when a.settled = 'DONE' and a.failure_code = 'ALREADY_CLOSED' then 'NOT_BY_US'
                               when a.settled = 'DONE' then 'CLOSED'
                               when a.settled = 'FAILED' and a.outcome is distinct from 'FAILED' then 'UNKNOWN'
                               else 'NONE' end
                     when q.claim_token is not null and q.run_at > now() then 'IN_FLIGHT'
                     when q.attempts > 0 then 'UNKNOWN'
                     else 'QUEUED' end
           from bot_actions a left join bot_action_queue q on q.action_id = a.id
          where a.challenge_id = c.id and a.action_type = 'CLOSE_PR_WITH_COMMENT'
          order by a.id desc limit 1), c.close_state),
       c.id,
       coalesce((select r.installation_id from github_installation_repositories r
                  where r.repo_id = c.repo_id and r.active), c.installation_id),
       c.repo_id, c.repo_full_name, c.pr_number, c.pull_request_id, c.html_url, c.author_id, c.author_login, c.head_sha,
       c.mode, c.window_s, c.verification, c.status, c.reason, c.event_at, c.created_at, c.updated_at, c.deadline_at,
       c.gate_comment_id
  from pr_challenges c where c.id = %(challenge_id)s
