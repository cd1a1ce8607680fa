-- The proofs that were passed for a challenge, oldest first.
select kind, evidence, passed_at from challenge_proofs where challenge_id = %(challenge_id)s order by passed_at, id
