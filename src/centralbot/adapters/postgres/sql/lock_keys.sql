-- Take transaction locks on deliveries, pull requests and installations, in the order given. Sent along with BEGIN, in
-- one message, which takes no parameters: %s is a list of integers.
select pg_advisory_xact_lock(k) from unnest('{%s}'::bigint[]) as k
