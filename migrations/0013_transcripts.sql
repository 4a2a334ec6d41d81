-- Words of recordings; tokens in addresses of webhooks leave the logs.

-- Part 3's first weeks wrote whole addresses. What they were stays in `webhooks`.
update audit
set before = case when before ? 'url' then jsonb_set(before, '{url}', to_jsonb(
        regexp_replace(before ->> 'url', '[?#].*', '?hidden'))) else before end,
    after = case when after ? 'url' then jsonb_set(after, '{url}', to_jsonb(
        regexp_replace(after ->> 'url', '[?#].*', '?hidden'))) else after end
where action like 'webhook.%' and (before ->> 'url' ~ '[?#]' or after ->> 'url' ~ '[?#]');
update notices set text = regexp_replace(text, '[?#]\S*', '?hidden')
where kind = 'webhook_paused' and text ~ '[?#]';
