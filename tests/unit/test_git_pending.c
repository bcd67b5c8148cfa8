/* SPDX-License-Identifier: ISC */
#include "tests/repositories.h"
#include "store/commit.h"
#include "store/git_pending.h"
#include "store/pin.h"
#include "store/tree.h"

#include <errno.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define COMMITS 50

static void assert_text(struct fixture *f, const struct oid *oid,
			const char *text)
{
	enum object_type type;
	uint64_t length;
	void *data;
	size_t size;

	assert_int_equal(odb_read(f->odb, oid, OBJECT_BLOB, &data, &size), 0);
	assert_int_equal(size, strlen(text));
	assert_string_equal(data, text);
	free(data);
	assert_int_equal(odb_read_header(f->odb, oid, &type, &length), 0);
	assert_int_equal(type, OBJECT_BLOB);
	assert_int_equal(length, size);
}

static int count_packs(struct fixture *f)
{
	char *output = shell(f->path, "ls objects/pack | grep -c idx || :");
	int n = atoi(output);

	free(output);
	return n;
}

/* A commit of one file of that text. */
static struct oid write_commit(struct fixture *f, const char *text,
			       const struct oid *parent)
{
	struct tree_entry entry = { .mode = MODE_FILE, .name = "f",
				    .oid = write_text(f, text) };
	struct commit commit = { .message = (char *)(uintptr_t)"m\n" };
	struct oid parents[1], oid;

	if (parent)
		parents[commit.parent_count++] = *parent;
	commit.parents = parents;
	assert_int_equal(tree_write(f->odb, &entry, 1, &commit.tree), 0);
	signature_init(&commit.author, "A", "a@b", 1, 0);
	signature_init(&commit.committer, "A", "a@b", 1, 0);
	assert_int_equal(commit_write(f->odb, &commit, &oid), 0);
	signature_release(&commit.author);
	signature_release(&commit.committer);
	return oid;
}

/* ---- reading ---- */

static void what_is_pending_is_read(void **state)
{
	struct fixture *f = *state;
	struct oid oid = write_text(f, "pending");

	assert_text(f, &oid, "pending");
	assert_int_equal(count_packs(f), 0);
	assert_int_equal(odb_flush(f->odb), 0);
	assert_text(f, &oid, "pending");
	odb_settle(f->odb);
	assert_text(f, &oid, "pending");
}

static void what_is_pending_is_unpacked(void **state)
{
	struct fixture *f = *state;
	struct oid oid = write_text(f, "pending");
	FILE *file = tmpfile();
	char text[16] = "";

	assert_int_equal(odb_unpack(f->odb, &oid, fileno(file)), 0);
	assert_int_equal(pread(fileno(file), text, 15, 0), 7);
	assert_string_equal(text, "pending");
	fclose(file);
}

static void libgit2_sees_what_is_pending(void **state)
{
	struct fixture *f = *state;
	struct oid first = write_commit(f, "1", NULL);
	struct oid left = write_commit(f, "2", &first);
	struct oid right = write_commit(f, "3", &first);
	struct oid *bases;
	size_t count;

	assert_int_equal(git_is_ancestor(f->repo, &first, &left), 1);
	assert_int_equal(git_is_ancestor(f->repo, &right, &left), 0);
	assert_int_equal(git_find_merge_bases(f->repo, &left, &right, &bases,
					      &count), 0);
	assert_int_equal(count, 1);
	assert_true(oid_equal(&bases[0], &first));
	free(bases);
}

static void many_packs_are_read(void **state)
{
	struct fixture *f = *state;
	struct oid oids[150];
	char text[16];

	for (int i = 0; i < 150; i++) {
		snprintf(text, sizeof(text), "text %d", i);
		oids[i] = write_text(f, text);
		assert_int_equal(odb_flush(f->odb), 0);
		odb_settle(f->odb);
		assert_text(f, &oids[i], text);
		if (i == 140)
			shell_do(f->path, "git repack -q --geometric=2 -d");
	}
	for (int i = 0; i < 150; i++) {
		snprintf(text, sizeof(text), "text %d", i);
		assert_text(f, &oids[i], text);
	}
}

/* ---- how often things are written ---- */

static void kept_objects_are_not_written_again(void **state)
{
	struct fixture *f = *state;

	write_text(f, "once");
	write_text(f, "once");
	assert_int_equal(odb_flush(f->odb), 0);
	assert_int_equal(count_packs(f), 1);
	write_text(f, "once");
	assert_int_equal(odb_flush(f->odb), 0);
	assert_int_equal(count_packs(f), 1);
	/* now another's gc may be removing it */
	odb_settle(f->odb);
	write_text(f, "once");
	assert_int_equal(odb_flush(f->odb), 0);
	assert_int_equal(count_packs(f), 2);
}

static void settling_waits_for_holders(void **state)
{
	struct fixture *f = *state;
	const char *gc = "git gc -q --prune=now && "
			 "git cat-file -e $(echo -n a | git hash-object --stdin)";

	odb_hold(f->odb);
	write_text(f, "a");
	assert_int_equal(odb_flush(f->odb), 0);
	odb_settle(f->odb);
	shell_do(f->path, "%s", gc);
	odb_release(f->odb);
	odb_settle(f->odb);
	assert_int_not_equal(shell_try(f->path, NULL, "%s", gc), 0);
}

