-- Everything that deciding a batch of pull request deliveries needs; locks the challenge that counts of each pull request:
-- the active one, else the newest (a late pass makes an older one active again).
-- One row per event, by its number i. The caller holds the locks of lock_keys.
with e as materialized (
  select * from json_to_recordset(%(events)s::json) as t(
    i int, delivery_id text, installation_id bigint, repo_id bigint, pr_number bigint, author_id bigint,
    signed_at bigint, digest text)),
newest as materialized (
  select c.* from pr_challenges c
   where c.id = any(array(
     select x.id from e cross join lateral (
       select p.id from pr_challenge_keys k cross join lateral (
           select p.id, p.status from pr_challenges p where p.id = k.challenge_id limit 1) p
        where k.repo_id = e.repo_id and k.pr_number = e.pr_number
        order by p.status in ('PENDING', 'VERIFIED', 'EXEMPT') desc, k.created_at desc limit 1) x))
     for update of c)
select e.i, clock_timestamp() as now, i.status as installation_status, coalesce(r.active, false) as repository_active,
       w.github_user_id is not null as whitelisted,
       (select max(d.event_at) from github_event_deliveries d
         where d.repo_id = e.repo_id and d.pr_number = e.pr_number
           and d.action = 'closed' and d.event_name = 'pull_request') as last_closed_at,
       rp.signed_at is not null as replayed, d.status is not null as taken, d.challenge_id as taken_challenge_id,
       cfg.config::text as config,
       c.*
  from e
  -- Each a lateral look-up with a limit: so its plan stays an index probe, also when it was made on empty tables.
  left join lateral (
    select x.status from github_installations x where x.installation_id = e.installation_id limit 1) i on true
  left join lateral (
    select x.active from github_installation_repositories x
     where x.installation_id = e.installation_id and x.repo_id = e.repo_id limit 1) r on true
  left join lateral (select x.config from repo_configs x where x.repo_id = e.repo_id limit 1) cfg on true
  left join lateral (
    select x.github_user_id from repo_whitelist x
     where x.repo_id = e.repo_id and x.github_user_id = e.author_id limit 1) w on true
  left join lateral (
    select x.status, x.challenge_id from github_event_deliveries x
     where x.delivery_id = e.delivery_id and x.event_name = 'pull_request' limit 1) d on true
  left join lateral (
    select x.signed_at from internal_request_replays x
     where x.signed_at = e.signed_at and x.digest = decode(e.digest, 'hex') limit 1) rp on true
  left join newest c on c.repo_id = e.repo_id and c.pr_number = e.pr_number
