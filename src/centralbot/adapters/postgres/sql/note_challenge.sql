-- Write an audit row about a challenge, unless enough of its kind were written. Returns a row where the challenge exists.
with challenge as (
  select id, installation_id, repo_id, pr_number from pr_challenges where id = %(challenge_id)s),
counted as (
  insert into challenge_notes as n (challenge_id, event)
  select c.id, %(event)s from challenge c
   where not exists (select from challenge_notes x
                      where x.challenge_id = c.id and x.event = %(event)s and x.written >= %(most)s)
  on conflict (challenge_id, event) do update set written = n.written + 1 where n.written < %(most)s
  returning n.challenge_id),
noted as (
  insert into audit_events (id, at, event, actor, installation_id, repo_id, pr_number, challenge_id, detail)
  select centralbot_uuid7(), clock_timestamp(), %(event)s, %(actor)s, c.installation_id, c.repo_id, c.pr_number, c.id,
         %(detail)s::jsonb
    from counted k join challenge c on c.id = k.challenge_id)
select id from challenge
