-- The whole schema of centralbot 0.1. Runs on PostgreSQL 15 to 18.
-- Every hot table carries installation_id, so that it can be distributed by it. Hot tables have no foreign keys
-- (docs/adr/0004): the invariants they would guard are guarded by unique indexes and guarded statements instead.

-- A time-ordered UUID (version 7); PostgreSQL has its own from 18 on.
create function centralbot_uuid7() returns uuid language sql volatile as $$
  select encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
    placing substring(int8send((extract(epoch from clock_timestamp()) * 1000)::bigint) from 3) from 1 for 6),
    52, 1), 53, 1), 'hex')::uuid
$$;

create table service_bot_keys (
  key_id        text primary key check (key_id <> ''),
  encrypted_key bytea not null,              -- the 32-byte HMAC key under CENTRALBOT_SECRET_KEY
  allow_unbound boolean not null default false,
  created_at    timestamptz not null default now(),
  revoked_at    timestamptz
);

-- A signature serves once. The key starts with the signed time, so that what is past goes by range.
create table internal_request_replays (
  signed_at bigint not null,                 -- Unix seconds of the request
  digest    bytea  not null,
  primary key (signed_at, digest)
);

create table github_installations (
  installation_id      bigint primary key check (installation_id > 0),
  status               text not null check (status in ('ACTIVE', 'SUSPENDED', 'DELETED')),
  changed_at           timestamptz not null, -- time of the event that set the status
  account_login        text,
  account_type         text check (account_type in ('Organization', 'User', 'Enterprise')),
  account_id           bigint,
  repository_selection text check (repository_selection in ('all', 'selected')),
  paused_until         timestamptz,          -- nothing is handed out before
  updated_at           timestamptz not null default now()
);

create table github_installation_repositories (
  installation_id bigint not null,
  repo_id         bigint not null check (repo_id > 0),
  full_name       text not null,
  active          boolean not null,
  changed_at      timestamptz not null,
  primary key (installation_id, repo_id)
);
-- A repository is in one installation at a time.
create unique index github_installation_repositories_active
  on github_installation_repositories (repo_id) where active;

create table repo_configs (
  repo_id             bigint primary key check (repo_id > 0),
  mode                text not null check (mode in ('off', 'shadow', 'enforce')),
  draft_prs_gated     boolean not null,
  window_s            integer not null check (window_s between 1 and 2592000),
  verification        text[] not null,
  exempt_associations text[] not null,
  exempt_bots         boolean not null,
  comment_on_exempt   boolean not null,
  updated_at          timestamptz not null default now(),
  updated_by          text not null
);

create table repo_whitelist (
  repo_id      bigint not null check (repo_id > 0),
  github_user_id bigint not null check (github_user_id > 0),
  github_login text not null,
  added_at     timestamptz not null default now(),
  added_by     text not null,
  primary key (repo_id, github_user_id)
);

create table github_event_deliveries (
  delivery_id     text not null check (delivery_id <> ''),
  event_name      text not null,
  installation_id bigint not null,
  repo_id         bigint,
  pr_number       bigint,
  action          text not null,
  event_at        timestamptz not null,
  status          text not null check (status in ('ACCEPTED', 'IGNORED')),
  reason          text not null,
  challenge_id    uuid,
  received_at     timestamptz not null default now(),
  primary key (delivery_id, event_name)
);
create index github_event_deliveries_received on github_event_deliveries (received_at);
-- Closed before opened: what closed when.
create index github_event_deliveries_closed on github_event_deliveries (repo_id, pr_number, event_at)
  where action = 'closed' and event_name = 'pull_request';

create table pr_challenges (
  id              uuid primary key,
  installation_id bigint not null,
  repo_id         bigint not null,
  repo_full_name  text not null,
  pr_number       bigint not null,
  pull_request_id bigint not null,
  html_url        text not null,
  author_id       bigint not null,
  author_login    text not null,
  head_sha        text not null,
  mode            text not null check (mode in ('shadow', 'enforce')),
  window_s        integer not null check (window_s > 0),
  verification    text[] not null,
  status          text not null
                  check (status in ('PENDING', 'VERIFIED', 'EXEMPT', 'CANCELED', 'TIMED_OUT_CLOSED')),
  reason          text,
  event_at        timestamptz not null,
  created_at      timestamptz not null,
  updated_at      timestamptz not null,
  deadline_at     timestamptz,               -- null until the gate comment is known to be posted
  gate_comment_id bigint,
  check (status = 'PENDING' or reason is not null),
  check (status <> 'TIMED_OUT_CLOSED' or deadline_at is not null)
);
create unique index pr_challenges_one_active on pr_challenges (repo_id, pr_number)
  where status in ('PENDING', 'VERIFIED', 'EXEMPT');
