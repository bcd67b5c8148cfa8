/* SPDX-License-Identifier: ISC */
#include "tests/shell.h"
#include "store/housekeeping.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>

struct fixture {
	char *dir, path[256], *search;
	struct git_repo *repo;
	struct odb *odb;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->dir = shell_begin();
	f->search = strdup(getenv("PATH"));
	snprintf(f->path, sizeof(f->path), "%s/r", f->dir);
	assert_int_equal(git_repo_open(f->path, true, &f->repo, NULL), 0);
	f->odb = git_repo_odb(f->repo);
	shell_do(f->path, "git update-ref refs/heads/main "
		 "$(git commit-tree -m m $(git mktree </dev/null)); "
		 "cp config ../config");
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	setenv("PATH", f->search, 1);
	git_repo_free(f->repo);
	shell_end(f->dir);
	free(f->search);
	free(f);
	return 0;
}

static void write_text(struct fixture *f, int number)
{
	struct oid oid;
	char text[32];

	snprintf(text, sizeof(text), "text %d", number);
	assert_int_equal(odb_write(f->odb, OBJECT_BLOB, text, strlen(text),
				   &oid), 0);
}

static void flush(struct fixture *f)
{
	assert_int_equal(odb_flush(f->odb), 0);
	odb_settle(f->odb);
}

static void make_packs(struct fixture *f, int count)
{
	for (int i = 0; i < count; i++) {
		write_text(f, i);
		flush(f);
	}
}

/* One pack with these texts and many more. */
static void make_large_pack(struct fixture *f, int count)
{
	for (int i = 0; i < count; i++)
		write_text(f, i);
	flush(f);
}

static void assert_readable(struct fixture *f, int count)
{
	for (int i = 0; i < count; i += 7) {
		char text[32];
		void *data;
		size_t size;
		struct oid oid = shell_oid(f->path, "echo -n 'text %d' | "
					   "git hash-object --stdin", i);

		snprintf(text, sizeof(text), "text %d", i);
		assert_int_equal(odb_read(f->odb, &oid, OBJECT_BLOB, &data,
					  &size), 0);
		assert_string_equal(data, text);
		free(data);
	}
}

static bool comes_true(struct fixture *f, int seconds, const char *condition)
{
	for (int i = 0; i < 10 * seconds; i++) {
		if (shell_try(f->path, NULL, "%s", condition) == 0)
			return true;
		usleep(100000);
	}
	return false;
}

/* A git that does what script says; $git is the real one. */
static void replace_git(struct fixture *f, const char *script)
{
	char *path;

	shell_do(f->dir, "mkdir bin && { echo '#!/bin/sh'; "
		 "echo git=$(command -v git); cat <<'END'\n%s\nEND\n} >bin/git && "
		 "chmod +x bin/git", script);
	assert_true(asprintf(&path, "%s/bin:%s", f->dir, f->search) > 0);
	setenv("PATH", path, 1);
	free(path);
}

#define FEW "test $(ls objects/pack | grep -c idx) -le 5"

/* ---- tests ---- */

static void many_packs_become_few(void **state)
{
	struct fixture *f = *state;
	struct housekeeping *h;

	make_packs(f, 40);
	assert_int_equal(housekeeping_new(f->repo, &h), 0);
	assert_true(comes_true(f, 30, FEW));
	assert_true(comes_true(f, 30, "test -f "
			       "objects/info/commit-graphs/commit-graph-chain"));
	housekeeping_free(h);
	/* of objects that nothing refers to, too */
	assert_readable(f, 40);
	shell_do(f->path, "git fsck --strict && cmp config ../config && "
		 "! ls -A objects/pack | grep tmp");
}

/* Whatever the repository's configuration says. */
static void git_is_told_to_flush(void **state)
{
	struct fixture *f = *state;
	struct housekeeping *h;

	shell_do(f->path, "git config core.fsync none");
	make_packs(f, 40);
	replace_git(f, "echo \"$*\" >>${1#--git-dir=}/../calls; "
		    "exec $git \"$@\"");
	assert_int_equal(housekeeping_new(f->repo, &h), 0);
	assert_true(comes_true(f, 30, "grep -q commit-graph ../calls"));
	housekeeping_free(h);
	setenv("PATH", f->search, 1);
	shell_do(f->path, "grep -q pack-objects ../calls && ! grep -v -e "
		 "'-c core.fsync=committed -c core.fsyncMethod=fsync ' ../calls");
}

