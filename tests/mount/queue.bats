#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Queues: directories with irmin=queue.

bats_require_minimum_version 1.5.0

load common

prepare() {
	Q=$M/main/jobs
}

# push NAME...: elements that hold their names
push() {
	local name
	for name; do
		echo "$name" >"$Q/$name"
	done
}

# names [DIR]: of the elements, in order
names() {
	ls -U "${1:-$Q}" | tr '\n' ' '
}

@test "files are elements in the order in which they were closed" {
	start
	queue
	[ "$(cat "$Q/.irmin/type")" = queue ]
	push c a b
	[ "$(names)" = "c a b " ]
	exec 7>"$Q/slow"
	push d
	exec 7>&-
	[ "$(names)" = "c a b d slow " ]
	ln -s x "$Q/link"
	[ "$(names)" = "c a b d slow link " ]
	run -1 mkdir "$Q/folder"
	restart
	[ "$(names)" = "c a b d slow link " ]
	[ "$(cat "$Q/slow" "$Q/a")" = a ]
}

@test "what is open is seen by its process alone, until it is closed" {
	start
	queue
	python3 - "$Q" <<-'END'
	import os, subprocess, sys
	q = sys.argv[1]
	def others():
	    return subprocess.run(['ls', '-U', q], capture_output=True,
	                          text=True).stdout.split()
	def other_stat(name):
	    return subprocess.run(['test', '-e', q + '/' + name]).returncode == 0
	f = open(q + '/a', 'w')
	f.write('one')
	f.flush()
	assert others() == [] and not other_stat('a')
	assert os.stat(q + '/a').st_size == 3
	assert open(q + '/a').read() == 'one'
	os.rename(q + '/a', q + '/b')
	assert not other_stat('b') and os.path.exists(q + '/b')
	g = open(q + '/b2', 'w')
	f.close()
	assert others() == ['b'] and other_stat('b')
	os.fsync(g.fileno())
	assert others() == ['b'] and not other_stat('b2')
	g.close()
	assert others() == ['b', 'b2']
	h = open(q + '/never', 'w')
	os.unlink(q + '/never')
	h.close()
	assert others() == ['b', 'b2']
	os.rename(q + '/b2', q + '/../out')
	assert others() == ['b']
	END
	[ "$(names)" = "b " ]
}

@test "a shell's redirections push when all is written" {
	start
	queue
	{
		echo one
		[ "$(names)" = "" ]
		echo two
	} >"$Q/group"
	[ "$(names)" = "group " ]
	[ "$(cat "$Q/group")" = $'one\ntwo' ]
	(echo three; echo four) >"$Q/forked"
	[ "$(cat "$Q/forked")" = $'three\nfour' ]
}

@test "two processes make elements of one name, and lose none" {
	start
	queue
	exec 7>"$Q/x"
	sh -c "echo second >'$Q/x'"
	echo first >&7
	exec 7>&-
	[ "$(names)" = "x x~2 " ]
	[ "$(cat "$Q/x" "$Q/x~2")" = $'second\nfirst' ]
}

@test "renaming into the queue pushes and replaces nothing" {
	start
	queue
	push a
	echo new >"$M/main/t"
	mv "$M/main/t" "$Q/a"
	[ "$(names)" = "a a~2 " ]
	[ "$(cat "$Q/a" "$Q/a~2")" = $'a\nnew' ]
	[ ! -e "$M/main/t" ]
	push b
	mv "$Q/a" "$Q/b"
	[ "$(names)" = "b~2 a~2 b " ]
	mv "$Q/b~2" "$Q/z"
	[ "$(names)" = "z a~2 b " ]
	mkdir "$M/main/folder"
	run -1 mv "$M/main/folder" "$Q/"
	restart
	[ "$(names)" = "z a~2 b " ]
}

@test "opening a name that exists opens that element" {
	start
	queue
	push a b
	echo more >>"$Q/a"
	[ "$(names)" = "a b " ]
	[ "$(cat "$Q/a")" = $'a\nmore' ]
	run -2 sh -c "set -C; echo x >'$Q/a'"
}

@test ".irmin/first is the first element, and renaming it claims" {
	start
	queue
	run -1 cat "$Q/.irmin/first"
	push b a
	[ "$(cat "$Q/.irmin/first")" = b ]
	[ "$(stat -c %i "$Q/.irmin/first")" = "$(stat -c %i "$Q/b")" ]
	mv "$Q/.irmin/first" "$M/main/mine"
	[ "$(cat "$M/main/mine")" = b ]
	[ "$(names)" = "a " ]
	[ "$(cat "$Q/.irmin/first")" = a ]
	mv "$Q/.irmin/first" "$M/main/mine"
	[ "$(cat "$M/main/mine")" = a ]
	run -1 mv "$Q/.irmin/first" "$M/main/mine"
	[ "$(names)" = "" ]
	run -1 rm "$Q/.irmin/first"
}

