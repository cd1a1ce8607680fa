-- Delete a bounded number of the sessions that expired first.
delete from user_sessions
 where ctid = any(array(select s.ctid from user_sessions s where s.expires_at < %(before)s
                         order by s.expires_at limit %(limit)s for update skip locked))
