-- A repository's configuration.
select mode, draft_prs_gated, window_s, verification, exempt_associations, exempt_bots, comment_on_exempt,
       exempt_label, rules
  from repo_configs where repo_id = %(repo_id)s