# claim_all WAY: eight processes claim what is there; prints what they got
claim_all() {
	python3 - "$Q" "$M/main" "$1" <<-'END'
	import os, sys
	q, branch, way = sys.argv[1:]
	pids = []
	for worker in range(8):
	    pid = os.fork()
	    if pid:
	        pids.append(pid)
	        continue
	    got = []
	    mine = '%s/mine-%d' % (branch, worker)
	    while True:
	        try:
	            name = way == 'first' and '.irmin/first'
	            if not name:
	                left = os.listdir(q)
	                if not left:
	                    break
	                name = left[0]
	            os.rename(q + '/' + name, mine)
	        except FileNotFoundError:
	            if way == 'first':
	                break
	            continue
	        got.append(open(mine).read())
	        os.unlink(mine)
	    sys.stdout.write(''.join(got))
	    sys.stdout.flush()
	    os._exit(0)
	for pid in pids:
	    assert os.waitpid(pid, 0)[1] == 0
	END
}

@test "eight processes claim 400 jobs, each exactly once" {
	start
	queue
	local way
	for way in first names; do
		python3 -c '
import sys
for i in range(400):
    open("%s/job-%d" % (sys.argv[1], i), "w").write("%d\n" % i)' "$Q"
		claim_all "$way" >"$T/got"
		[ "$(wc -l <"$T/got")" -eq 400 ]
		[ "$(sort -n "$T/got" | tr '\n' ' ')" = \
			"$(seq 0 399 | tr '\n' ' ')" ]
		[ "$(names)" = "" ]
	done
}

@test "the kernel keeps no names of queues that are out of date" {
	start
	queue
	push a
	restart
	[ -e "$Q/a" ]
	mv "$Q/.irmin/first" "$M/main/x"
	[ ! -e "$Q/a" ]
	push a
	[ "$(cat "$M/main/x")" = a ]
	echo other >"$M/main/x"
	cat "$Q/a" >/dev/null
	mv "$M/main/x" "$Q/a"
	wait_for 5 grep -qx a "$Q/a"
	grep -qx other "$Q/a~2"
	mkdir "$M/main/plain"
	echo 1 >"$M/main/plain/f"
	[ ! -e "$M/main/plain/f~2" ]
	setfattr -n user.irmin.type -v queue "$M/main/plain"
	mv "$M/main/plain/.irmin/first" "$M/main/f"
	wait_for 5 test ! -e "$M/main/plain/f"
	mv "$M/main/f" "$M/main/plain/f"
	echo 2 >"$M/main/f"
	mv "$M/main/f" "$M/main/plain/f"
	wait_for 5 grep -qx 2 "$M/main/plain/f~2"
	grep -qx 1 "$M/main/plain/f"
}

@test "a directory becomes a queue with what is in it" {
	start
	mkdir -p "$M/main/a/jobs"
	echo 2 >"$M/main/a/jobs/b"
	echo 1 >"$M/main/a/jobs/a"
	sync "$M/main"
	Q=$M/main/a/jobs
	setfattr -n user.irmin.type -v queue "$Q"
	grep -qx '/a/jobs irmin=queue' "$M/main/.gitattributes"
	push 0
	[ "$(names)" = "a b 0 " ]
	run -1 setfattr -n user.irmin.type -v queue "$M/main/a"
	run -1 setfattr -n user.irmin.type -v nothing "$M/main"
	run -1 setfattr -n other.name -v x "$Q"
	restart
	[ "$(names)" = "a b 0 " ]
	[ "$(cat "$Q/a" "$Q/b" "$Q/0")" = $'1\n2\n0' ]
	[ "$(store_git status --porcelain 2>&1 | grep -c fatal)" -eq 1 ]
	store_git fsck --strict
}

# type_of DIRECTORY: what it is on main
type_of() {
	cat "$M/main/$1/.irmin/type"
}

