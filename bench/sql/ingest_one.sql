-- What one signed delivery writes, as one statement per event: signature, delivery, challenge, action, queue, audit.
\set repo random(1, 5000)
\set pr random(1, 2000000000)
\set author random(1000000, 100000000)
with used as (
  insert into internal_request_replays (signed_at, digest) values (extract(epoch from now())::bigint, uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())) on conflict do nothing returning 1),
facts as (
  select r.installation_id, r.full_name, c.mode, (c.config->>'window_s')::int as window_s, array(select jsonb_array_elements_text(c.config->'verification')) as verification
    from github_installation_repositories r join github_installations i using (installation_id) join repo_configs c using (repo_id)
   where r.repo_id = :repo::bigint and r.installation_id = 1 + :repo::bigint % 1000 and r.active and i.status = 'ACTIVE' and exists (select from used)
     and not exists (select from repo_whitelist w where w.repo_id = :repo::bigint and w.github_user_id = :author::bigint)
     and not exists (select from github_event_deliveries d where d.repo_id = :repo::bigint and d.pr_number = :pr::bigint and d.action = 'closed' and d.event_name = 'pull_request')),
ch as (
  insert into pr_challenges (id, installation_id, repo_id, repo_full_name, pr_number, pull_request_id, html_url, author_id, author_login, head_sha, mode, window_s, verification, status, event_at, created_at, updated_at)
  select centralbot_uuid7(), installation_id, :repo::bigint, full_name, :pr::bigint, :pr::bigint, 'https://github.com/' || full_name || '/pull/1', :author::bigint, 'contributor', '0123456789abcdef0123456789abcdef01234567', mode, window_s, verification, 'PENDING', now(), now(), now()
    from facts on conflict do nothing returning id, installation_id, repo_full_name),
dl as (
  insert into github_event_deliveries (delivery_id, event_name, installation_id, repo_id, pr_number, action, event_at, status, reason, challenge_id)
  select gen_random_uuid()::text, 'pull_request', installation_id, :repo::bigint, :pr::bigint, 'opened', now(), 'ACCEPTED', 'CHALLENGED', id from ch on conflict do nothing),
ac as (
  insert into bot_actions (id, action_type, installation_id, repo_id, repo_full_name, pr_number, challenge_id, payload)
  select centralbot_uuid7(), 'UPSERT_PR_COMMENT', installation_id, :repo::bigint, repo_full_name, :pr::bigint, id, json_build_object('marker', 'centralbot' || chr(58) || 'gate' || chr(58) || id, 'markdown', repeat('x', 480), 'reason', 'VERIFICATION_REQUIRED') from ch
  returning id, installation_id, challenge_id, 'centralbot' || chr(58) || 'gate' || chr(58) || challenge_id as key),
qq as (
  insert into bot_action_queue (action_id, installation_id, repo_id, pr_number, challenge_id, action_type, supersede_key, run_at)
  select id, installation_id, :repo::bigint, :pr::bigint, challenge_id, 'UPSERT_PR_COMMENT', key, now() from ac)
insert into audit_events (id, at, event, actor, installation_id, repo_id, pr_number, challenge_id, detail)
select centralbot_uuid7(), now(), 'challenge.created', 'centralbot', installation_id, :repo::bigint, :pr::bigint, id, jsonb_build_object('action', 'opened', 'delivery_id', gen_random_uuid(), 'mode', 'enforce') from ch;
