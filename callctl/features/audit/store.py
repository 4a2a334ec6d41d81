"""Queries on the log of changes."""

# A viewer ($2) who does not see all people sees what they changed, and a group leader what the
# group's people did.
AUDIT_PAGE = """
select id, at, author_id, author, action, subject, before, after
from audit e
where account_id = $1 and ($2::bigint is null or exists (
        select from users v left join users p on p.id = e.author_id
        where v.id = $2
          and (v.id = p.id or v.role = 'group_leader' and v.group_id = p.group_id)))
  and ($3::text is null or author = $3)
  and ($4::text is null or action = $4 or starts_with(action, $4 || '.'))
  and ($5::text is null or subject = $5)
  and ($6::timestamptz is null or at >= $6)
  and ($7::timestamptz is null or at < $7)
  and ($8::timestamptz is null or (at, id) < ($8, $9::bigint))
order by at desc, id desc
limit $10
"""
