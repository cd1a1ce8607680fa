-- Which challenges a pull request and a repository have, beside their rows instead of in an index of theirs
-- (docs/adr/0009): a challenge's row is rewritten when its comment is posted and when it ends, and each rewriting would
-- touch a page of such an index anywhere; a key is written once.
create table pr_challenge_keys (
  repo_id      bigint      not null,
  pr_number    bigint      not null,
  created_at   timestamptz not null,
  challenge_id uuid        not null,
  primary key (repo_id, pr_number, created_at, challenge_id)
);

-- By a trigger, so that no writer can forget it, also an older process during a deployment.
create function centralbot_key_challenges() returns trigger language plpgsql as $$
begin
  insert into pr_challenge_keys (repo_id, pr_number, created_at, challenge_id)
  select repo_id, pr_number, created_at, id from added;
  return null;
end $$;
lock table pr_challenges in share row exclusive mode;
create trigger pr_challenges_keyed after insert on pr_challenges referencing new table as added
  for each statement execute function centralbot_key_challenges();

insert into pr_challenge_keys (repo_id, pr_number, created_at, challenge_id)
select repo_id, pr_number, created_at, id from pr_challenges;

drop index pr_challenges_of_pr;
