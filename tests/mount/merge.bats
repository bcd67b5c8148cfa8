#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Merging branches by mv -T and by .irmin/merge; conflicts and resolution.
load common

prepare() {
	git init -q "$T/work"
	cd "$T/work"
	seq 20 >numbers
	mkdir dir
	echo same >dir/same
	git add -A
	git commit -qm base
	git clone -q --bare . "$STORE"
	cd /
}

fork() {
	mkdir "$M/main/.irmin/fork/$1"
}

@test "mv -T merges both sides' changes and takes the source away" {
	start
	fork a
	sed -i 's/^5$/five/' "$M/a/numbers"
	echo new >"$M/a/dir/new"
	sed -i 's/^15$/fifteen/' "$M/main/numbers"
	exec 5<"$M/main/dir/same"
	mv -T "$M/a" "$M/main"
	[ "$(ls "$M")" = main ]
	grep -qx five "$M/main/numbers"
	grep -qx fifteen "$M/main/numbers"
	[ "$(cat "$M/main/dir/new")" = new ]
	[ "$(cat <&5)" = same ]
	exec 5<&-
	[ "$(store_git log -1 --format=%P main | wc -w)" -eq 2 ]
	[ "$(store_git show main:numbers)" = "$(cat "$M/main/numbers")" ]
	store_git fsck --strict
	restart
	grep -qx five "$M/main/numbers"
}

@test "a fast-forward makes no merge commit" {
	start
	fork a
	echo 1 >"$M/a/f"
	mv -T "$M/a" "$M/main"
	[ "$(cat "$M/main/f")" = 1 ]
	[ "$(store_git log -1 --format=%P main | wc -w)" -eq 1 ]
}

@test "writing to .irmin/merge merges and keeps the source" {
	start
	fork a
	echo 1 >"$M/a/f"
	echo 2 >"$M/main/g"
	echo a >"$M/main/.irmin/merge"
	[ "$(cat "$M/main/f")" = 1 ]
	[ -e "$M/a/f" ]
	[ ! -e "$M/a/g" ]
}

@test "mv -T across parents merges too" {
	start
	fork x%2Fa
	echo 1 >"$M/x/a/f"
	echo 2 >"$M/main/g"
	mv -T "$M/x/a" "$M/main"
	[ "$(cat "$M/main/f" "$M/main/g" | xargs)" = "1 2" ]
	[ "$(ls "$M")" = main ]
	fork b
	echo 3 >"$M/b/h"
	fork y%2Fc
	mv -T "$M/b" "$M/y/c"
	[ "$(cat "$M/y/c/h")" = 3 ]
}

@test "a conflict refuses, disturbs nothing, and is reported" {
	start
	fork a
	sed -i 's/^5$/five/' "$M/a/numbers"
	sed -i 's/^5$/FIVE/' "$M/main/numbers"
	run mv -T "$M/a" "$M/main"
	[ "$status" -ne 0 ]
	[[ $output == *"not empty"* ]]
	grep -qx five "$M/a/numbers"
	grep -qx FIVE "$M/main/numbers"
	c=$M/a/.irmin/conflicts/1
	[ "$(cat "$c/path")" = numbers ]
	grep -qx 5 "$c/base"
	grep -qx FIVE "$c/ours"
	grep -qx five "$c/theirs"
	grep -q '<<<<<<<' "$c/merged"
	grep -q main "$c/with"
	restart
	[ "$(cat "$M/a/.irmin/conflicts/1/path")" = numbers ]
}

@test "files of a conflict have the permissions of the file" {
	start
	fork a
	chmod 600 "$M/a/numbers"
	sed -i 's/^5$/five/' "$M/a/numbers"
	sed -i 's/^5$/FIVE/' "$M/main/numbers"
	printf 'echo 1\n' >"$M/a/script"
	printf 'echo 2\n' >"$M/main/script"
	chmod 750 "$M/a/script" "$M/main/script"
	run mv -T "$M/a" "$M/main"
	[ "$status" -ne 0 ]
	cd "$M/a/.irmin/conflicts"
	[ "$(stat -c %a 1/base 1/ours 1/theirs 1/merged | sort -u)" = 400 ]
	[ "$(stat -c %a 1/path)" = 444 ]
	[ "$(cat 2/path)" = script ]
	[ "$(stat -c %a 2/ours 2/theirs | sort -u)" = 550 ]
	[ "$(./2/ours)" = 2 ]
	cd /
}

@test "an edited file resolves, an untouched one does not" {
	start
	fork a
	sed -i 's/^5$/five/' "$M/a/numbers"
	sed -i 's/^5$/FIVE/' "$M/main/numbers"
	run mv -T "$M/a" "$M/main"
	[ "$status" -ne 0 ]
	run rm -r "$M/a/.irmin/conflicts/1"
	[ "$status" -ne 0 ]
	sed -i 's/^five$/Five/' "$M/a/numbers"
	rm -r "$M/a/.irmin/conflicts/1"
	[ -z "$(ls "$M/a/.irmin/conflicts")" ]
	echo more >"$M/main/more"
	mv -T "$M/a" "$M/main"
	grep -qx Five "$M/main/numbers"
	[ "$(cat "$M/main/more")" = more ]
}

@test "irminfs resolve takes a side" {
	start
	for side in ours theirs as-is; do
		fork a
		echo "theirs $side" >"$M/a/numbers"
		echo "ours $side" >"$M/main/numbers"
		run mv -T "$M/a" "$M/main"
		[ "$status" -ne 0 ]
		"$IRMINFS" resolve -C "$M" a "--$side"
		mv -T "$M/a" "$M/main"
		case $side in
		ours) [ "$(cat "$M/main/numbers")" = "ours ours" ] ;;
		*) [ "$(cat "$M/main/numbers")" = "theirs $side" ] ;;
		esac
	done
}

