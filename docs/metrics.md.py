p='docs/metrics.md'; s=open(p).read()
def r(a,b):
    global s
    assert a in s,a
    s=s.replace(a,b)
r('''usher counts what it does and tells it to [Prometheus](https://prometheus.io), or to whatever reads its format. It is off
by default: `GET /metrics` is a 404 then. Switched on, it answers superusers, and whoever sends the token for it:''','''usher exports metrics for [Prometheus](https://prometheus.io) and compatible tools. They are off by default: `GET /metrics` is
then a 404. If they are on, superusers and clients with the metrics token can read them:''')
r('''The token opens this one door. It needs at least 32 characters and is compared in constant time.''','''The token is good for this route only. It needs at least 32 characters and is compared in constant time.''')
r('| metric | kind | what |','| metric | type | meaning |')
for a,b in [
('| requests that were answered |','| answered requests |'),
('| from the request\'s head to its answer, the wait for its body included |','| time from the request head to the response, including the wait for the body |'),
('`refused` (a wrong password and an unknown name are one)','`refused` (wrong password or unknown name)'),
('`failed` (busy, or the database)','`failed` (busy, or a database error)'),
('| passwords that were hashed |','| hashed passwords |'),
('| passwords that wait for it; no more than can be hashed in seven seconds |','| passwords waiting to be hashed; at most as many as can be hashed in seven seconds |'),
('| how long they waited |','| how long passwords waited |'),
('| passwords that were not taken, as too many waited |','| passwords refused because too many were waiting |'),
('| writes that shared one transaction, and so one sync of the disk |','| writes per transaction, which share one sync of the disk |'),
('| how long a transaction took, its sync included |','| duration of a transaction, including its sync |'),
('| writes that were lost with their transaction, and answered with 503 or 507 |','| writes whose transaction failed, answered with 503 or 507 |'),
('| what waits for the database: `read`, `write` |','| jobs waiting for the database: `read`, `write` |'),
('| sessions that have not ended |','| active sessions |'),
('| sizes of the `database` and of its write-ahead `log` |','| size of the `database` and of its write-ahead `log` |'),
('| when the server started |','| start time of the server |'),
]: r(a,b)
i=s.index('A route is a line'); j=s.index('## Prometheus')
s=s[:i]+'''`route` is an entry of usher's route table, such as `/api/v1/users/{user_id}`, never the requested path. A request without a
route counts as `route="none",method="other"`; HEAD counts as GET. So clients can't create labels, and labels contain no names or
addresses.

Not counted: connections that never send a valid request head, CORS preflights from other origins, and requests whose client
hangs up before the response.

While the database can't be read, `usher_sessions`, `usher_users` and `usher_database_bytes` are missing; the others are there.

'''+s[j:]
r('''has a configuration to begin with, nine alert rules, and tests of the rules:''','''has an example configuration, nine alert rules, and tests for the rules:''')
r('Some questions to ask:','Useful queries:')
r('''Behind a proxy, let Prometheus ask usher itself, or keep `/metrics` from the outside there; without the token it is a 403.''','''Behind a proxy, let Prometheus connect to usher directly, or block `/metrics` in the proxy. Without the token it is a 403.''')
r('## What it costs','## Cost')
r('''Requests are timed and counted only while metrics are on. On two shared virtual cores, `wrk -t1 -c8 -d4s` against two servers
in turn, six rounds: `whoami` 34,679 requests a second without and 34,535 with metrics (the rounds of one server differ by
more than 10,000), `/health` 71,231 and 71,804. A scrape counts the sessions: 40 ms with a million of them, on one of the
threads that read.''','''usher times and counts requests only if metrics are on. Measured on two shared virtual cores with `wrk -t1 -c8 -d4s`, against
two servers in turn, six rounds: `whoami` 34,679 requests per second without and 34,535 with metrics (the rounds of one server
differ by more than 10,000), `/health` 71,231 and 71,804. A scrape counts the sessions on a reader thread: 40 ms with a
million sessions.''')
r('''`tests/api/metrics.rs` holds who is answered, what is counted, and that no request makes a label. `.ci/metrics` reads the
answer of a real server with Prometheus' own parsers, in Python and in `promtool`, and checks what is under
`packaging/prometheus`.''','''`@METRICS@` tests who can read the metrics, what they count, and that no request creates a label. `.ci/metrics` parses the
metrics of a real server with Prometheus' own parsers, in Python and in `promtool`, and checks the files in
`packaging/prometheus`.''')
import glob
s=s.replace('@METRICS@',[f for f in('tests/routes/metrics.rs','tests/api/metrics.rs') if __import__('os').path.exists(f)][0])
open(p,'w').write(s)