@test "directories follow lines that are written into .gitattributes at once" {
	start
	mkdir -p "$M/main/jobs" "$M/main/x/jobs/d" "$M/main/q"
	echo 2 >"$M/main/jobs/b"
	echo 1 >"$M/main/jobs/a"
	# the kernel knows all of it, and what is not there
	[ "$(ls "$M/main/jobs" "$M/main/x/jobs" | grep -c .)" -eq 5 ]
	[ ! -e "$M/main/jobs/new" ]
	{
		echo 'jobs irmin=queue' >"$M/main/.gitattributes"
		echo more
	} >>"$M/main/jobs/b"
	Q=$M/main/jobs
	[ "$(type_of jobs)" = queue ]
	# there is more than files in it
	[ "$(type_of x/jobs)" != queue ]
	push new
	push 0
	[ "$(names)" = "a b new 0 " ]
	run ! mkdir "$Q/d"
	# as editors write it
	sed -i 's/^jobs/q/' "$M/main/.gitattributes"
	[ "$(type_of q)" = queue ]
	# what has elements keeps their order
	[ "$(type_of jobs)" = queue ]
	sed -i 's/^q/jobs/' "$M/main/.gitattributes"
	[ "$(type_of q)" != queue ]
	mkdir "$M/main/q/d"
	restart
	[ "$(names)" = "a b new 0 " ]
	[ "$(cat "$Q/b")" = $'2\nmore' ]
	[ -d "$M/main/q/d" ]
	rm "$Q"/*
	rm "$M/main/.gitattributes"
	[ "$(type_of jobs)" != queue ]
	mkdir "$Q/d"
}

# A program writes line by line: what is there in between is no text of the user's.
@test "directories follow a .gitattributes when it is closed" {
	start
	mkdir "$M/main/jobs" "$M/main/src"
	echo 1 >"$M/main/src/a"
	echo 1 >"$M/main/jobs/a"
	python3 - "$M/main" <<'END'
import os, sys
main = sys.argv[1]
def is_queue(name):
    with open(f"{main}/{name}/.irmin/type") as f:
        return f.read().strip() == "queue"
with open(f"{main}/.gitattributes", "wb", buffering=0) as f:
    f.write(b"* irmin=queue\n")
    os.unlink(f"{main}/jobs/a")
    assert not is_queue("src") and not is_queue("jobs")
    f.write(b"src -irmin\n")
END
	[ "$(type_of src)" != queue ]
	[ "$(type_of jobs)" = queue ]
}

# What a queue does not show does not go with it.
@test "a queue that hides files of before cannot be removed" {
	start
	echo '*.o' >"$M/main/.gitignore"
	mkdir -p "$M/main/k/d"
	echo 1 >"$M/main/k/a"
	echo obj >"$M/main/k/x.o"
	echo 'k irmin=queue' >"$M/main/.gitattributes"
	restart
	[ "$(type_of k)" = queue ]
	rm "$M/main/k/a"
	run ! rmdir "$M/main/k"
	rm "$M/main/.gitattributes"
	restart
	[ "$(cat "$M/main/k/x.o")" = obj ]
	rm -r "$M/main/k/x.o" "$M/main/k/d"
	rmdir "$M/main/k"
}

@test "directories follow lines that git brings" {
	start
	mkdir "$M/main/jobs"
	echo 1 >"$M/main/jobs/a"
	sync "$M/main/jobs/a"
	[ ! -e "$M/main/jobs/new" ]
	store_git clone -q "$STORE" "$T/clone"
	echo 'jobs irmin=queue' >"$T/clone/.gitattributes"
	git -C "$T/clone" add .
	git -C "$T/clone" commit -qm queue
	git -C "$T/clone" push -q
	Q=$M/main/jobs
	wait_for 10 eval '[ "$(type_of jobs)" = queue ]'
	push new
	order=$(names)
	# what stood there is first, if the daemon had it in memory; otherwise it
	# is a file of Git in a queue, and last
	[ "$order" = "a new " ] || [ "$order" = "new a " ]
	restart
	[ "$(names)" = "$order" ]
	store_git fsck --strict
}

@test "files that git put into a queue are last" {
	start
	queue
	push a
	sync "$Q/a"
	"$IRMINFS" publish -C "$M/main"
	store_git clone -q "$STORE" "$T/clone"
	echo 1 >"$T/clone/jobs/README"
	git -C "$T/clone" add .
	git -C "$T/clone" commit -qm readme
	git -C "$T/clone" push -q
	wait_for 10 test -e "$Q/README"
	push b c
	[ "$(names)" = "a b c README " ]
	restart
	[ "$(names)" = "a b c README " ]
	rm "$Q/a"
	push d
	[ "$("$IRMINFS" pop "$Q")" = b ]
	[ "$("$IRMINFS" pop "$Q")" = c ]
	[ "$("$IRMINFS" pop "$Q")" = d ]
	[ "$("$IRMINFS" pop "$Q")" = 1 ]
}

@test "an empty queue is there after a remount; rmdir takes its line away" {
	start
	queue deep/jobs
	queue "b *"
	restart
	[ "$(cat "$M/main/deep/jobs/.irmin/type")" = queue ]
	[ "$(cat "$M/main/b */.irmin/type")" = queue ]
	Q=$M/main/deep/jobs
	push a
	mv "$M/main/deep" "$M/main/shallow"
	Q=$M/main/shallow/jobs
	rm "$Q/a"
	restart
	[ "$(cat "$Q/.irmin/type")" = queue ]
	rmdir "$Q"
	rmdir "$M/main/b *"
	restart
	rmdir "$M/main/shallow"
	[ ! -e "$M/main/b *" ]
	[ ! -s "$M/main/.gitattributes" ]
}

@test "the elements of a queue become a folder by renaming" {
	start
	queue
	push a b .c
	push a
	cd "$M/main"
	mkdir plain
	find jobs -mindepth 1 -exec mv -t plain {} +
	rmdir jobs
	mv plain jobs
	cd /
	restart
	[ "$(cat "$Q/.irmin/type")" = directory ]
	[ "$(ls -A "$Q" | sort | tr '\n' ' ')" = ".c a b " ]
	[ ! -e "$M/main/.gitattributes" ]
	[ "$(store_git ls-tree -r --name-only main jobs | wc -l)" = 3 ]
}

