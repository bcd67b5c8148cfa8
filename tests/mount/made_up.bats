#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# What no irminfs has made, and others push: one bad file is the trouble of who
# touches it, and of nobody else.
bats_require_minimum_version 1.5.0
load common

MADE_UP=$BATS_TEST_DIRNAME/made_up.py

# Of the ways to change them; MADE_UP_SHARE=1 in the environment: all.  Fewer with
# sanitizers, which are slow.
prepare() {
	SHARE=${MADE_UP_SHARE:-2} FEW=5
	grep -q __asan_init "$IRMINFS-whole" 2>/dev/null && SHARE=10 FEW=10
	return 0
}

# published: no branch has anything that cannot be committed
published() {
	local branch
	"$IRMINFS" publish --store "$STORE"
	for branch in "$M"/*; do
		# a program each
		[ "$SHARE" -lt 10 ] || break
		"$IRMINFS" publish -C "$branch" >/dev/null
	done
	run ! grep -q "cannot be committed" "$T/log"
}

@test "a rope that somebody made up does not stop its branch" {
	git init -q --bare -b good "$STORE"
	python3 "$MADE_UP" make "$STORE"
	start
	python3 "$MADE_UP" change "$M" "$SHARE" >"$T/expected"
	python3 "$MADE_UP" check "$M" <"$T/expected"
	# what is not wrong is not refused
	run grep -E '^\["(good|bytes|high|single)\.' "$T/expected"
	[ "${#lines[@]}" -eq $((40 / SHARE)) ]
	[[ $output != *E* && $output != *refused* ]]
	published
	restart
	python3 "$MADE_UP" check "$M" <"$T/expected"
	published
}

@test "what was done to a made-up rope is there after a crash" {
	git init -q --bare -b good "$STORE"
	python3 "$MADE_UP" make "$STORE"
	start
	python3 "$MADE_UP" change "$M" "$FEW" >"$T/expected"
	sync "$M"/*/other
	crash
	start
	python3 "$MADE_UP" check "$M" <"$T/expected"
	published
}

@test "a damaged rope that is to become a blob stays a rope" {
	git init -q --bare -b good "$STORE"
	python3 "$MADE_UP" make "$STORE"
	start
	cd "$M/chunk-missing"
	mv f.rope plain
	echo more >>plain
	sync plain
	[ "$(store_git cat-file -t chunk-missing:plain)" = tree ]
	[ "$(dd if=plain iflag=direct,skip_bytes bs=5 skip=56000 \
		status=none)" = more ]
	cd /
	published
}
