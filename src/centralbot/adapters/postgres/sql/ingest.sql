-- Ingest: what deciding about deliveries needs.

-- name: lock_keys
-- Take transaction locks on deliveries, pull requests and installations, in the order given. Sent along with BEGIN, in
-- one message, which takes no parameters: %s is a list of integers.
select pg_advisory_xact_lock(k) from unnest('{%s}'::bigint[]) as k

-- name: gate_facts
-- Everything that deciding a batch of deliveries about pull requests needs; locks all challenges of each pull request.
-- A row for each challenge of each event's pull request, by the event's number i; one where it has none. The caller holds
-- the locks of lock_keys.
with e as materialized (
  select * from json_to_recordset(%(events)s::json) as t(
    i int, delivery_id text, event_name text, installation_id bigint, repo_id bigint, pr_number bigint,
    author_id bigint, signed_at bigint, digest text)),
known as materialized (
  select c.* from pr_challenges c
   where c.id = any(array(
     select k.challenge_id from e join pr_challenge_keys k on k.repo_id = e.repo_id and k.pr_number = e.pr_number))
     for update of c)
select e.i, i.status as installation_status, coalesce(r.active, false) as repository_active,
       w.github_user_id is not null as whitelisted,
       (select max(d.event_at) from github_event_deliveries d
         where d.repo_id = e.repo_id and d.pr_number = e.pr_number
           and d.action in ({{word.closing}}) and d.event_name = 'pull_request') as last_closed_at,
       rp.signed_at is not null as replayed, d.status is not null as taken, d.challenge_id as taken_challenge_id,
       cfg.config::text as config,
       {{columns.challenge}}
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
     where x.delivery_id = e.delivery_id and x.event_name = e.event_name limit 1) d on true
  left join lateral (
    select x.signed_at from internal_request_replays x
     where x.signed_at = e.signed_at and x.digest = decode(e.digest, 'hex') limit 1) rp on true
  left join known c on c.repo_id = e.repo_id and c.pr_number = e.pr_number

-- name: use_signature
-- Record the use of a signature by a request whose parts have transactions of their own; no row is written for a replay.
insert into internal_request_replays (signed_at, digest) values (%(signed_at)s, %(digest)s) on conflict do nothing

-- name: installation_facts
-- An installation and what of it an event needs: its repositories, and where else the named ones are active.
-- One row per repository (or a single row without one).
with t as (select %(installation_id)s::bigint as installation_id)
select {{columns.installation}},
       exists (select from github_event_deliveries d
                where d.delivery_id = %(delivery_id)s and d.event_name = %(event_name)s) as taken,
       exists (select from internal_request_replays p
                where p.signed_at = %(signed_at)s and p.digest = %(digest)s) as replayed,
       {{columns.repository}}
  from t
  left join github_installations i on i.installation_id = t.installation_id
  left join lateral (
    select x.* from github_installation_repositories x where x.installation_id = t.installation_id
    union all
    select x.* from github_installation_repositories x
     where x.repo_id = any(%(repo_ids)s::bigint[]) and x.active and x.installation_id <> t.installation_id) r on true

-- name: apply_installation
-- Write what an installation event changed: the installation and the repositories, deactivated ones in an earlier
-- statement (a repository is active in one installation at a time).
with
installed as (
  insert into github_installations as g
    (installation_id, status, changed_at, account_login, account_type, account_id, repository_selection)
  select t.id, t.status, t.changed_at, t.account_login, t.account_type, t.account_id, t.repository_selection
    from json_to_recordset(%(installations)s::json) as t(
      id bigint, status text, changed_at timestamptz, account_login text, account_type text, account_id bigint,
      repository_selection text)
  on conflict (installation_id) do update
     set status = excluded.status, changed_at = excluded.changed_at, account_login = excluded.account_login,
         account_type = excluded.account_type, account_id = excluded.account_id,
         repository_selection = excluded.repository_selection, updated_at = %(now)s,
         paused_until = case when not %(resumed)s::boolean then g.paused_until end)
insert into github_installation_repositories (installation_id, repo_id, full_name, active, changed_at, active_since)
select t.installation_id, t.repo_id, t.full_name, t.active, t.changed_at, t.active_since
  from json_to_recordset(%(repositories)s::json) as t(
    installation_id bigint, repo_id bigint, full_name text, active boolean, changed_at timestamptz,
    active_since timestamptz)
on conflict (installation_id, repo_id) do update
   set full_name = excluded.full_name, active = excluded.active, changed_at = excluded.changed_at,
       active_since = excluded.active_since
