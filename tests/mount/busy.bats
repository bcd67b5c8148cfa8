#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Merges into branches, and pushes to them, while programs sync all the time.
# shellcheck disable=SC2034,SC2153
load common

# work BRANCH NAME [claim]: in the background, until $T/end is there
work() {
	python3 "$BATS_TEST_DIRNAME/busy_queue.py" "$M/$1" "$2" "$T/end" \
		"${@:3}" >"$T/did.$2" 2>"$T/error.$2" 3>&- &
	WORKERS+=($!)
}

teardown() {
	local pid
	touch "$T/end"
	for pid in "${WORKERS[@]}"; do
		wait "$pid" || true
	done
	end_mount
}

# within SECONDS COMMAND...: says how long it took, and fails if it was longer
within() {
	local begin=${EPOCHREALTIME/./} took
	timeout "$@" || { echo "failed: ${*:2}"; return 1; }
	took=$((${EPOCHREALTIME/./} - begin))
	echo "$((took / 1000)) ms: ${*:2}"
}

# push_from_clone TEXT: a commit on what main was a moment ago; by force, since it
# has moved on by then, and again when it moves while git looks at it
push_from_clone() {
	local i
	git -C "$T/clone" fetch -q
	git -C "$T/clone" reset -q --hard origin/main
	echo "$1" >"$T/clone/pushed"
	git -C "$T/clone" add pushed
	git -C "$T/clone" commit -qm "$1"
	for i in {1..20}; do
		git -C "$T/clone" push -qf origin HEAD:main && return 0
	done
	return 1
}

@test "merges and pushes come through while six programs push and claim with fsync" {
	local i
	WORKERS=()
	start
	queue
	mkdir "$M/main/done"
	echo keep >"$M/main/done/keep"
	mkdir "$M/main/.irmin/fork/other"
	git clone -q "$STORE" "$T/clone"
	for i in 1 2 3 4; do
		work main "m$i" claim
	done
	for i in 1 2; do
		work other "o$i"
	done
	sleep 1
	for i in 1 2 3 4; do
		within 20 "$IRMINFS" merge -C "$M" other main
		within 20 "$IRMINFS" merge -C "$M" main other
		push_from_clone "$i"
		within 20 sh -c "until grep -qsx $i '$M/main/pushed'; do sleep 0.1; done"
	done
	touch "$T/end"
	for i in "${WORKERS[@]}"; do
		wait "$i"
	done
	WORKERS=()

	# everything that was pushed is there or was claimed, by one
	"$IRMINFS" merge -C "$M" other main
	restart
	cat "$T"/did.* >"$T/did"
	sed -n 's/^push //p' "$T/did" | sort >"$T/pushed"
	{
		sed -n 's/^claim //p' "$T/did"
		find "$M/main/jobs" -type f -exec awk 1 {} +
	} | sort >"$T/found"
	[ "$(wc -l <"$T/pushed")" -gt 100 ]
	diff "$T/pushed" "$T/found"
	store_git fsck --strict --no-dangling
}
