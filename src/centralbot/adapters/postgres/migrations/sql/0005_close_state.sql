-- What became of a timed-out challenge's close, written when retention forgets that action: an author may pass at any
-- time, and only what the bot closed is reopened. Null: not closed by the bot, or the action is still there.
alter table pr_challenges add column close_state text check (close_state in ('CLOSED', 'UNKNOWN'));
