-- Challenges of one repository, newest first, a page at a time: its cost follows the repository (0002_people.sql says why).
with known as materialized (select id, status from pr_challenges where repo_id = %(repo_id)s),
page as materialized (
  select id from known
   where id < coalesce(%(before)s::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
     and (%(status)s::text is null or status = %(status)s)
   order by id desc limit %(limit)s)
select c.id, installation_id, repo_id, repo_full_name, pr_number, pull_request_id, html_url, author_id, author_login, head_sha,
       mode, window_s, verification, status, reason, event_at, created_at, updated_at, deadline_at, gate_comment_id
  from page join pr_challenges c on c.id = page.id
 order by c.id desc