@test "a killed daemon loses no element that was synced" {
	start
	queue
	push a b c
	rm "$Q/b"
	sync "$Q"
	push d
	crash
	start
	[ "$(names)" = "a c " ] || [ "$(names)" = "a c d " ]
	push e
	sync "$Q"
	mv "$Q/.irmin/first" "$M/main/mine"
	sync "$M/main"
	crash
	start
	[ "$(cat "$M/main/mine")" = a ]
	[ "$(names | tr -d d | tr -s ' ')" = "c e " ]
	store_git fsck --strict
}

@test "the status names elements" {
	start -o fold=off
	queue
	push a b
	sync "$Q"
	rm "$Q/a"
	push c
	[ "$(cat "$M/main/.irmin/status")" = $'A jobs/c\nD jobs/a' ]
	sync "$Q"
	[ "$(store_git log -1 --format=%s main)" = \
		"Update 2 paths: jobs/a, jobs/c" ]
}

@test "a merge into a queue that nobody has listed is saved" {
	start
	Q=$M/main/a/jobs
	queue a/jobs
	push 1 2
	mkdir "$M/main/.irmin/fork/other"
	echo 3 >"$M/other/a/jobs/3"
	restart
	# known to the kernel, and not what is in it
	stat "$Q" >/dev/null
	echo other >"$M/main/.irmin/merge"
	cat "$M/main/.irmin/status"
	sync "$M/main"
	[ "$(names)" = "1 2 3 " ]
	push 4
	sync "$M/main"
	# and where the folder above moves before that
	echo 5 >"$M/other/a/jobs/5"
	restart
	stat "$Q" >/dev/null
	echo other >"$M/main/.irmin/merge"
	mv "$M/main/a" "$M/main/b"
	sync "$M/main"
	restart
	Q=$M/main/b/jobs
	[ "$(names)" = "1 2 3 4 5 " ]
	[ "$(cat "$Q/5")" = 5 ]
	store_git fsck --strict
}

@test "two branches push and claim, and merge to and fro" {
	start
	queue
	push 1 2 3 4
	mkdir "$M/main/.irmin/fork/other"
	local other=$M/other/jobs round n=10
	: >"$T/main" >"$T/other"
	for round in 1 2 3; do
		push $((n++)) $((n++))
		mv "$Q/.irmin/first" "$M/main/mine"
		cat "$M/main/mine" >>"$T/main"
		rm "$M/main/mine"
		echo $((n++)) >"$other/x$n"
		mv "$other/$(ls -U "$other" | tail -1)" "$M/other/mine"
		cat "$M/other/mine" >>"$T/other"
		rm "$M/other/mine"
		echo $((n++)) >"$other/y$n"
		echo other >"$M/main/.irmin/merge"
		echo main >"$M/other/.irmin/merge"
		[ "$(cd "$Q" && cat $(ls -U))" = \
			"$(cd "$other" && cat $(ls -U))" ]
	done
	while mv "$Q/.irmin/first" "$M/main/mine" 2>/dev/null; do
		cat "$M/main/mine" >>"$T/main"
	done
	# each exactly once: no element was claimed on both
	[ "$(sort -n "$T/main" "$T/other" | tr '\n' ' ')" = \
		"1 2 3 4 $(seq 10 $((n - 1)) | tr '\n' ' ')" ]
	mv -T "$M/other" "$M/main"
	restart
	[ "$(names)" = "" ]
}

@test "a queue that comes with a merge is one at once" {
	start
	mkdir -p "$M/main/jobs"
	echo 1 >"$M/main/jobs/a"
	mkdir "$M/main/.irmin/fork/other"
	setfattr -n user.irmin.type -v queue "$M/other/jobs"
	echo 2 >"$M/other/jobs/0"
	mkdir "$M/other/empty"
	setfattr -n user.irmin.type -v queue "$M/other/empty"
	ls "$Q" "$M/main" >/dev/null
	mv -T "$M/other" "$M/main"
	[ "$(names)" = "a 0 " ]
	[ "$(cat "$Q/.irmin/type")" = queue ]
	[ "$(cat "$M/main/empty/.irmin/type")" = queue ]
}

# removed COMMAND: what is pushed into main's queue while COMMAND takes it away on
# branch other is in a queue, whichever branch gets the merge
removed() {
	queue
	push one two three
	mkdir "$M/main/.irmin/fork/other"
	push four
	mv "$Q/.irmin/first" "$M/main/claimed"
	(cd "$M/other" && "$@")
	[ ! -e "$M/other/jobs" ]
	mkdir "$M/main/.irmin/fork/copy"
	echo other >"$M/copy/.irmin/merge"
	echo main >"$M/other/.irmin/merge"
	local branch
	for branch in copy other; do
		[ "$(cat "$M/$branch/jobs/.irmin/type")" = queue ]
		[ "$(names "$M/$branch/jobs")" = "four " ]
		[ "$(cat "$M/$branch/claimed")" = one ]
	done
	[ "$(cat "$M/copy/.gitattributes")" = \
		"$(cat "$M/other/.gitattributes")" ]
}

@test "what one branch pushes is in a queue when another removes it" {
	start
	removed rm -r jobs
	restart
	[ "$(names "$M/other/jobs")" = "four " ]
	echo five >"$M/other/jobs/five"
	mv -T "$M/other" "$M/main"
	[ "$(names)" = "four five " ]
	[ "$(cat "$Q/.irmin/type")" = queue ]
	stop
	store_git fsck --strict
}

