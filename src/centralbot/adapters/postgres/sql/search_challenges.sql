-- Challenges of all repositories, newest first, a page at a time.
select id, installation_id, repo_id, repo_full_name, pr_number, pull_request_id, html_url, author_id, author_login, head_sha,
       mode, window_s, verification, status, reason, event_at, created_at, updated_at, deadline_at, gate_comment_id
  from pr_challenges
 where id < coalesce(%(before)s::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
   and (%(status)s::text is null or status = %(status)s)
 order by id desc limit %(limit)s
