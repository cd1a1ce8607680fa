-- Delete a bounded number of the oldest delivery records.
delete from github_event_deliveries
 where ctid = any(array(select d.ctid from github_event_deliveries d where d.received_at < %(before)s
                         order by d.received_at limit %(limit)s for update skip locked))