@test "what one branch pushes is in a queue when another renames it" {
	start
	removed mv jobs tasks
	[ "$(names "$M/other/tasks")" = "one two three " ]
	[ "$(cat "$M/other/tasks/.irmin/type")" = queue ]
}

@test "what one branch pushes is in a queue when another removes the empty one" {
	start
	queue
	queue sub/jobs
	mkdir "$M/main/.irmin/fork/other"
	mkdir "$M/main/.irmin/fork/third"
	push one
	echo two >"$M/main/sub/jobs/two"
	rmdir "$M/other/jobs"
	rm -r "$M/other/sub"
	echo main >"$M/other/.irmin/merge"
	[ "$(names "$M/other/jobs")" = "one " ]
	[ "$(names "$M/other/sub/jobs")" = "two " ]
	# what is empty on both sides is gone
	rmdir "$M/third/jobs"
	: >"$M/main/more"
	rm "$Q/one"
	echo third >"$M/main/.irmin/merge"
	[ "$(cat "$M/main/.gitattributes")" = "/sub/jobs irmin=queue" ]
}

@test "branches that make and remove queues of their own merge" {
	start
	queue
	mkdir "$M/main/.irmin/fork/other"
	mkdir "$M/main/.irmin/fork/third"
	queue more
	push one
	rmdir "$M/other/jobs"
	"$IRMINFS" mkqueue "$M/other/others"
	"$IRMINFS" mkqueue "$M/third/thirds"
	mv -T "$M/other" "$M/main"
	mv -T "$M/third" "$M/main"
	[ "$(names)" = "one " ]
	local name
	for name in jobs more others thirds; do
		[ "$(cat "$M/main/$name/.irmin/type")" = queue ]
	done
	restart
	[ "$(cat "$M/main/others/.irmin/type")" = queue ]
}

@test "a branch that makes a queue merges with one that writes .gitattributes" {
	start
	mkdir "$M/main/.irmin/fork/other"
	mkdir "$M/main/.irmin/fork/third"
	queue
	push one
	echo '*.md merge=token' >"$M/other/.gitattributes"
	echo main >"$M/other/.irmin/merge"
	[ "$(names "$M/other/jobs")" = "one " ]
	[ "$(cat "$M/other/.gitattributes")" = \
		$'*.md merge=token\n/jobs irmin=queue' ]
	mv "$M/main/jobs" "$M/main/tasks"
	sed -i 's/token/union/' "$M/other/.gitattributes"
	mv -T "$M/other" "$M/main"
	[ "$(cat "$M/main/.gitattributes")" = \
		$'*.md merge=union\n/tasks irmin=queue' ]
	restart
	[ "$(names "$M/main/tasks")" = "one " ]
	echo '*.c text' >"$M/third/.gitattributes"
	run -1 mv -T "$M/third" "$M/main"
}

@test "what one branch edits stays where another makes a queue of the folder" {
	start
	mkdir "$Q"
	push one two three
	mkdir "$M/main/.irmin/fork/other"
	queue
	echo edited >"$M/other/jobs/one"
	rm "$M/other/jobs/two"
	echo other >"$M/main/.irmin/merge"
	[ "$(names)" = "one three two one~2 " ]
	[ "$(cat "$Q/one")" = one ]
	[ "$(cat "$Q/one~2")" = edited ]
	mv "$Q/one~2" "$Q/again"
	[ "$(cat "$Q/again")" = edited ]
}

@test "commands push, peek and pop" {
	start
	"$IRMINFS" mkqueue "$Q"
	"$IRMINFS" mkqueue "$Q"
	run -1 "$IRMINFS" pop "$Q"
	run -1 "$IRMINFS" peek "$Q"
	echo one | "$IRMINFS" push "$Q" --name job
	echo two >"$T/job"
	"$IRMINFS" push "$Q" "$T/job"
	echo three | "$IRMINFS" push "$Q" -
	[ "$(names)" = "job job~2 element " ]
	[ "$("$IRMINFS" peek "$Q")" = one ]
	[ "$("$IRMINFS" pop "$Q")" = one ]
	"$IRMINFS" pop "$Q" -o "$M/main/mine"
	[ "$(cat "$M/main/mine")" = two ]
	"$IRMINFS" pop "$Q" -o "$T/mine"
	[ "$(cat "$T/mine")" = three ]
	run -1 "$IRMINFS" pop "$Q" -o "$T/mine"
	run -128 "$IRMINFS" pop "$M/main"
	run -128 "$IRMINFS" pop "$Q/none"
	run -129 "$IRMINFS" push "$Q" --name a/b </dev/null
	run -128 "$IRMINFS" mkqueue "$T/elsewhere"
	# durable: nothing comes back
	crash
	start
	[ "$(names)" = "" ]
	[ "$(cat "$M/main/mine")" = two ]
}

