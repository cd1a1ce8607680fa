-- Delete a bounded number of used things that would be refused as expired anyway.
delete from single_uses
 where ctid = any(array(select u.ctid from single_uses u where u.expires_at < %(before)s
                         order by u.expires_at limit %(limit)s for update skip locked))
