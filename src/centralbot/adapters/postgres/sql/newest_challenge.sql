-- The newest challenge of a pull request.
select id, installation_id, repo_id, repo_full_name, pr_number, pull_request_id, html_url, author_id, author_login, head_sha,
       mode, window_s, verification, status, reason, event_at, created_at, updated_at, deadline_at, gate_comment_id
  from pr_challenges
 where id = (select k.challenge_id from pr_challenge_keys k where k.repo_id = %(repo_id)s and k.pr_number = %(pr_number)s
              order by k.created_at desc limit 1)
