-- Findings of one in {share} entries, two in a hundred of a small record, and as many of each of the eleven months
-- before: violations of one entry each, as the controls raise them, and gaps, which
-- several chunks raise.
INSERT INTO findings_all
(id, kind, control, control_version, severity, time, until, detected, source, system, principal, principal_kind, principal_label, resource, purpose, categories, subjects,
    entry_id, count, facts, chunk, version, `row`)
SELECT
    substring(base64URLEncode(SHA256(if(gap, concat('GP-01', url_template), concat(event_id, toString(back))))), 1, 20) AS id,
    if(gap, 'gap', 'violation'), multiIf(gap, 'GP-01', mark % 3 = 0, 'EX-03', mark % 3 = 1, 'AC-01', 'TL-01'), 1, ['critical', 'high', 'medium'][1 + mark % 3],
    event_time - toIntervalMonth(back) AS at, at, ingest_time - toIntervalMonth(back), source, system_key, principal_id, principal_type, principal_label, url_template, purpose, categories, subjects,
    event_id, 1, map('action', action), chunk, version, `row`
FROM (SELECT *, mark % (20 * {share}) = 7 AS gap FROM entries)
ARRAY JOIN range(12) AS back
WHERE mark % {share} = 7