@test "pop does not take an element into its own queue" {
	start
	"$IRMINFS" mkqueue "$Q"
	echo one | "$IRMINFS" push "$Q" --name a
	run -128 "$IRMINFS" pop "$Q" -o "$Q/b"
	[[ $output == *"is in the queue"* ]]
	ln -s "$Q" "$T/link"
	run -128 "$IRMINFS" pop "$Q" -o "$T/link/b"
	[ "$(names)" = "a " ]
}

@test "pop leaves nothing where there is nothing, and takes links along" {
	start
	"$IRMINFS" mkqueue "$Q"
	run -1 "$IRMINFS" pop "$Q" -o "$T/mine"
	[ ! -e "$T/mine" ]
	ln -s target "$Q/link"
	run -128 "$IRMINFS" pop "$Q" -o "$T/mine"
	[ ! -e "$T/mine" ]
	"$IRMINFS" pop "$Q" -o "$M/main/mine"
	[ "$(readlink "$M/main/mine")" = target ]
	[ "$(names)" = "" ]
}

@test "what nobody reads from pop goes back" {
	start
	"$IRMINFS" mkqueue "$Q"
	push keep
	mkfifo "$T/pipe"
	# its reader is gone before pop writes
	sh -c "trap - PIPE; exec '$IRMINFS' pop '$Q' --wait >'$T/pipe'" &
	local waiting=$!
	: <"$T/pipe"
	wait "$waiting" || true
	[ "$("$IRMINFS" pop "$Q")" = keep ]
}

@test "pop and push wait for pipes that do not block" {
	start
	"$IRMINFS" mkqueue "$Q"
	python3 - "$IRMINFS" "$Q" <<-'END'
	import os, subprocess, sys, time
	irminfs, queue = sys.argv[1:]
	data = os.urandom(500000)
	out, into = os.pipe2(os.O_NONBLOCK)
	os.set_blocking(into, True)
	push = subprocess.Popen([irminfs, "push", queue, "-"], stdin=out)
	os.close(out)
	time.sleep(0.2)
	os.write(into, data)
	os.close(into)
	assert push.wait() == 0
	out, into = os.pipe2(os.O_NONBLOCK)
	os.set_blocking(out, True)
	pop = subprocess.Popen([irminfs, "pop", queue], stdout=into)
	os.close(into)
	time.sleep(0.2)
	assert open(out, "rb").read() == data
	assert pop.wait() == 0
	END
	[ -z "$(names)" ]
}

@test "what pop cannot print is not lost" {
	start
	"$IRMINFS" mkqueue "$Q"
	push keep
	run -128 bash -c "'$IRMINFS' pop '$Q' 2>&1 >/dev/full"
	[[ "$output" = *"No space left on device; the element went back"* ]]
	[ "$(names)" = "popped " ]
	run -128 bash -c "'$IRMINFS' pop '$Q' >&-"
	[ "$(cat "$Q"/*)" = keep ]
	# a limit on files that also the queue would be under
	run -128 bash -c "ulimit -f 0; '$IRMINFS' pop '$Q' >'$T/out'"
	[ "$(cat "$Q"/*)" = keep ]
	[ "$("$IRMINFS" pop "$Q")" = keep ]
}

@test "mkqueue says why it makes none, and leaves nothing behind" {
	start
	cd "$M/main"
	echo 1 >file
	mkfifo fifo
	mkdir linked fifos ignored
	echo 1 >linked/a
	ln linked/a linked/b
	mkfifo fifos/a
	echo '*.o' >.gitignore
	echo 1 >ignored/a.o
	local name
	for name in file fifo; do
		run -128 "$IRMINFS" mkqueue $name
		[[ "$output" = *"$name: it is no directory" ]]
	done
	for name in linked fifos ignored; do
		run -128 "$IRMINFS" mkqueue $name
		[[ "$output" = *"hard links or ignored files" ]]
	done
	run -128 "$IRMINFS" mkqueue "$M/new"
	[[ "$output" = *"not inside a branch"* ]]
	mkdir "$M/space%2Fb"
	run -128 "$IRMINFS" mkqueue "$M/space/new"
	[[ "$output" = *"not inside a branch"* ]]
	run -128 "$IRMINFS" mkqueue "$M/none/new"
	[[ "$output" = *"No such file or directory"* ]]
	[ "$("$IRMINFS" branches --names)" = $'main\nspace/b' ]
	rm -f .gitattributes
	mkdir .gitattributes
	run -128 "$IRMINFS" mkqueue jobs
	[ ! -e jobs ]
	rmdir .gitattributes
	"$IRMINFS" mkqueue jobs/
	[ "$(cat jobs/.irmin/type)" = queue ]
	[ "$("$IRMINFS" branches --dropped)" = "" ]
	cd /
}

