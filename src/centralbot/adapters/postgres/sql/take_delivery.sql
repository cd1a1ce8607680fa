-- Record an installation delivery and the signature that brought it.
with used as (
  insert into internal_request_replays (signed_at, digest)
  select %(signed_at)s::bigint, %(digest)s::bytea where %(signed_at)s::bigint is not null on conflict do nothing)
insert into github_event_deliveries
  (delivery_id, event_name, installation_id, action, event_at, status, reason)
select %(delivery_id)s, %(event_name)s, %(installation_id)s, %(action)s, %(event_at)s, %(status)s, %(reason)s
 where %(status)s::text is not null
