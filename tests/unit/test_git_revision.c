/* SPDX-License-Identifier: ISC */
#include "tests/shell.h"
#include "store/git_repo.h"

#include <errno.h>

/* A history with merges, tags and dates, and what Git says of it. */
static char *dir, path[256];
static struct git_repo *repo;

static int group_setup(void **state)
{
	setenv("TZ", "UTC-2", 1);	/* two hours east */
	setenv("GIT_AUTHOR_DATE", "2026-11-01T12:00:00+0000", 1);
	setenv("GIT_COMMITTER_DATE", "2026-11-07T12:00:00+0000", 1);
	dir = shell_begin();
	snprintf(path, sizeof(path), "%s/r", dir);
	assert_int_equal(git_repo_open(path, true, &repo, NULL), 0);
	shell_do(path, "t=$(git mktree </dev/null); p=; "
		 "for i in 1 2 3 4 5; do "
		 "export GIT_COMMITTER_DATE=\"2026-11-0${i}T12:00:00+0000\"; "
		 "c=$(git commit-tree -m $i $p $t); p=\"-p $c\"; done; "
		 "git branch main $c; s=$(git commit-tree -m side "
		 "-p main~3 $t); GIT_COMMITTER_DATE=2026-11-06T12:00:00+0000 "
		 "git update-ref refs/heads/main $(git commit-tree -m merge "
		 "-p main -p $s $t); git branch feature/x main~2; "
		 "git tag -m v1 v1.0 main~1; git tag -m vv vv v1.0; "
		 "git tag light main~4; git branch main@1 main~3");
	return 0;
}

static int group_teardown(void **state)
{
	git_repo_free(repo);
	shell_end(dir);
	return 0;
}

static int resolve(const char *revision, char hex[OID_HEX_SIZE])
{
	struct oid oid;
	int r = git_revision_resolve(repo, revision, &oid);

	if (r == 0)
		oid_hex(&oid, hex);
	return r;
}

static void same(const char *revision, const char *as_git_says)
{
	char hex[OID_HEX_SIZE], *expected;
	int r = resolve(revision, hex);

	if (r < 0)
		fail_msg("%s: %s", revision, strerror(-r));
	expected = shell(path, "git rev-parse --verify '%s^{commit}'",
			 as_git_says);
	assert_string_equal(hex, expected);
	free(expected);
}

static void revisions_are_those_of_git(void **state)
{
	static const char *const revisions[] = {
		"main", "main~", "main~3", "main^2", "main^2~1", "main^0",
		"feature/x", "v1.0", "vv", "v1.0~1", "light", "tags/v1.0",
		"refs/heads/main", "heads/main", "HEAD", "@", "@~2", "main@1",
		"main^{commit}", "v1.0^{}",
	};
	char *hex = shell(path, "git rev-parse main~2");

	for (size_t i = 0; i < sizeof(revisions) / sizeof(*revisions); i++)
		same(revisions[i], revisions[i]);
	same(hex, "main~2");
	hex[10] = '\0';
	same(hex, "main~2");
	free(hex);
}

static void dates_follow_first_parents(void **state)
{
	same("main@{2026-11-03T12:00:00Z}", "main~3");
	same("main@{2026-11-03 14:00:00}", "main~3");
	same("main@{2026-11-03 13:59}", "main~4");
	same("main@{2026-11-03 11:59:59 +0000}", "main~4");
	same("main@{2026-11-03 11:00:00 -0100}", "main~3");
	same("main@{Tue, 03 Nov 2026 12:00:00 +0000}", "main~3");
	same("main@{2026-11-04}", "main~3");
	same("main@{2030-01-01}", "main");
	same("@{2026-11-05}", "main~2");
	same("main@{2026-11-05}~1", "main~3");
	same("v1.0@{2026-11-04}^", "main~4");
	same("main^2@{2026-11-02T13:00:00Z}", "main~4");
}

static void what_is_not_there_is_told(void **state)
{
	char hex[OID_HEX_SIZE];

	assert_int_equal(resolve("nothing", hex), -ENOENT);
	assert_int_equal(resolve("main~99", hex), -ENOENT);
	assert_int_equal(resolve("main^7", hex), -ENOENT);
	assert_int_equal(resolve("1234567890123456789012345678901234567890",
				 hex), -ENOENT);
	assert_int_equal(resolve("main@{2026-11-01}", hex), -ENOENT);
	assert_int_equal(resolve("main@{1}", hex), -ENOENT);
	assert_int_equal(resolve("main@{yesterday}", hex), -EINVAL);
	assert_int_equal(resolve("main@{2026-11-31}", hex), -EINVAL);
	assert_int_equal(resolve("main@{2026-11-01 25:00}", hex), -EINVAL);
	assert_int_equal(resolve("main@{2026-11-01 12:00 +9}", hex), -EINVAL);
	assert_int_equal(resolve("main@{2026-11-01", hex), -EINVAL);
	assert_int_equal(resolve("main^{nonsense}", hex), -EINVAL);
	assert_int_equal(resolve("main^{tree}", hex), -EINVAL);
	assert_int_equal(resolve(":/side", hex), -EINVAL);
	assert_int_equal(resolve("main^{/side}", hex), -EINVAL);
	assert_true(resolve("", hex) < 0);
	assert_true(resolve("~", hex) < 0);
	assert_true(resolve("@{", hex) < 0);
}

static void ambiguous_ids_are_refused(void **state)
{
	char hex[OID_HEX_SIZE];

	/* enough commits that some two begin with the same four digits */
	shell_do(path, "t=$(git mktree </dev/null); for i in $(seq 500); do "
		 "echo commit refs/many/$i; echo committer x '<x>' $i +0000; "
		 "echo data 0; echo; done | git fast-import --quiet; "
		 "git rev-list --all | cut -c1-4 | sort | uniq -d | head -1 "
		 ">../prefix");
	{
		char *prefix = shell(dir, "cat prefix");

		assert_int_equal(strlen(prefix), 4);
		assert_int_equal(resolve(prefix, hex), -EINVAL);
		free(prefix);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(revisions_are_those_of_git),
		cmocka_unit_test(dates_follow_first_parents),
		cmocka_unit_test(what_is_not_there_is_told),
		cmocka_unit_test(ambiguous_ids_are_refused),
	};

	return cmocka_run_group_tests_name("git_revision", tests, group_setup,
					   group_teardown);
}
