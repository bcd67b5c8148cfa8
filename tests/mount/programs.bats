#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Programs that know nothing of all this.
load common

needs() {
	command -v "$1" >/dev/null || skip "$1 is not installed"
}

@test "SQLite works in all its journal modes, also from two processes" {
	needs sqlite3
	start
	cd "$M/main"
	for mode in delete truncate persist memory wal off; do
		db=$mode.db
		sqlite3 "$db" "pragma journal_mode=$mode; create table t(a integer primary key, b)" >/dev/null
		pids=()
		for client in 1 2; do
			for i in $(seq 15); do
				echo ".timeout 20000"
				echo "begin immediate; insert into t(b) select hex(randomblob(200)) from generate_series(1, 20); commit;"
			done | sqlite3 "$db" &
			pids+=($!)
		done
		wait "${pids[@]}"
		[ "$(sqlite3 "$db" 'select count(*) from t; pragma integrity_check')" = "$(printf '600\nok')" ]
	done
	cd /
	restart
	for mode in delete truncate persist memory wal off; do
		[ "$(sqlite3 "$M/main/$mode.db" 'select count(*) from t; pragma integrity_check')" = "$(printf '600\nok')" ]
	done
}

@test "make builds in parallel, and finds nothing to do the second time" {
	needs make
	needs gcc
	start
	mkdir "$M/main/p"
	cd "$M/main/p"
	{
		echo 'OBJECTS = $(patsubst %.c,%.o,$(wildcard *.c))'
		echo 'all: program'
		echo 'program: $(OBJECTS)'
		printf '\tgcc -o $@ $^\n'
		echo '%.o: %.c all.h'
		printf '\tgcc -MMD -c -o $@ $<\n'
		echo '-include $(wildcard *.d)'
	} >Makefile
	for i in $(seq 20); do
		printf '#include "all.h"\nint f%d(void) { return %d; }\n' "$i" "$i" >"f$i.c"
		echo "int f$i(void);"
	done >all.h
	printf '#include "all.h"\nint main(void) { return f1() + f20() - 21; }\n' >main.c
	make -j2 >/dev/null
	./program
	make -q
	touch f3.c
	[ "$(make -n | grep -c 'gcc -MMD')" = 1 ]
	make -j2 >/dev/null
	make clean >/dev/null 2>&1 || rm ./*.o ./*.d program
	make -j2 >/dev/null
	./program
}

# a small tree with links, long names, times and modes
make_tree() {
	mkdir -p "$1/a/b c" "$1/deep/$(printf 'x%.0s' $(seq 200))"
	seq 20000 >"$1/a/numbers"
	printf 'no end' >"$1/a/b c/text"
	printf '\0\1\2\377' >"$1/bytes"
	: >"$1/none"
	ln -s ../bytes "$1/a/link"
	ln -s nowhere "$1/dangling"
	chmod 750 "$1/a"
	chmod 4711 "$1/bytes"
	touch -d '2001-02-03 04:05:06.789012345' "$1/a/numbers" "$1/none"
	touch -d '1999-01-01' "$1/a/b c" "$1/deep"
}

@test "tar and cp give back what they were given" {
	start
	make_tree "$T/tree"
	tar -C "$T" --format=posix -cf "$T/in.tar" tree
	tar -C "$M/main" -xpf "$T/in.tar"
	tar -C "$M/main" --sort=name -cf "$T/out.tar" tree
	tar -C "$T" -df "$T/out.tar"
	tar -C "$M/main" -df "$T/in.tar"
	cp -a "$M/main/tree" "$M/main/copy"
	diff -r --no-dereference "$T/tree" "$M/main/copy"
	[ "$(cd "$T/tree" && find . -printf '%p %y %s %m %T@ %l\n' | grep -v '^[^ ]* d' | sort)" = \
		"$(cd "$M/main/copy" && find . -printf '%p %y %s %m %T@ %l\n' | grep -v '^[^ ]* d' | sort)" ]
}

@test "rsync finds nothing to do the second time" {
	needs rsync
	start
	make_tree "$T/tree"
	rsync -a "$T/tree/" "$M/main/tree/"
	[ -z "$(rsync -ain --delete "$T/tree/" "$M/main/tree/")" ]
	[ -z "$(rsync -ainc --delete "$M/main/tree/" "$T/tree/")" ]
	echo more >>"$T/tree/a/numbers"
	rm "$T/tree/none"
	rsync -a --delete --inplace "$T/tree/" "$M/main/tree/"
	diff -r --no-dereference "$T/tree" "$M/main/tree"
}

@test "mail is delivered into a Maildir by many, and read once" {
	start
	mkdir -p "$M/main/box/tmp" "$M/main/box/new" "$M/main/box/cur"
	cd "$M/main/box"
	python3 - <<'END'
import os, time

def deliver(number):
    for i in range(40):
        name = f"{number}.{i}"
        with open(f"tmp/{name}", "x") as f:
            f.write(f"mail {name}\n" * 50)
            f.flush()
            os.fsync(f.fileno())
        os.rename(f"tmp/{name}", f"new/{name}")

def read(number):
    mine, end = [], time.time() + 60
    while time.time() < end and not os.path.exists(f"../stop"):
        for name in os.listdir("new"):
            try:
                os.rename(f"new/{name}", f"cur/{name}:2,S{number}")
            except FileNotFoundError:
                continue
            assert open(f"cur/{name}:2,S{number}").read() == f"mail {name}\n" * 50

def start(function, number):
    pid = os.fork()
    if pid == 0:
        function(number)
        os._exit(0)
    return pid

writers = [start(deliver, i) for i in range(4)]
readers = [start(read, i) for i in range(2)]
assert all(os.waitpid(pid, 0)[1] == 0 for pid in writers)
end = time.time() + 30
while os.listdir("new") and time.time() < end:
    time.sleep(0.01)
open("../stop", "w").close()
assert all(os.waitpid(pid, 0)[1] == 0 for pid in readers)
assert len({n.split(":")[0] for n in os.listdir("cur")}) == len(os.listdir("cur")) == 160
END
}

@test "many processes make, change and remove at once, each its own" {
	start
	cd "$M/main"
	for i in $(seq 12); do
		python3 - "$i" <<'END' &
import os, random, shutil, sys
me = sys.argv[1]
chooser, model = random.Random(int(me)), {}
os.mkdir(me)
for step in range(250):
    name = f"{me}/f{chooser.randrange(20)}"
    action = chooser.randrange(4)
    if action < 2:
        model[name] = chooser.randbytes(chooser.randrange(20000))
        with open(name, "wb") as f:
            f.write(model[name])
    elif action == 2 and name in model:
        os.unlink(name)
        del model[name]
    elif name in model:
        target = f"{me}/f{chooser.randrange(20)}"
        os.rename(name, target)
        model[target] = model.pop(name)
    if name in model:
        assert open(name, "rb").read() == model[name]
assert sorted(os.listdir(me)) == sorted(os.path.basename(n) for n in model)
for name, data in model.items():
    assert open(name, "rb").read() == data
END
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		wait "$pid"
	done
}
