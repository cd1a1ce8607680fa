-- The challenge that counts of a pull request: the active one, else the newest.
select c.id, c.installation_id, c.repo_id, c.repo_full_name, c.pr_number, c.pull_request_id, c.html_url, c.author_id,
       c.author_login, c.head_sha, c.mode, c.window_s, c.verification, c.status, c.reason, c.event_at, c.created_at,
       c.updated_at, c.deadline_at, c.gate_comment_id
  from pr_challenge_keys k cross join lateral (
    select * from pr_challenges p where p.id = k.challenge_id limit 1) c
 where k.repo_id = %(repo_id)s and k.pr_number = %(pr_number)s
 order by c.status in ('PENDING', 'VERIFIED', 'EXEMPT') desc, k.created_at desc limit 1
