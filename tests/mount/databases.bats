#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# PostgreSQL in the folder of a branch, and what it acknowledged after a crash.
load common

# The server refuses to run as root, so all of it is nobody's.
prepare() {
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

# A server that a failed test left would hold the mount.
teardown() {
	local file pid
	for file in "$M"/*/pg/data/postmaster.pid; do
		[ -r "$file" ] && read -r pid <"$file" || continue
		kill -QUIT "$pid" 2>/dev/null && wait_for 10 ended "$pid"
	done
	end_mount
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

@test "PostgreSQL works, is stopped and started, and is forked while it is down" {
	begin_cluster
	bench 3 >"$S/said"
	grep -q "number of failed transactions: 0 " "$S/said"
	count=$(query "select count(*) from pgbench_history")
	[ "$count" -eq "$(acknowledged)" ]
	[ "$count" -gt 10 ]
	balanced
	server stop
	cd /
	restart -o allow_other
	server start
	[ "$(query "select count(*) from pgbench_history")" -eq "$count" ]
	query "vacuum full" >/dev/null
	query "reindex database postgres" >/dev/null
	server stop
	mkdir "$M/main/.irmin/fork/copy"
	D=$M/copy/pg/data
	server start
	query "delete from pgbench_history" >/dev/null
	server stop
	D=$M/main/pg/data
	server start
	[ "$(query "select count(*) from pgbench_history")" -eq "$count" ]
	balanced
	server stop
}

@test "PostgreSQL finds each acknowledged transaction after the daemon was killed" {
	begin_cluster
	# in the middle: some are done, none is the last
	bench 60 >"$S/said" 2>&1 &
	local bench=$!
	wait_for 20 sh -c "ls '$S'/done.* >/dev/null 2>&1"
	sleep 3
	read -r pid <"$D/postmaster.pid"
	crash
	! wait "$bench"
	wait_for 30 ended "$pid"
	start -o allow_other
	server start
	count=$(query "select count(*) from pgbench_history")
	echo "there $count, acknowledged $(acknowledged)"
	[ "$(acknowledged)" -gt 10 ]
	# of each client at most one was under way
	[ "$count" -ge "$(acknowledged)" ]
	[ "$count" -le $(($(acknowledged) + 4)) ]
	balanced
	bench 1 >/dev/null
	balanced
	server stop
}