create index pr_challenges_of_pr on pr_challenges (repo_id, pr_number, created_at);
create index pr_challenges_due on pr_challenges (deadline_at) where status = 'PENDING' and deadline_at is not null;

create table challenge_proofs (
  id           uuid primary key,
  challenge_id uuid not null references pr_challenges on delete cascade,
  kind         text not null,
  evidence     jsonb not null,
  passed_at    timestamptz not null default now(),
  unique (challenge_id, kind)
);

-- The outbox in two tables (docs/adr/0004): a wide row that is written once and settled once, and a narrow row that
-- lives only while work is outstanding.
create table bot_actions (
  id              uuid primary key,
  action_type     text not null
                  check (action_type in ('UPSERT_PR_COMMENT', 'CLOSE_PR_WITH_COMMENT', 'REOPEN_PR_WITH_COMMENT')),
  installation_id bigint not null,
  repo_id         bigint not null,
  repo_full_name  text not null,
  pr_number       bigint not null,
  challenge_id    uuid,
  marker          text not null,
  markdown        text not null,
  reason          text not null,
  comment_id      bigint,
  created_at      timestamptz not null default now(),
  settled         text check (settled in ('DONE', 'FAILED', 'CANCELED')),   -- null: see bot_action_queue
  settled_at      timestamptz,
  attempts        smallint not null default 0,
  worker_id       text,
  claim_token     uuid,
  outcome         text,
  failure_code    text,
  failure_message text,
  check ((settled is null) = (settled_at is null))
) with (fillfactor = 85);
create index bot_actions_of_challenge on bot_actions (challenge_id) where action_type = 'CLOSE_PR_WITH_COMMENT';

-- run_at is when it may (next) be claimed: due time, end of the retry delay, or end of the lease.
create table bot_action_queue (
  action_id       uuid primary key,
  seq             bigint generated always as identity,
  installation_id bigint not null,
  repo_id         bigint not null,
  pr_number       bigint not null,
  challenge_id    uuid,
  action_type     text not null,
  marker          text not null,
  run_at          timestamptz not null,
  attempts        smallint not null default 0 check (attempts >= 0),
  worker_id       text,
  claim_token     uuid,
  last_outcome    text,
  last_token      uuid,
  last_worker_id  text,
  failure_code    text,
  failure_message text,
  cancel_reason   text,                      -- overtaken under a live claim: canceled when it comes back unfinished
  check ((worker_id is null) = (claim_token is null)),
  check (cancel_reason is null or claim_token is not null)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,
        autovacuum_vacuum_cost_delay = 0);
create index bot_action_queue_ready on bot_action_queue (installation_id, run_at, seq);
create index bot_action_queue_of_pr on bot_action_queue (repo_id, pr_number, seq);
-- One action of a pull request at a time (invariant 6); also counts what an installation has in flight.
create unique index bot_action_queue_claimed on bot_action_queue (installation_id, repo_id, pr_number)
  where claim_token is not null;

create view bot_actions_now as
  select a.id, q.seq, a.action_type, a.installation_id, a.repo_id, a.repo_full_name, a.pr_number, a.challenge_id,
         a.marker, a.markdown, a.reason, a.comment_id, a.created_at, coalesce(q.run_at, a.settled_at) as run_at,
         case when a.settled is not null then a.settled
              when q.claim_token is not null then 'CLAIMED' else 'PENDING' end as status,
         coalesce(q.attempts, a.attempts) as attempts, coalesce(q.worker_id, a.worker_id) as worker_id,
         coalesce(q.claim_token, a.claim_token) as claim_token,
         coalesce(q.last_outcome, a.outcome) as last_outcome, q.last_token, q.last_worker_id,
         coalesce(q.failure_code, a.failure_code) as failure_code,
         coalesce(q.failure_message, a.failure_message) as failure_message, a.settled_at
    from bot_actions a left join bot_action_queue q on q.action_id = a.id and a.settled is null;

create table users (
  github_user_id bigint primary key check (github_user_id > 0),
  github_login   text not null,
  first_seen_at  timestamptz not null default now(),
  last_seen_at   timestamptz not null default now()
);

create table user_sessions (
  id                      uuid primary key,
  token_digest            bytea not null unique,
  github_user_id          bigint not null references users on delete cascade,
  encrypted_access_token  bytea,
  encrypted_refresh_token bytea,
  access_expires_at       timestamptz,
  created_at              timestamptz not null default now(),
  expires_at              timestamptz not null,
  revoked_at              timestamptz
);
create index user_sessions_expiry on user_sessions (expires_at);

create table audit_events (
  id              uuid primary key,          -- time-ordered, so that retention is a range of the key
  at              timestamptz not null,
  event           text not null,
  actor           text not null,
  installation_id bigint,
  repo_id         bigint,
  pr_number       bigint,
  challenge_id    uuid,
  detail          jsonb not null
);
create index audit_events_of_repo on audit_events (repo_id, id);
