#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Programs that know nothing of all this.
load common

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

@test "a Debian package's C sources build, twice, and in a fork" {
	needs make
	needs gcc
	start
	archive=$("$BATS_TEST_DIRNAME/../source" lua5.4 \
		"$(dirname "$IRMINFS")/../sources" 2>"$T/said") ||
		skip "no sources of lua5.4: $(tail -n 1 "$T/said")"
	tar -C "$M/main" -xf "$archive"
	cd "$M/main"/lua-*/src
	make -j2 all CFLAGS="-O0 -std=gnu99" MYLIBS=-ldl >/dev/null
	[ "$(./lua -e 'print(("x"):rep(3))')" = xxx ]
	before=$(find . -printf '%p %T@\n' | sort)
	make -q all
	make -j2 all CFLAGS="-O0 -std=gnu99" >/dev/null
	[ "$(find . -printf '%p %T@\n' | sort)" = "$before" ]
	mkdir "$M/main/.irmin/fork/other"
	cd "$M/other"/lua-*/src
	make -q all
	touch lvm.c
	[ "$(make -n all | grep -c 'gcc.*-c')" = 1 ]
	cd /
	restart
	make -qC "$M/main"/lua-*/src all
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

@test "rsync -aHAX finds nothing to do the second time" {
	needs rsync
	start
	make_tree "$T/tree"
	ln "$T/tree/a/numbers" "$T/tree/linked"
	mkfifo "$T/tree/pipe"
	# where the source may be on something without
	setfattr -n user.colour -v blue "$T/tree/bytes" || true
	rsync -aHAX "$T/tree/" "$M/main/tree/"
	[ -z "$(rsync -aHAXin --delete "$T/tree/" "$M/main/tree/")" ]
	rsync -aHAX "$M/main/tree/" "$M/main/again/"
	[ -z "$(rsync -aHAXin --delete "$M/main/tree/" "$M/main/again/")" ]
	[ "$(stat -c %h "$M/main/again/linked" "$M/main/tree/a/numbers" | sort -u)" = 2 ]
	restart
	[ -z "$(rsync -aHAXin --delete "$T/tree/" "$M/main/tree/")" ]
	[ -z "$(rsync -aHAXinc --delete "$M/main/again/" "$T/tree/")" ]
}

@test "vim saves with backup and undo files, and recovers from its swap file" {
	vim --version 2>/dev/null | grep -q +persistent_undo || skip "vim is not installed"
	start
	cd "$M/main"
	edit() {
		script -qec "vim -N -u NONE -i NONE $*" /dev/null </dev/null >"$T/screen"
	}
	printf 'one\ntwo\n' >f
	chmod 640 f
	for copy in yes no auto; do
		edit "-c 'set backup backupskip= undofile backupcopy=$copy' -c 'normal yyp' -c 'wq' f"
	done
	[ "$(cat f)" = "$(printf 'one\none\none\none\ntwo')" ]
	[ "$(cat f~)" = "$(printf 'one\none\none\ntwo')" ]
	[ "$(stat -c %a f f~ | sort -u)" = 640 ]
	# each run's changes can be undone in the next one
	edit "-c 'set undofile' -c 'undo 0' -c 'wq' f"
	[ "$(cat f)" = "$(printf 'one\ntwo')" ]
	[ "$(ls -A | tr '\n' ' ')" = ".f.un~ f f~ " ]
	edit "-c 'normal Ochanged' -c preserve -c '!ls -A >$T/names' -c '!kill -9 \$PPID' f" || true
	grep -qx .f.swp "$T/names"
	[ "$(cat f)" = "$(printf 'one\ntwo')" ]
	edit "-r -c 'wq' f"
	[ "$(cat f)" = "$(printf 'changed\none\ntwo')" ]
	rm .f.swp
}

@test "npm installs from archives, finds nothing to do, and starts over" {
	needs npm
	needs node
	start
	mkdir "$T/packages"
	for i in 1 2 3 4 5; do
		mkdir -p "$T/packages/p$i/lib/deep"
		cd "$T/packages/p$i"
		echo "{\"name\":\"p$i\",\"version\":\"1.0.$i\",\"bin\":{\"p$i\":\"run.js\"},\"main\":\"lib/deep/index.js\"}" >package.json
		echo "module.exports = $i" >lib/deep/index.js
		printf '#!/usr/bin/env node\nconsole.log(require("p%d"))\n' "$i" >run.js
		for f in $(seq 20); do echo "exports.x = $f" >"lib/f$f.js"; done
		npm pack --silent --pack-destination "$T/packages" >/dev/null
	done
	mkdir "$M/main/app"
	cd "$M/main/app"
	export npm_config_cache=$M/main/cache npm_config_audit=false npm_config_fund=false
	npm_config_update_notifier=false npm init -y --silent >/dev/null
	npm install --offline --silent "$T"/packages/*.tgz
	[ "$(node -p '[1,2,3,4,5].map(i => require("p" + i)).join()')" = 1,2,3,4,5 ]
	[ "$(npx --offline p3)" = 3 ]
	[ -L node_modules/.bin/p4 ]
	[[ $(npm install --offline) == *"up to date"* ]]
	npm ci --offline --silent
	npm ls --silent >/dev/null
	[ "$(find node_modules -name '*.js' | wc -l)" -eq 110 ]
	npm uninstall --offline --silent p1 p2 p3 p4 p5
	[ -z "$(find node_modules -name '*.js')" ]
}

@test "git clones bare, fetches, rebases, collects garbage and checks inside" {
	start
	git init -q "$T/w"
	cd "$T/w"
	for i in $(seq 30); do
		echo "$i" >"f$((i % 7))"
		git add -A
		git commit -qm "$i"
	done
	git clone -q --bare "$T/w" "$M/main/r.git"
	git --git-dir="$M/main/r.git" fsck --strict
	git branch topic HEAD~10
	git push -q "$M/main/r.git" topic
	mkdir "$M/main/w"
	export GIT_DIR=$M/main/r.git GIT_WORK_TREE=$M/main/w
	cd "$M/main/w"
	git checkout -q topic
	echo new >new
	git add new
	git commit -qm new
	git rebase -q "$(git rev-parse HEAD~1)" main 2>/dev/null || git rebase -q main topic
	git checkout -q topic
	git rebase -q main
	[ "$(git log --format=%s -2 | tr '\n' ' ')" = "new 30 " ]
	[ -z "$(git status --porcelain)" ]
	git gc -q --prune=now
	git fsck --strict
	[ "$(find "$GIT_DIR/objects" -type f -name '*.pack' | wc -l)" -eq 1 ]
	cd /
	restart
	git fsck --strict
	[ -z "$(git status --porcelain)" ]
	unset GIT_DIR GIT_WORK_TREE
	git clone -q -b topic "$M/main/r.git" "$T/out"
	[ "$(cat "$T/out/new")" = new ]
}

@test "mailbox.Maildir of Python delivers, moves and cleans" {
	start
	python3 - "$M/main" <<'END'
import mailbox, sys
box = mailbox.Maildir(f"{sys.argv[1]}/box", create=True)
keys = [box.add(f"Subject: {i}\n\nbody {i}\n") for i in range(50)]
for key in keys[::2]:
    message = box[key]
    message.set_subdir("cur")
    message.add_flag("S")
    box[key] = message
sub = box.add_folder("old")
for key in keys[:10]:
    sub.add(box[key])
    box.remove(key)
box.clean()
box.flush()
assert len(box) == 40 and len(sub) == 10
assert sorted(int(m["subject"]) for m in [*box, *sub]) == list(range(50))
END
}

@test "names may be of any bytes, also those that Git or others fear" {
	start
	cd "$M/main"
	cat >"$T/names.py" <<'END'
import os, random, sys
chooser = random.Random(5)
names = {b".gitx", b".git-", b"git", b"git~2", b"...", b"-", b"--", b"\\", b" ", b"\n", b"con", b"a\tb", b'"', b"\xff\xfe",
         b".irmin.x", b".IRMIN", b"\xc3\xa9", b"e\xcc\x81", b"main@{1}", b"%2F", b"@", b"~", b"^",
         b":", b"*", b"?", b"[", b".lock", b"x.lock", b".#x", b"x~", b"\x7f", b"\x01"}
while len(names) < 300:
    length = chooser.choice((1, 2, 3, 20, 100, 254, 255))
    name = bytes(chooser.choice(range(1, 256)) for _ in range(length)).replace(b"/", b"_")
    if name not in (b".", b".."):
        names.add(name)
os.makedirs(b"n", exist_ok=True)
# Git takes these for .git, and refuses trees that have them
for name in (b".GIT", b".Git", b"git~1", b".git ", b".g\xe2\x80\x8cit"):
    try:
        os.mkdir(b"n/" + name)
        raise SystemExit(f"{name} was made")
    except PermissionError:
        assert not os.path.exists(b"n/" + name)
for name in names if sys.argv[1] == "make" else ():
    with open(b"n/" + name, "wb") as f:
        f.write(name)
    os.mkdir(b"n/d" + name[:200])
    os.symlink(name, b"n/d" + name[:200] + b"/" + name)
found = {name for name in os.listdir(b"n") if os.path.isfile(b"n/" + name)}
assert found == names, (found ^ names)
for name in names:
    assert open(b"n/" + name, "rb").read() == name, name
    assert os.readlink(b"n/d" + name[:200] + b"/" + name) == name, name
END
	python3 "$T/names.py" make
	sync .
	cp -a n copy
	diff -r --no-dereference n copy
	tar -cf "$T/n.tar" n
	tar -df "$T/n.tar"
	mkdir .irmin/fork/other
	cd "$M/other"
	python3 "$T/names.py" check
	cd /
	restart
	cd "$M/main"
	python3 "$T/names.py" check
	rm -r n
	[ ! -e n ]
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
