-- A repository's configuration as one document, so that a field more needs no column more.
-- mode stays readable without opening the document: what is switched off is asked for in many queries.
alter table repo_configs
  add column version integer not null default 1 check (version > 0),
  add column config  jsonb check (jsonb_typeof(config) = 'object');

update repo_configs set config = jsonb_build_object(
  'mode', mode,
  'draft_prs_gated', draft_prs_gated,
  'window_s', window_s,
  'verification', to_jsonb(verification),
  'exempt_associations', to_jsonb(array(select distinct unnest(exempt_associations))),
  'exempt_bots', exempt_bots,
  'comment_on_exempt', comment_on_exempt,
  'exempt_label', exempt_label,
  'rules', rules);

alter table repo_configs
  alter column config set not null,
  alter column version drop default,
  drop column mode,
  drop column draft_prs_gated,
  drop column window_s,
  drop column verification,
  drop column exempt_associations,
  drop column exempt_bots,
  drop column comment_on_exempt,
  drop column exempt_label,
  drop column rules;
alter table repo_configs
  add column mode text not null generated always as (config->>'mode') stored check (mode in ('off', 'shadow', 'enforce'));
