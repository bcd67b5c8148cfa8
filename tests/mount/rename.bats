#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# mv -T of a branch onto another while others stand in the target.
load common

stress() {
	start
	run timeout 120 python3 "$BATS_TEST_DIRNAME/rename_stress.py" "$M" "$@"
	echo "$output"
	[ "$status" -eq 0 ]
}

@test "readers are not disturbed by merges in one folder" {
	stress a target "${IRMINFS_MERGES:-20}"
}

@test "readers are not disturbed by merges across folders" {
	stress space/a target "${IRMINFS_MERGES:-20}"
}

@test "readers are not disturbed by merges into a name space" {
	stress a space/target "${IRMINFS_MERGES:-20}"
}

@test "a caller that is killed in the middle leaves all or nothing" {
	start
	python3 - "$M" <<'END'
import os, random, signal, sys, time
m = sys.argv[1]
os.chdir(m + "/main")
open("f", "w").write("0")
for i in range(1, 30):
	os.mkdir(".irmin/fork/a")
	open(m + "/a/f", "w").write(str(i))
	pid = os.fork()
	if not pid:
		os.rename(m + "/a", m + "/main")
		os._exit(0)
	time.sleep(random.random() * 0.01)
	os.kill(pid, signal.SIGKILL)
	os.waitpid(pid, 0)
	for attempt in range(100):
		there = os.path.exists(m + "/a")
		value = open(m + "/main/f").read()
		if there != (value == str(i)):
			break
		time.sleep(0.05)
	assert there != (value == str(i)), (i, there, value)
	if there:
		os.rename(m + "/a", m + "/main")
	assert open("f").read() == str(i)
	assert os.getcwd() == m + "/main", os.getcwd()
END
}

@test "opposite and competing renames end in one merge" {
	start
	python3 - "$M" <<'END'
import os, sys, threading
os.chdir(sys.argv[1])
def rename(a, b, out):
	try:
		os.rename(a, b)
		out.append("ok")
	except OSError as e:
		out.append(e.strerror)
for i in range(10):
	os.mkdir("main/.irmin/fork/a")
	os.mkdir("main/.irmin/fork/b")
	open("a/fa", "w").write(str(i))
	open("b/fb", "w").write(str(i))
	out = []
	pairs = (("a", "b"), ("b", "a")) if i % 2 else (("a", "main"), ("b", "main"))
	threads = [threading.Thread(target=rename, args=(*p, out)) for p in pairs]
	[t.start() for t in threads]
	[t.join() for t in threads]
	assert "ok" in out, out
	for left in ("a", "b"):
		if os.path.exists(left):
			os.rename(left, "main")
	assert open("main/fa").read() == open("main/fb").read() == str(i)
	assert sorted(os.listdir(".")) == ["main"]
END
}

# a notification that waits for a folder keeps the killed daemon's device open
@test "a daemon that is killed in the middle leaves nobody waiting" {
	start
	crash
	for i in {1..8}; do
		start
		(
			set +e
			for ((j = 0; j < 300; j++)); do
				mkdir "$M/main/.irmin/fork/f$i-$j" || break
				echo "$j" >"$M/f$i-$j/f$i-$j" || break
				mv -T "$M/f$i-$j" "$M/main" || break
			done
		) 2>/dev/null 3>&- &
		local merging=$!
		sleep "0.$((3 + RANDOM % 6))"
		crash
		wait_for 10 ended "$merging"
	done
	start
	[ "$(ls "$M/main" | wc -l)" -gt 0 ]
}