@test "push says what is wrong with a name, and keeps nothing" {
	start
	"$IRMINFS" mkqueue "$Q"
	local long
	long=$(printf '%0236d' 0)
	run -128 "$IRMINFS" push "$Q" --name "$long" <<<text
	[[ "$output" = *"$long\" cannot be the name"*": File name too long"* ]]
	run -128 "$IRMINFS" push "$Q" --name .git <<<text
	[[ "$output" = *'".git" cannot be the name of an element: Operation'* ]]
	run -128 "$IRMINFS" push "$Q" --name .irmin <<<text
	[[ "$output" = *'".irmin" cannot be the name of an element'* ]]
	run -129 "$IRMINFS" push "$Q" --name . <<<text
	[[ "$output" = *'"." cannot be the name of an element'* ]]
	run -129 "$IRMINFS" push "$Q" --name .. <<<text
	[[ "$output" = *'".." cannot be the name of an element'* ]]
	[ "$(ls -A "$Q")" = "" ]
}

@test "a push that is killed leaves no half element" {
	start
	"$IRMINFS" mkqueue "$Q"
	mkfifo "$T/pipe"
	local signal pid
	for signal in TERM KILL; do
		"$IRMINFS" push "$Q" -n job <"$T/pipe" &
		pid=$!
		exec 7>"$T/pipe"
		echo half >&7
		wait_for 10 eval 'ls -l /proc/'$pid'/fd | grep -q main/jobs/'
		kill -"$signal" "$pid"
		wait "$pid" || true
		exec 7>&-
		[ "$(ls -A "$Q")" = "" ]
	done
	restart
	[ "$(ls -A "$Q")" = "" ]
	rmdir "$Q"
}

@test "no element of the longest name is lost to another of that name" {
	start
	queue
	local long first second
	long=$(printf '%0235d' 0)
	mkfifo "$T/go"
	{ read -r _ <"$T/go" || true; echo one; } >"$Q/$long" &
	first=$!
	{ sleep 0.3; echo two; } >"$Q/$long" &
	second=$!
	wait "$second"
	: >"$T/go"
	wait "$first"
	[ "$(cat "$Q"/* | sort | tr '\n' ' ')" = "one two " ]
	[ "$(ls -U "$Q" | tail -n 1)" = "${long:2}~2" ]
	echo three >"$M/main/third"
	mv -T "$M/main/third" "$Q/$long"
	[ "$(ls -U "$Q" | tail -n 1)" = "${long:2}~3" ]
	restart
	[ "$(cat "$Q"/* | sort | tr '\n' ' ')" = "one three two " ]
}

@test "on a full disk no element is lost, and none is pushed that push refused" {
	mkdir "$T/small"
	mount -t tmpfs -o size=24m none "$T/small" || skip "no tmpfs"
	STORE=$T/small/store.git
	start
	"$IRMINFS" mkqueue "$Q"
	push keep
	sync "$Q"
	head -c 3000000 /dev/urandom >"$M/main/more"
	head -c 40000000 /dev/zero >"$T/small/fill" 2>/dev/null || true
	local refused popped
	refused=0 popped=0
	"$IRMINFS" push "$Q" --name no <<<no 2>"$T/said" || refused=$?
	"$IRMINFS" pop "$Q" >"$T/got" 2>>"$T/said" || popped=$?
	names >"$T/names"
	rm "$T/small/fill" "$M/main/more"
	stop
	umount "$T/small"
	cat "$T/said" "$T/names"
	[ "$refused" = 128 ]
	[ "$popped" = 128 ]
	[ ! -s "$T/got" ]
	[ "$(cat "$T/names")" = "popped " ]
}

@test "who may not remove from a queue cannot pop" {
	[ "$(id -u)" -eq 0 ] || skip "needs other users"
	local user="setpriv --reuid 65534 --regid 65534 --groups"
	$user 65534 test -x "$IRMINFS" || skip "others cannot run $IRMINFS"
	start -o allow_other
	queue
	push one two three
	# the test's folders are for its user alone; the mount is passed as a cwd
	pop_as() { (cd "$Q" && $user "$1" "$IRMINFS" pop .); }
	run -128 pop_as 65534
	[[ "$output" = *"Permission denied"* ]]
	[ "$(names)" = "one two three " ]
	chgrp 65533 "$Q"
	chmod 775 "$Q"
	run -128 pop_as 65532
	[ "$(pop_as 65533)" = one ]
	chmod 1777 "$Q"
	run -128 pop_as 65532
	[[ "$output" = *"Operation not permitted"* ]]
	chown 65534 "$Q/two"
	[ "$(pop_as 65532)" = two ]
	[ "$(names)" = "three " ]
	mkdir "$M/main/open"
	chmod 777 "$M/main/open"
	chmod 755 "$Q"
	run -1 sh -c "cd '$M/main' && $user 65532 mv -n jobs/.irmin/first open/"
	[ "$(names)" = "three " ]
}

@test "pop waits for an element" {
	start
	"$IRMINFS" mkqueue "$Q"
	"$IRMINFS" pop "$Q" --wait >"$T/got" &
	local waiting=$!
	sleep 0.3
	{
		echo slow
		sleep 0.3
		[ ! -s "$T/got" ]
		echo done
	} >"$Q/job"
	wait "$waiting"
	[ "$(cat "$T/got")" = $'slow\ndone' ]
}

