-- What the people's side keeps: a repository's label and rules, sessions with refresh tokens, what serves only once.

alter table repo_configs
  add column exempt_label text not null default 'centralbot:exempt' check (char_length(exempt_label) <= 50),
  add column rules        text not null default '' check (char_length(rules) <= 4000);

-- Things that serve once: sign-in states, proof-of-work solutions.
create table single_uses (
  kind       text        not null check (kind <> ''),
  digest     bytea       not null,
  expires_at timestamptz not null,           -- forgotten some time after
  primary key (kind, digest)
);
create index single_uses_expiry on single_uses (expires_at);

-- A session that ended is deleted, so that nothing of it is left.
alter table user_sessions
  add column refresh_expires_at timestamptz,
  drop column revoked_at,
  alter column encrypted_access_token set not null;
create index user_sessions_of_user on user_sessions (github_user_id);
create index repo_whitelist_of_user on repo_whitelist (github_user_id);

-- How many notes of a kind were written about a challenge: nobody can fill the audit by trying again and again.
create table challenge_notes (
  challenge_id uuid     not null,
  event        text     not null,
  written      smallint not null default 1,
  primary key (challenge_id, event)
);

-- Which installation a repository is in, or was in: asked for every page about it.
create index github_installation_repositories_of_repo on github_installation_repositories (repo_id);
