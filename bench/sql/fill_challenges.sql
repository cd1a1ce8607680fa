insert into pr_challenges (id, installation_id, repo_id, repo_full_name, pr_number, pull_request_id, html_url, author_id,
  author_login, head_sha, mode, window_s, verification, status, reason, event_at, created_at, updated_at, deadline_at)
select centralbot_uuid7(), 1 + r %% 1000, r, 'org/repo', %(first)s + g, g, 'https://github.com/org/repo/pull/1', g, 'login',
       repeat('a', 40), 'enforce', 1800, '{github-login}', s, case when s <> 'PENDING' then 'DEADLINE' end, now(), now(), now(),
       now() + case when %(due)s then interval '-1 hour' when s = 'PENDING' then interval '1 day'
                    else interval '-1 day' end + g * interval '1 ms'
  from generate_series(1, %(count)s) g, lateral (select 1 + g %% 5000 as r,
       case when %(due)s or g %% 10 = 0 then 'PENDING' when g %% 10 < 8 then 'TIMED_OUT_CLOSED' else 'CANCELED' end as s) x