@test "pop does not wait for a queue that is gone" {
	start
	local how args
	for how in "rmdir $Q" "mv $Q $M/main/other" "umount $M"; do
		for args in "" "-o $M/main/mine"; do
			[ -e "$M/.irmin/version" ] || start
			"$IRMINFS" mkqueue "$Q"
			# shellcheck disable=SC2086
			timeout 10 "$IRMINFS" pop "$Q" --wait $args 2>"$T/said" &
			local waiting=$! status=0
			sleep 0.3
			$how
			wait "$waiting" || status=$?
			[ "$status" = 128 ]
			grep -q "is not there any more" "$T/said"
			rm -rf "$M/main/other"
		done
	done
	DAEMON=
}

@test "many pops of one queue get each element once, and what cannot be printed goes back" {
	start
	"$IRMINFS" mkqueue "$Q"
	push $(seq 60)
	local i pids=()
	for i in 1 2 3 4; do
		while "$IRMINFS" pop "$Q" 2>/dev/null; do :; done >"$T/got$i" &
		pids+=($!)
	done
	wait "${pids[@]}"
	[ "$(cat "$T"/got? | sort -n | tr '\n' ' ')" = "$(seq 60 | tr '\n' ' ')" ]
	push keep
	run -128 sh -c "'$IRMINFS' pop '$Q' >/dev/full"
	[ "$("$IRMINFS" pop "$Q")" = keep ]
}

# Into another queue, into a folder of the branch, and to standard output.
@test "pops and renames of one queue get each element once" {
	start
	"$IRMINFS" mkqueue "$Q"
	"$IRMINFS" mkqueue "$M/main/taken"
	mkdir "$M/main/out" "$M/main/moved"
	push $(seq 400)
	local i pids=()
	for i in 1 2; do
		while "$IRMINFS" pop "$Q"; do :; done >"$T/got$i" 2>>"$T/said" &
		pids+=($!)
	done
	for ((i = 0; i < 100; i++)); do
		"$IRMINFS" pop "$Q" -o "$M/main/out/$i" 2>>"$T/said" || break
	done &
	pids+=($!)
	python3 - "$M/main" >"$T/moved" <<'END' &
import os, sys, time
main = sys.argv[1]
i = 0
while names := os.listdir(f"{main}/jobs"):
    i += 1
    to = "taken" if i % 2 else "moved"
    try:
        os.rename(f"{main}/jobs/{names[0]}", f"{main}/{to}/{i}")
    except FileNotFoundError:
        continue
    print(to, i, names[0], flush=True)
    time.sleep(0.002)
END
	pids+=($!)
	wait "${pids[@]}"
	grep -v 'is empty$' "$T/said" && return 1
	local to
	while read -r to i name; do
		[ "$(cat "$M/main/$to/$i")" = "$name" ]
	done <"$T/moved"
	[ "$(cat "$T"/got* "$M"/main/out/* "$M"/main/{taken,moved}/* | sort -n |
		tr '\n' ' ')" = "$(seq 400 | tr '\n' ' ')" ]
	run -128 "$IRMINFS" pop "$Q" --wait -o "$M/main/none/mine"
	[[ "$output" = *"none/mine: No such file or directory" ]]
}

@test "plain git merges queues in a clone, and its elements are kept" {
	start
	queue
	push a b c
	mkdir "$M/main/.irmin/fork/other"
	rm "$Q/b"
	push d
	rm "$M/other/jobs/c"
	echo e >"$M/other/jobs/e"
	sync "$Q" "$M/other"
	store_git log -1 main >/dev/null
	git clone -q "$STORE" "$T/clone"
	cd "$T/clone"
	git checkout -q main
	git merge -q -s resolve -m merged origin/other
	echo text >jobs/README
	git add jobs/README
	git commit -qm foreign
	git push -q origin main:merged
	echo other >"$M/main/.irmin/merge"
	wait_for 20 test -d "$M/merged/jobs"
	[ "$(names)" = "a d e " ]
	[ "$(names "$M/merged/jobs")" = "a d e README " ]
	[ "$(store_git rev-parse main:jobs)" = \
		"$(git rev-parse HEAD~:jobs)" ]
}

@test "files that are stored as ropes become elements and files again" {
	start
	queue
	echo '*.txt irmin=rope' >>"$M/main/.gitattributes"
	seq 20000 >"$M/main/a.txt"
	seq 9 >"$Q/b.txt"
	sync "$M/main"
	[ "$(store_git cat-file -t main:a.txt)" = tree ]
	restart
	mv "$M/main/a.txt" "$Q/a.txt"
	mv "$Q/b.txt" "$M/main/b.txt"
	sync "$M/main"
	restart
	[ "$(names)" = "a.txt " ]
	seq 20000 | cmp - "$Q/a.txt"
	seq 9 | cmp - "$M/main/b.txt"
	store_git fsck --strict
}

@test "a revision shows a queue as it was" {
	start
	queue
	push b a
	sync "$Q"
	store_git tag v1 main
	mv "$Q/.irmin/first" "$M/main/x"
	[ "$(names "$M/@v1/jobs")" = "b a " ]
	[ "$(cat "$M/@v1/jobs/.irmin/first")" = b ]
	run -1 mv "$M/@v1/jobs/.irmin/first" "$M/@v1/x"
}
