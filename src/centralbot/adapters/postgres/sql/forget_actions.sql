-- Delete old settled actions; ids are time-ordered, so this is a range of the primary key.
delete from bot_actions
 where id = any(array(select a.id from bot_actions a where a.id < %(before)s and a.settled is not null
                       order by a.id limit %(limit)s for update skip locked))