/* Another git that began when nothing needed them removes it in the end. */
static void what_a_larger_pack_has_is_merged_too(void **state)
{
	struct fixture *f = *state;
	struct housekeeping *h;

	make_large_pack(f, 2000);
	shell_do(f->path, "ls objects/pack/*.pack >../large");
	make_packs(f, 40);
	assert_int_equal(housekeeping_new(f->repo, &h), 0);
	assert_true(comes_true(f, 30, FEW));
	housekeeping_free(h);
	shell_do(f->path, "p=$(cat ../large); test -f $p && "
		 "rm -f $p ${p%%.pack}.idx ${p%%.pack}.rev");
	git_objects_refresh(f->repo);
	assert_readable(f, 40);
}

static void new_packs_are_noticed(void **state)
{
	struct fixture *f = *state;
	struct housekeeping *h;

	assert_int_equal(housekeeping_new(f->repo, &h), 0);
	usleep(200000);
	make_packs(f, 48);
	assert_true(comes_true(f, 30, "test $(ls objects/pack | grep -c idx) "
			       "-le 17"));
	housekeeping_free(h);
	assert_readable(f, 48);
}

static void kept_packs_stay(void **state)
{
	struct fixture *f = *state;
	struct housekeeping *h;
	struct oid oid;

	make_packs(f, 40);
	assert_int_equal(odb_write(f->odb, OBJECT_BLOB, "kept", 4, &oid), 0);
	assert_int_equal(odb_flush(f->odb), 0);
	shell_do(f->path, "basename $(ls objects/pack/*.keep) .keep >../kept");
	assert_int_equal(housekeeping_new(f->repo, &h), 0);
	assert_true(comes_true(f, 30, FEW));
	housekeeping_free(h);
	shell_do(f->path, "test -f objects/pack/$(cat ../kept).idx");
}

static void closing_does_not_wait(void **state)
{
	struct fixture *f = *state;
	struct timespec begin, end;
	struct housekeeping *h;

	make_packs(f, 40);
	/* ends for SIGKILL alone, and so does what it starts */
	replace_git(f, "trap '' TERM; cd ${1#--git-dir=}; "
		    "exec 3>objects/pack/tmp_pack_x; sleep 100 & "
		    "touch objects/pack/.tmp-$$-pack-y; sleep 100; sleep 100");
	shell_do(f->path, "touch -d yesterday objects/pack/tmp_pack_other");
	assert_int_equal(housekeeping_new(f->repo, &h), 0);
	assert_true(comes_true(f, 30, "ls objects/pack/.tmp-*"));
	clock_gettime(CLOCK_MONOTONIC, &begin);
	housekeeping_free(h);
	clock_gettime(CLOCK_MONOTONIC, &end);
	assert_true(end.tv_sec - begin.tv_sec < 5);
	setenv("PATH", f->search, 1);
	shell_do(f->path, "test $(ls -A objects/pack | grep tmp) = "
		 "tmp_pack_other");
	assert_readable(f, 40);
}

static void *end(void *housekeeping)
{
	housekeeping_free(housekeeping);
	return NULL;
}

/* As when the machine is so busy that what was killed cannot end: the tracer of a
 * process keeps it from that. */
