#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# PostgreSQL in the folder of a branch, and what it acknowledged after a crash.
load common
load postgres

prepare() {
	prepare_server
}

teardown() {
	end_servers
	end_mount
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
	[ "$(acknowledged)" -gt 10 ]
	whole
	bench 1 >/dev/null
	balanced
	server stop
}
