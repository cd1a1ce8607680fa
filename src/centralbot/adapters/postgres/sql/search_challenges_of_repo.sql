-- Challenges of one repository, newest first, a page at a time: its keys are sorted, then as many rows are read as the page
-- needs. Each row is a look-up in the order of the keys, which the limit relies on.
with known as materialized (
  select k.challenge_id as id from pr_challenge_keys k
   where k.repo_id = %(repo_id)s
     and k.challenge_id < coalesce(%(before)s::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
   order by k.challenge_id desc),
page as materialized (
  select c.* from known k cross join lateral (
    select * from pr_challenges c
     where c.id = k.id and (%(status)s::text is null or c.status = %(status)s) limit 1) c
   limit %(limit)s)
select id, installation_id, repo_id, repo_full_name, pr_number, pull_request_id, html_url, author_id, author_login, head_sha,
       mode, window_s, verification, status, reason, event_at, created_at, updated_at, deadline_at, gate_comment_id
  from page order by id desc
