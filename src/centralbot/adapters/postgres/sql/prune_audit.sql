-- Delete old audit rows; ids are time-ordered, so this is a range of the primary key.
delete from audit_events
 where id = any(array(select e.id from audit_events e where e.id < %(before)s
                       order by e.id limit %(limit)s for update skip locked))
