-- Entries of a company with a web shop (nginx), a desk for its staff (Envoy) and
-- an interface for batch jobs (HAProxy), 40 lines a second in all. {rows}
-- consecutive entries from {from} on; an entry is a function of its number.
--
-- As in real logs: a stream comes in batches of 5,000 lines, in the order of its
-- times but for the length of requests; a person makes some ten requests in a
-- visit; few persons, networks and pages make most of the lines. Of the shop's
-- visits four in nine are of customers who signed in; of a batch job's requests each is about
-- another customer. Pseudonyms of customers are the day's, those of staff are not.
INSERT INTO {table}
(schema_version, event_time, ingest_time, source, source_format, time_quality, stream, generation, `offset`, parse_status, integrity,
    principal_id, principal_type, principal_auth, principal_verified, principal_org, principal_label, session_id, peer_ip, client_ip, client_port,
    client_country, client_app, request_id, protocol, operation, action, resource_type, system_key, dataset, url_template, resource_declared,
    query_keys, subjects, subject_kinds, subject_categories, subject_count, categories, special_category, found_kinds, found_places,
    purpose, purpose_source, purpose_documented, data_use, legal_basis, service_country, transfer_kind, tls_version, status_code, outcome,
    bytes_out, duration_us, upstream, labels, method, target, host, referer, user_agent, carries, chunk, version, `row`, mark)
WITH
    number AS n,
    intHash64(intDiv(n, 5000)) AS batch,
    multiIf(batch % 20 < 11, 'shop', batch % 20 < 17, 'desk', 'jobs') AS site,
    intDiv(batch, 32) % 2 AS which,
    cityHash64(n, 1) AS a, cityHash64(n, 2) AS b, cityHash64(n, 3) AS c,
    -- 64 visits run at once; each slot begins a new one every 640 lines.
    a % 64 AS slot,
    cityHash64(slot, intDiv(n + slot * 37, 640)) AS visit,
    toInt64(1793491200000000000) + toInt64(n) * 25000000 AS at,
    multiIf(site = 'shop', intDiv(at + toInt64(b % 60000000), 1000000000) * 1000000000, intDiv(at + toInt64(b % 400000000), 1000000) * 1000000) AS nanos,
    intDiv(at, 86400000000000) AS day,
    substring(lower(hex(cityHash64(day, 7))), 1, 7) AS day_key,
    toUInt64(200000 * pow((visit % 1000003) / 1000003., 2)) AS visitor,
    if(site = 'jobs', c % 200000, visitor) AS customer,
    concat('v1.', day_key, '.', base64URLEncode(toString(sipHash128(day, customer)))) AS person,
    site = 'shop' AND visit % 9 < 4 AS signed_in,
    toUInt64(400 * pow((visit % 99991) / 99991., 2)) AS agent,
    toUInt64(18 * pow((b % 99991) / 99991., 2)) AS page,
    signed_in AND page < 10 OR site = 'desk' AND page < 15 OR site = 'jobs' AND page < 12 AS personal,
    multiIf(site = 'shop', toUInt64(12000 * pow((visit % 65521) / 65521., 3)), site = 'desk', 1000000 + visit % 7, 2000000 + visit % 3) AS network,
    concat(toString(10 + network % 190), '.', toString(intDiv(network, 190) % 250), '.', toString(intDiv(network, 47500) % 250), '.0/24') AS net,
    if(site = 'shop', ['GET', 'GET', 'GET', 'GET', 'POST', 'PUT'][1 + b % 6], ['GET', 'GET', 'GET', 'PATCH'][1 + b % 4]) AS verb,
    concat(if(personal, '/v1/customers/{subject:customer_id}', '/p'), ['', '/invoices', '/orders', '/address', '/notes', '/cards', '/visits', '/consents',
        '/claims', '/returns', '/search', '/export', '/health', '/static/{id}', '/images/{id}', '/list', '/products/{id}', '/cart'][1 + page]) AS path,
    [200, 200, 200, 200, 200, 200, 200, 304, 404, 403, 500, 201][1 + c % 12] AS status,
    ['Firefox 128', 'Chrome 131', 'Chrome 130', 'Safari 18', 'Edge 131', 'other'][1 + visit % 6] AS agent_name,
    multiIf(NOT personal, '', site = 'shop', 'account', site = 'desk', ['support', 'support', 'billing', ''][1 + visit % 4], 'billing') AS why
