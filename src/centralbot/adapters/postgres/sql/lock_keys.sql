-- Take transaction locks on deliveries, pull requests and installations, in the order given (sorted by the caller).
select pg_advisory_xact_lock(k) from unnest(%(keys)s::bigint[]) as k