static void closing_waits_for_what_git_started(void **state)
{
	struct fixture *f = *state;
	struct housekeeping *h;
	struct timespec until;
	pthread_t thread;
	char *text;
	pid_t pid;

	make_packs(f, 40);
	replace_git(f, "cd ${1#--git-dir=}; sleep 100 & "
		    "echo $! >../new; mv ../new ../pid; wait");
	assert_int_equal(housekeeping_new(f->repo, &h), 0);
	assert_true(comes_true(f, 30, "test -f ../pid"));
	text = shell(f->dir, "cat pid");
	pid = atoi(text);
	free(text);
	assert_int_equal(ptrace(PTRACE_SEIZE, pid, NULL, PTRACE_O_TRACEEXIT), 0);
	assert_int_equal(pthread_create(&thread, NULL, end, h), 0);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 4;
	assert_int_equal(pthread_timedjoin_np(thread, NULL, &until), ETIMEDOUT);
	assert_int_equal(kill(pid, 0), 0);
	/* there since SIGTERM came; the end of the tracer is that of the wait */
	assert_int_equal(waitpid(pid, NULL, __WALL), pid);
	assert_int_equal(ptrace(PTRACE_DETACH, pid, NULL, NULL), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	setenv("PATH", f->search, 1);
	assert_readable(f, 40);
}

static void a_repack_that_is_killed_leaves_nothing(void **state)
{
	struct fixture *f = *state;

	make_packs(f, 40);
	for (int i = 0; i < 8; i++) {
		struct housekeeping *h;

		assert_int_equal(housekeeping_new(f->repo, &h), 0);
		usleep(4000 * i);
		housekeeping_free(h);
		shell_do(f->path, "! ls -A objects/pack | grep tmp && "
			 "git fsck --strict");
	}
	assert_readable(f, 40);
}

/* As when a git of the user's has merged some of them meanwhile. */
static void a_failure_is_tried_again(void **state)
{
	struct fixture *f = *state;
	struct housekeeping *h;

	replace_git(f, "cd ${1#--git-dir=}; touch ../failed; "
		    "echo 'fatal: a pack went' >&2; exit 128");
	make_packs(f, 40);
	assert_int_equal(housekeeping_new(f->repo, &h), 0);
	assert_true(comes_true(f, 10, "test -f ../failed"));
	setenv("PATH", f->search, 1);
	assert_true(comes_true(f, 30, FEW));
	housekeeping_free(h);
}

/* As after SIGKILL: what the first git has started is still there. */
static void one_at_a_time(void **state)
{
	struct fixture *f = *state;
	struct housekeeping *h;

	/* in a session of its own: the end of the first does not reach it */
	replace_git(f, "export runs=\"${0%/*}/../runs\"; setsid sh -c "
		    "'echo run >>\"$runs\"; exec sleep 8' "
		    "</dev/null >/dev/null 2>&1 &\nexit 1");
	make_packs(f, 40);
	assert_int_equal(housekeeping_new(f->repo, &h), 0);
	assert_true(comes_true(f, 10, "test -f ../runs"));
	housekeeping_free(h);
	assert_int_equal(housekeeping_new(f->repo, &h), 0);
	sleep(2);
	shell_do(f->dir, "test $(wc -l <runs) -eq 1");
	setenv("PATH", f->search, 1);
	assert_true(comes_true(f, 40, FEW));
	housekeeping_free(h);
	assert_readable(f, 40);
}

static void nothing_starts_in_a_pause(void **state)
{
	struct fixture *f = *state;
	struct housekeeping *h;

	replace_git(f, "cd ${1#--git-dir=}; touch ../started");
	assert_int_equal(housekeeping_new(f->repo, &h), 0);
	housekeeping_pause(h);
	usleep(200000);
	setenv("PATH", f->search, 1);
	make_packs(f, 40);
	usleep(500000);
	shell_do(f->path, "test ! -e ../started && "
		 "test $(ls objects/pack | grep -c idx) = 40");
	housekeeping_free(h);
}

/* ---- collecting ---- */

static int64_t ahead;

static void clock_ahead(struct timespec *ret)
{
	clock_real(ret);
	ret->tv_sec += ahead;
}

/* A ref that needs the text of that number. */
static int name_text(void *context)
{
	struct fixture *f = context;

	shell_do(f->path, "git update-ref refs/heads/faces $(git commit-tree -m m "
		 "$(printf '100644 blob %%s\tx\n' $(echo -n 'text 3' | "
		 "git hash-object --stdin) | git mktree))");
	return 0;
}

static void collect(struct fixture *f)
{
	struct housekeeping *h;

	assert_int_equal(housekeeping_new_collecting(f->repo, name_text, f,
						     clock_ahead, &h), 0);
	assert_true(comes_true(f, 30, FEW));
	housekeeping_free(h);
}

#define HAS(number) "git cat-file -e $(echo -n 'text " number "' | " \
		    "git hash-object --stdin)"

static void garbage_goes_after_an_hour(void **state)
{
	struct fixture *f = *state;

	make_packs(f, 40);
	ahead = 3500;
	collect(f);
	shell_do(f->path, HAS("3") " && " HAS("0") " && " HAS("39"));
	make_packs(f, 40);
	ahead = 3700;
	collect(f);
	shell_do(f->path, HAS("3") " && ! " HAS("0") " && ! " HAS("39")
		 " && git fsck --strict");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(many_packs_become_few),
		TEST(git_is_told_to_flush),
		TEST(what_a_larger_pack_has_is_merged_too),
		TEST(new_packs_are_noticed),
		TEST(kept_packs_stay),
		TEST(closing_does_not_wait),
		TEST(closing_waits_for_what_git_started),
		TEST(a_repack_that_is_killed_leaves_nothing),
		TEST(a_failure_is_tried_again),
		TEST(one_at_a_time),
		TEST(nothing_starts_in_a_pause),
		TEST(garbage_goes_after_an_hour),
	};

	return cmocka_run_group_tests_name("housekeeping", tests, NULL, NULL);
}