@test "changed against deleted is a conflict" {
	start
	fork a
	rm "$M/a/numbers"
	echo changed >>"$M/main/numbers"
	run mv -T "$M/a" "$M/main"
	[ "$status" -ne 0 ]
	[ ! -e "$M/a/.irmin/conflicts/1/theirs" ]
	"$IRMINFS" resolve -C "$M" a --theirs
	mv -T "$M/a" "$M/main"
	[ ! -e "$M/main/numbers" ]
}

@test "a file against a directory is a conflict" {
	start
	fork a
	rm -r "$M/a/dir"
	echo file >"$M/a/dir"
	echo 2 >"$M/main/dir/other"
	run mv -T "$M/a" "$M/main"
	[ "$status" -ne 0 ]
	[ "$(cat "$M/main/dir/other")" = 2 ]
	[ "$(cat "$M/a/dir")" = file ]
}

@test "a path that is open for writing refuses the merge" {
	start
	fork a
	echo theirs >"$M/a/numbers"
	exec 6>>"$M/main/numbers"
	run mv -T "$M/a" "$M/main"
	[ "$status" -ne 0 ]
	[[ $output == *busy* ]]
	exec 6>&-
	mv -T "$M/a" "$M/main"
	[ "$(cat "$M/main/numbers")" = theirs ]
}

@test "merge types follow .gitattributes of the target" {
	start
	echo 'numbers merge=union' >"$M/main/.gitattributes"
	echo '*.ours merge=ours' >>"$M/main/.gitattributes"
	echo '*.bin -merge' >>"$M/main/.gitattributes"
	echo base | tee "$M/main/x.ours" >"$M/main/y.bin"
	fork a
	echo a | tee -a "$M/a/numbers" "$M/a/x.ours" >/dev/null
	echo m | tee -a "$M/main/numbers" "$M/main/x.ours" >/dev/null
	mv -T "$M/a" "$M/main"
	[ "$(tail -2 "$M/main/numbers" | sort | xargs)" = "a m" ]
	[ "$(xargs <"$M/main/x.ours")" = "base m" ]
	fork b
	printf 'b\nbase\n' >"$M/b/y.bin"
	printf 'base\nm\n' >"$M/main/y.bin"
	run mv -T "$M/b" "$M/main"
	[ "$status" -ne 0 ]
}

@test "a driver of the store's Git configuration merges" {
	store_git config merge.sum.driver 'echo $(($(cat %A) + $(cat %B) - $(cat %O))) >%A.new && mv %A.new %A'
	start
	echo 'count merge=sum' >"$M/main/.gitattributes"
	echo 10 >"$M/main/count"
	fork a
	echo 13 >"$M/a/count"
	echo 15 >"$M/main/count"
	mv -T "$M/a" "$M/main"
	[ "$(cat "$M/main/count")" = 18 ]
}

@test "a driver that hangs or dies leaves both branches as they were" {
	store_git config merge.bad.driver 'sleep 1000'
	start -o driver_timeout=1
	echo 'count merge=bad' >"$M/main/.gitattributes"
	echo 10 >"$M/main/count"
	fork a
	echo 13 >"$M/a/count"
	echo 15 >"$M/main/count"
	for driver in 'sleep 1000' 'kill -9 $$' 'exit 200'; do
		store_git config merge.bad.driver "$driver"
		run mv -T "$M/a" "$M/main"
		[ "$status" -ne 0 ]
		[ "$(cat "$M/a/count" "$M/main/count" | xargs)" = "13 15" ]
	done
}

@test "criss-cross merges have several bases" {
	start
	fork a
	sed -i 's/^1$/one/' "$M/main/numbers"
	sed -i 's/^20$/twenty/' "$M/a/numbers"
	echo 'before' >"$M/main/.irmin/commit"
	echo 'before' >"$M/a/.irmin/commit"
	fork m
	mkdir "$M/a/.irmin/fork/n"
	echo n >"$M/main/.irmin/merge"
	echo m >"$M/a/.irmin/merge"
	sed -i 's/^10$/ten/' "$M/main/numbers"
	sed -i 's/^14$/fourteen/' "$M/a/numbers"
	mv -T "$M/a" "$M/main"
	for word in one twenty ten fourteen; do
		grep -qx $word "$M/main/numbers"
	done
}

@test "readers in the target never see old contents after mv -T" {
	start
	cd "$M/main"
	for i in $(seq 30); do
		fork a
		echo "$i" >"$M/a/value"
		cat value 2>/dev/null || true
		mv -T "$M/a" "$M/main"
		[ "$(cat value)" = "$i" ]
		[ "$(cat "$M/main/value")" = "$i" ]
		[ "$(pwd -P)" = "$M/main" ]
		[ ! -e "$M/a" ]
	done
}

@test "a merge of unrelated histories has the empty base" {
	start
	mkdir "$M/other"
	echo 1 >"$M/other/unrelated"
	mv -T "$M/other" "$M/main"
	[ "$(cat "$M/main/unrelated")" = 1 ]
	[ -e "$M/main/numbers" ]
}

@test "changes of the target that are not committed yet survive a merge" {
	start
	fork a
	echo 1 >"$M/a/f"
	echo dirty >"$M/main/dirty"
	mkdir "$M/main/empty"
	mv -T "$M/a" "$M/main"
	[ "$(cat "$M/main/dirty" "$M/main/f" | xargs)" = "dirty 1" ]
	[ -d "$M/main/empty" ]
}
