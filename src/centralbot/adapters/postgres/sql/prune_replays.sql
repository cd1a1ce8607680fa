-- Delete signatures that would be refused as stale anyway.
delete from internal_request_replays
 where ctid = any(array(select r.ctid from internal_request_replays r where r.signed_at < %(before)s
                         order by r.signed_at limit %(limit)s for update skip locked))