SELECT
    1, fromUnixTimestamp64Nano(nanos, 'UTC'), fromUnixTimestamp64Nano(toInt64(1793491200000000000) + toInt64(intDiv(n, 5000)) * 125000000000 + 130000000000, 'UTC'),
    site, multiIf(site = 'shop', 'nginx:combined', site = 'desk', 'envoy:json', 'haproxy:http'), 'zoned',
    concat(site, '-', ['gVHJNbvmK6e', '4JajNbS2gjc'][1 + which]), 0, n * 210 + b % 60, 'ok', 'ok',
    multiIf(signed_in, person, site = 'desk', concat('v1.wozju5a.', base64URLEncode(toString(sipHash128('staff', agent)))),
        site = 'jobs', concat('v1.wozju5a.', base64URLEncode(toString(sipHash128('job', visit % 12)))), ''),
    multiIf(signed_in, 'self', site = 'desk', 'staff', site = 'jobs', 'service', 'anonymous'), multiIf(site = 'shop', 'basic', site = 'desk', 'mtls', 'none'),
    site != 'shop' OR signed_in, if(site = 'shop', '', 'own'), multiIf(site = 'desk', concat('Support (agent ', toString(agent), ')'), site = 'jobs', 'Batch jobs', ''),
    '', if(site = 'shop', net, '10.30.4.0/24'), net, if(site = 'shop', 0, 1024 + c % 64000),
    if(site = 'shop', ['DE', 'DE', 'DE', 'FR', 'BR', 'US', 'PT', 'AT'][1 + network % 8], ''), agent_name,
    if(site = 'desk', concat('v1.', day_key, '.', base64URLEncode(toString(sipHash128(n, 'request')))), ''), 'http', verb,
    multiIf(verb = 'GET', 'read', verb = 'POST', 'create', 'update'), 'endpoint', if(site = 'desk', 'crm', 'shop'),
    if(personal, 'customers', ''), concat(verb, ' ', path), personal,
    if(page % 4 = 3, ['page', 'sort'], []), if(personal, [person], []), if(personal, ['customer_id'], []), if(personal, ['customer'], []), if(personal, 1, 0),
    if(personal, if(page < 3, ['user.contact', 'user.name'], ['user.financial']), []), page = 12 AND personal,
    if(c % 200 = 0, ['email'], []), if(c % 200 = 0, ['query'], []),
    why, multiIf(why = '', 'none', site = 'desk', 'stated', 'inferred'), why != '', if(why = '', '', concat('essential.service.', why)),
    if(why = '', '', 'GDPR 6(1)(b), LGPD 7-V'), 'DE', if(personal, 'none', 'unknown'), if(site = 'desk', ['1.3', '1.2'][1 + (visit % 10 = 0)], ''),
    status, multiIf(status = 403, 'denied', status = 500, 'error', 'allowed'),
    if(status = 304, 0, c % 60000), if(site = 'shop', 0, 1000 * (1 + c % 900)), if(site = 'shop', '', concat('10.20.4.', toString(visit % 5), ':8080')),
    map('site', if(site = 'desk', 'office', 'web')), verb, concat(path, if(page % 4 = 3, '?page=&sort=', '')),
    if(site = 'desk', 'crm.example', ''), if(site = 'shop' AND c % 2 = 0, 'https://shop.example', ''), agent_name,
    if(site = 'desk', ['tls', 'purpose', 'principal', 'target', 'outcome'], ['principal', 'target', 'outcome']),
    concat('lines.v1-', toString(intDiv(n, 100000) % 2), '-', toString(intDiv(n, 100000)), '-', substring(hex(cityHash64(intDiv(n, 100000), 9)), 1, 8)), 1,
    n % 100000, toUInt32(c)
FROM numbers({from}, {rows})
