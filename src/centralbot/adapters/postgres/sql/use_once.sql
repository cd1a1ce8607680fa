-- Use something that serves once; a row comes back for the first who does.
insert into single_uses (kind, digest, expires_at) values (%(kind)s, %(digest)s, %(expires_at)s)
on conflict do nothing returning kind
