# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# A PostgreSQL server in the folder of a branch, for the tests that have one.
#   $S a folder outside of the mount   $D the cluster   $BIN the programs
# The server refuses to run as root, so all of it is nobody's.

prepare_server() {
	[ "$(id -u)" -eq 0 ] || skip "needs other users"
	BIN=$(find /usr/lib/postgresql -name initdb -printf '%h\n' 2>/dev/null |
		sort -V | tail -n 1)
	[ -n "$BIN" ] || skip "postgresql is not installed"
	chmod a+x "$BATS_RUN_TMPDIR" "$(dirname "$T")" "$T"
	S=$T/outside
	D=$M/main/pg/data
	mkdir "$S"
	chown nobody "$S"
}

# end_servers: one that a failed test left would hold the mount
end_servers() {
	local file pid
	for file in "$M"/*/pg/data/postmaster.pid; do
		[ -r "$file" ] && read -r pid <"$file" || continue
		kill -QUIT "$pid" 2>/dev/null && wait_for 10 ended "$pid"
	done
}

# as_nobody COMMAND...: it may outlive the test's shell, but not hold its pipes
as_nobody() {
	(cd "$S" && HOME=$S setpriv --reuid 65534 --regid 65534 --clear-groups "$@" 3>&-)
}

server() {
	as_nobody "$BIN/pg_ctl" -D "$D" -w -t 60 -l "$S/log" \
		-o "-k $S -c listen_addresses= -c shared_buffers=16MB" "$@" >/dev/null ||
		{ tail -n 20 "$S/log"; return 1; }
}

query() {
	as_nobody "$BIN/psql" -h "$S" -XAtc "$1" postgres
}

# begin_cluster: a running server with pgbench's tables
begin_cluster() {
	start -o allow_other
	mkdir "$M/main/pg"
	chown nobody "$M/main/pg"
	as_nobody "$BIN/initdb" -D "$D" -A trust --no-locale -E UTF8 >"$S/initdb" ||
		{ cat "$S/initdb"; return 1; }
	server start
	as_nobody "$BIN/pgbench" -h "$S" -iq postgres 2>/dev/null
}

# bench SECONDS: each transaction that was acknowledged has a line in $S/done.*
bench() {
	as_nobody "$BIN/pgbench" -h "$S" -n -c 4 -j 2 -T "$1" -l \
		--log-prefix="$S/done" postgres
}

acknowledged() {
	cat "$S"/done.* | wc -l
}

# balanced: what a transaction changes in four tables is there, or nothing of it
balanced() {
	[ "$(query 'select (select sum(abalance) from pgbench_accounts) = sum(delta)
		and (select sum(tbalance) from pgbench_tellers) = sum(delta)
		and (select sum(bbalance) from pgbench_branches) = sum(delta)
		from pgbench_history')" = t ]
}

# whole: all that was acknowledged is in the tables, and nothing by halves.  Of each
# client at most one transaction was under way.
whole() {
	local count
	count=$(query "select count(*) from pgbench_history")
	echo "there $count, acknowledged $(acknowledged)"
	[ "$count" -ge "$(acknowledged)" ]
	[ "$count" -le $(($(acknowledged) + 4)) ]
	balanced
}

# bench_until WORDS: the server writes them to its log and ends
bench_until() {
	! bench 300 >"$S/said" 2>&1
	tail -n 5 "$S/log"
	grep -q "$1" "$S/log"
	[ "$(acknowledged)" -gt 10 ]
	server -m immediate stop || true
}

# check_again: what was acknowledged is there after a restart, and it works
check_again() {
	server start
	whole
	bench 1 >/dev/null
	balanced
	server stop
}
