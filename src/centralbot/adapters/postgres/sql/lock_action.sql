-- Lock an action's row.
select from bot_actions where id = %(id)s for update
