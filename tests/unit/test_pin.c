/* SPDX-License-Identifier: ISC */
#include "tests/repositories.h"
#include "store/pin.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

/* Objects that no ref holds. */
static struct oid commit, other, blob;

/* A repository with a branch, and with these. */
static int setup_objects(void **state)
{
	struct fixture *f;

	setup(state);
	f = *state;
	shell_do(f->path, "git update-ref refs/heads/main $(git commit-tree "
		 "-m main $(git mktree </dev/null))");
	commit = shell_oid(f->path, "b=$(echo inside | git hash-object -w "
			   "--stdin); git commit-tree -m pinned "
			   "$(printf \"100644 blob $b\\tfile\\n\" | git mktree)");
	other = shell_oid(f->path, "git commit-tree -m other "
			  "$(git mktree </dev/null)");
	blob = shell_oid(f->path, "echo loose | git hash-object -w --stdin");
	return 0;
}

static bool is_there(struct fixture *f, const struct oid *oid)
{
	char hex[OID_HEX_SIZE];

	return shell_try(f->path, NULL, "git cat-file -e %s",
			 oid_hex(oid, hex)) == 0;
}

static void clean_up_with_git(struct fixture *f)
{
	shell_do(f->path, "git worktree prune && git repack -adfq && "
		 "git gc -q --prune=now && git prune && "
		 "git reflog expire --all --expire=now && "
		 "git gc -q --prune=now");
	shell_do(f->path, "out=$(git fsck --strict --no-dangling 2>&1) && "
		 "test -z \"$out\" || { echo \"$out\"; false; }");
}

static void pinned_objects_survive_git(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(pin_update(f->repo, &commit, 1, &blob, 1), 0);
	clean_up_with_git(f);
	assert_true(is_there(f, &commit));
	assert_true(is_there(f, &blob));
	assert_false(is_there(f, &other));
	shell_do(f->path, "git rev-list --objects $(cat worktrees/irminfs/HEAD) "
		 ">/dev/null && git worktree list | grep -c locked");
}

static void clones_do_not_carry_them(void **state)
{
	struct fixture *f = *state;
	char hex[OID_HEX_SIZE];

	assert_int_equal(pin_update(f->repo, &commit, 1, &blob, 1), 0);
	oid_hex(&commit, hex);
	shell_do(f->dir, "git clone -q --mirror --no-local r mirror && "
		 "! git -C mirror cat-file -e %s 2>/dev/null && "
		 "git init -q --bare to && git -C r push -q --mirror ../to && "
		 "! git -C to cat-file -e %s 2>/dev/null && "
		 "test \"$(git -C to for-each-ref | wc -l)\" = 1", hex, hex);
}

static void a_pin_replaces_the_one_before(void **state)
{
	struct fixture *f = *state;
	struct oid both[4] = { commit, other, commit };

	assert_int_equal(pin_update(f->repo, both, 4, NULL, 0), 0);
	clean_up_with_git(f);
	assert_true(is_there(f, &commit));
	assert_true(is_there(f, &other));
	assert_false(is_there(f, &blob));
	assert_int_equal(pin_update(f->repo, &other, 1, NULL, 0), 0);
	clean_up_with_git(f);
	assert_false(is_there(f, &commit));
	assert_true(is_there(f, &other));
	assert_int_equal(pin_update(f->repo, NULL, 0, NULL, 0), 0);
	assert_int_equal(pin_update(f->repo, NULL, 0, NULL, 0), 0);
	clean_up_with_git(f);
	assert_false(is_there(f, &other));
	shell_do(f->path, "test ! -e worktrees");
}

static void a_pin_can_be_extended(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(pin_extend(f->repo, &commit, 1, NULL, 0), -ENOENT);
	assert_int_equal(pin_update(f->repo, &commit, 1, NULL, 0), 0);
	assert_int_equal(pin_extend(f->repo, &other, 1, NULL, 0), 0);
	assert_int_equal(pin_extend(f->repo, NULL, 0, &blob, 1), 0);
	clean_up_with_git(f);
	assert_true(is_there(f, &commit));
	assert_true(is_there(f, &other));
	assert_true(is_there(f, &blob));
	assert_int_equal(pin_update(f->repo, &other, 1, NULL, 0), 0);
	clean_up_with_git(f);
	assert_false(is_there(f, &commit));
	assert_true(is_there(f, &other));
	assert_false(is_there(f, &blob));
	/* nor does it build on what somebody broke */
	shell_do(f->path, "echo x >worktrees/irminfs/HEAD");
	assert_int_equal(pin_extend(f->repo, &commit, 1, NULL, 0), -ENOENT);
}

static void equal_pins_are_one_commit(void **state)
{
	struct fixture *f = *state;
	struct oid one[3] = { commit, other, { { 0 } } };
	struct oid two[3] = { other, commit, other };
	char *first, *second;

	assert_int_equal(pin_update(f->repo, one, 3, &blob, 1), 0);
	first = shell(f->path, "cat worktrees/irminfs/HEAD");
	assert_int_equal(pin_update(f->repo, two, 3, &blob, 1), 0);
	second = shell(f->path, "cat worktrees/irminfs/HEAD");
	assert_string_equal(first, second);
	free(first);
	free(second);
}

static void what_is_missing_is_left_out(void **state)
{
	struct fixture *f = *state;
	struct oid commits[2] = { commit, { { 1 } } };

	assert_int_equal(pin_update(f->repo, commits, 2, &commits[1], 1), 0);
	clean_up_with_git(f);
	assert_true(is_there(f, &commit));
}

/* Each state that a crash may leave on the way to the first pin, and on the
 * way back. */
static void git_works_at_every_step(void **state)
{
	struct fixture *f = *state;

	shell_do(f->path, "mkdir -p worktrees/irminfs");
	shell_do(f->path, "echo x >worktrees/irminfs/locked");
	clean_up_with_git(f);
	shell_do(f->path, "test -d worktrees/irminfs && "
		 "echo ../.. >worktrees/irminfs/commondir");
	clean_up_with_git(f);
	shell_do(f->path, "git rev-parse main >worktrees/irminfs/HEAD");
	clean_up_with_git(f);
	assert_int_equal(pin_update(f->repo, NULL, 0, NULL, 0), 0);
	shell_do(f->path, "test ! -e worktrees");
}

static void pruning_of_work_trees_does_not_race(void **state)
{
	struct fixture *f = *state;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		while (chdir(f->path) == 0)
			if (system("git worktree prune --expire=now") < 0)
				break;
		_exit(0);
	}
	for (int i = 0; i < 300; i++) {
		assert_int_equal(pin_update(f->repo, &commit, 1, NULL, 0),
				 0);
		usleep(i % 7 * 1000);
		assert_int_equal(faccessat(git_repo_dir_fd(f->repo),
					   "worktrees/irminfs/HEAD", F_OK, 0),
				 0);
		assert_int_equal(pin_update(f->repo, NULL, 0, NULL, 0), 0);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_objects, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(pinned_objects_survive_git),
		TEST(clones_do_not_carry_them),
		TEST(a_pin_replaces_the_one_before),
		TEST(a_pin_can_be_extended),
		TEST(equal_pins_are_one_commit),
		TEST(what_is_missing_is_left_out),
		TEST(git_works_at_every_step),
		TEST(pruning_of_work_trees_does_not_race),
	};

	return cmocka_run_group_tests_name("pin", tests, NULL, NULL);
}
