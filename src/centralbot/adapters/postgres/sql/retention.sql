-- Retention: what is past goes, in bounded batches.

-- name: prune_audit
-- Delete old audit rows; ids are time-ordered, so this is a range of the primary key.
delete from audit_events
 where id = any(array(select e.id from audit_events e where e.id < %(before)s
                       order by e.id limit %(limit)s for update skip locked))

-- name: prune_deliveries
-- Delete a bounded number of the oldest delivery records.
delete from github_event_deliveries
 where ctid = any(array(select d.ctid from github_event_deliveries d where d.received_at < %(before)s
                         order by d.received_at limit %(limit)s for update skip locked))

-- name: prune_nonces
-- Delete a bounded number of used things that would be refused as expired anyway.
delete from single_uses
 where ctid = any(array(select u.ctid from single_uses u where u.expires_at < %(before)s
                         order by u.expires_at limit %(limit)s for update skip locked))

-- name: prune_replays
-- Delete signatures that would be refused as stale anyway.
delete from internal_request_replays
 where ctid = any(array(select r.ctid from internal_request_replays r where r.signed_at < %(before)s
                         order by r.signed_at limit %(limit)s for update skip locked))

-- name: prune_sessions
-- Delete a bounded number of the sessions that expired first.
delete from user_sessions
 where ctid = any(array(select s.ctid from user_sessions s where s.expires_at < %(before)s
                         order by s.expires_at limit %(limit)s for update skip locked))