static void memory_is_bounded(void **state)
{
	struct fixture *f = *state;
	char *text = malloc(1 << 20);

	memset(text, 'x', 1 << 20);
	text[(1 << 20) - 1] = '\0';
	for (int i = 0; i < 40; i++) {
		snprintf(text, 16, "%14d", i);
		text[14] = 'x';
		write_text(f, text);
	}
	assert_true(count_packs(f) >= 2);
	assert_int_equal(odb_flush(f->odb), 0);
	shell_do(f->path, "git fsck --strict");
	free(text);
}

static void a_full_disk_is_told_and_survived(void **state)
{
	struct fixture *f = *state;
	char path[300], *noise = malloc(1 << 20);
	struct git_repo *repo;
	struct oid oid;
	int r = 0;

	snprintf(path, sizeof(path), "%s/full", f->dir);
	mkdir(path, 0700);
	if (mount("none", path, "tmpfs", 0, "size=8m") < 0) {
		free(noise);
		skip();
	}
	assert_int_equal(git_repo_open(path, true, &repo, NULL), 0);
	for (size_t i = 0; i < 1 << 20; i++)
		noise[i] = random();
	/* a write that must flush first tells it too */
	for (int i = 0; r == 0 && i < 40; i++) {
		noise[i * 100]++;
		for (size_t k = 0; k < 1 << 20; k++)
			noise[k] ^= i + k * i;
		r = odb_write(git_repo_odb(repo), OBJECT_BLOB, noise, 1 << 20,
			      &oid);
	}
	assert_int_equal(r, -ENOSPC);
	assert_int_equal(odb_flush(git_repo_odb(repo)), -ENOSPC);
	shell_do(path, "git fsck --strict && ! ls -A objects/pack | grep pack");
	shell_do(path, "mount -o remount,size=64m .");
	assert_int_equal(odb_flush(git_repo_odb(repo)), 0);
	shell_do(path, "git fsck --strict && ls objects/pack | grep pack");
	git_repo_free(repo);
	umount(path);
	free(noise);
}

/* ---- beside Git's own housekeeping ---- */

/* gc locks refs and moves them about. */
static void set_main(struct fixture *f, const struct oid *head)
{
	struct oid old = { 0 };
	int r = -EBUSY;

	for (int i = 0; r < 0 && i < 100; i++) {
		if (git_ref_read(f->repo, "refs/heads/main", &old) < 0)
			old = (struct oid){ 0 };
		r = git_ref_update(f->repo, "refs/heads/main", &old, head,
				   "test");
		if (r < 0)
			usleep(10000);
	}
	assert_int_equal(r, 0);
}

static pid_t start_loop(struct fixture *f, const char *command)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		setpgid(0, 0);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl("/bin/sh", "sh", "-c", "cd \"$1\"; exec >/dev/null 2>&1; "
		      "while :; do eval \"$2\"; done", "sh", f->path, command,
		      NULL);
		_exit(1);
	}
	setpgid(pid, pid);
	return pid;
}

/* Runs a command in a loop while commits are written; what holds them comes
 * late, and is the pin or a ref by turns. */
static void commit_beside(struct fixture *f, const char *command)
{
	pid_t pid = start_loop(f, command);
	struct oid head;

	for (int i = 0; i < COMMITS; i++) {
		char text[32];

		/* every other object was there before */
		snprintf(text, sizeof(text), "text %d", i % 2 ? 1 : i);
		head = write_commit(f, text, i ? &head : NULL);
		assert_int_equal(odb_flush(f->odb), 0);
		usleep(20000);
		if (i % 3)
			assert_int_equal(pin_update(f->repo, &head, 1, NULL, 0),
					 0);
		else
			set_main(f, &head);
		odb_settle(f->odb);
	}
	assert_int_equal(pin_update(f->repo, &head, 1, NULL, 0), 0);
	kill(-pid, SIGKILL);
	waitpid(pid, NULL, 0);
	shell_do(f->path, "git fsck --strict --no-dangling && "
		 "test $(git --git-dir=$PWD/worktrees/irminfs rev-list "
		 "--count HEAD --) -ge %d", COMMITS);
}

static void gc_loses_nothing_that_is_flushed(void **state)
{
	commit_beside(*state, "git gc -q --prune=now");
}

static void repack_loses_nothing_that_is_flushed(void **state)
{
	commit_beside(*state, "git repack -adfq");
}

static void geometric_repack_loses_nothing(void **state)
{
	commit_beside(*state, "git repack -q --geometric=2 -d");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_pending_is_read),
		TEST(what_is_pending_is_unpacked),
		TEST(libgit2_sees_what_is_pending),
		TEST(many_packs_are_read),
		TEST(kept_objects_are_not_written_again),
		TEST(settling_waits_for_holders),
		TEST(memory_is_bounded),
		TEST(a_full_disk_is_told_and_survived),
		TEST(gc_loses_nothing_that_is_flushed),
		TEST(repack_loses_nothing_that_is_flushed),
		TEST(geometric_repack_loses_nothing),
	};

	return cmocka_run_group_tests_name("git_pending", tests, NULL, NULL);
}
