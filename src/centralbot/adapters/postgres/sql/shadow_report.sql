-- What shadow mode would have done in a repository since a time; its keys say which challenges those are.
-- Who was let through at once never had a deadline.
select count(*) filter (where c.deadline_at is not null),
       count(*) filter (where c.status = 'TIMED_OUT_CLOSED'),
       count(*) filter (where c.status = 'TIMED_OUT_CLOSED' and exists (
         select from github_event_deliveries d
          where d.repo_id = c.repo_id and d.pr_number = c.pr_number and d.action = 'closed'
            and d.event_name = 'pull_request' and d.reason = 'PR_MERGED')),
       count(*) filter (where c.status in ('VERIFIED', 'EXEMPT'))
  from pr_challenge_keys k cross join lateral (
    select * from pr_challenges c where c.id = k.challenge_id limit 1) c
 where k.repo_id = %(repo_id)s and k.created_at >= %(since)s and c.mode = 'shadow'
