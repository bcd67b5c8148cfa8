/* SPDX-License-Identifier: ISC */
#include "tests/shell.h"
#include "store/git_repo.h"

#include <errno.h>

static int try_open(const char *path, bool create, struct report *report)
{
	struct git_repo *repo;
	int r;

	memset(report, 0, sizeof(*report));
	r = git_repo_open(path, create, &repo, report);
	if (r == 0)
		git_repo_free(repo);
	else
		assert_true(report->text[0]);
	return r;
}

/* Opens folder/name and compares its path with folder/expected. */
static void opens_as(const char *folder, const char *name, const char *expected)
{
	struct report report = { 0 };
	struct git_repo *repo;
	char path[512], full[512];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	snprintf(full, sizeof(full), "%s/%s", folder, expected);
	if (git_repo_open(path, false, &repo, &report) < 0)
		fail_msg("%s", report.text);
	assert_string_equal(git_repo_path(repo), full);
	git_repo_free(repo);
}

static void what_is_absent_or_empty_is_made(void **state)
{
	char *dir = shell_begin(), path[256];
	struct report report;

	snprintf(path, sizeof(path), "%s/a", dir);
	assert_int_equal(try_open(path, false, &report), -ENOENT);
	assert_int_equal(try_open(path, true, &report), 0);
	assert_int_equal(try_open(path, true, &report), 0);
	shell_do(dir, "git -C a fsck --strict && "
		 "test $(git -C a symbolic-ref HEAD) = refs/heads/main && "
		 "test $(git -C a rev-parse --is-bare-repository) = true");
	shell_do(dir, "mkdir empty");
	snprintf(path, sizeof(path), "%s/empty", dir);
	assert_int_equal(try_open(path, false, &report), -EINVAL);
	assert_int_equal(try_open(path, true, &report), 0);
	/* a crash before the last step */
	shell_do(dir, "cd empty && mv HEAD HEAD.lock && rmdir refs/tags");
	assert_int_equal(try_open(path, true, &report), 0);
	shell_do(dir, "git -C empty fsck --strict && test -d empty/refs/tags");
	snprintf(path, sizeof(path), "%s/no/such", dir);
	assert_int_equal(try_open(path, true, &report), -ENOENT);
	shell_end(dir);
}

static void repositories_of_every_layout_open(void **state)
{
	char *dir = shell_begin();

	shell_do(dir, "git init -q --bare bare && git init -q work && "
		 "cd work && git commit -q --allow-empty -m x && "
		 "git worktree add -q ../linked && "
		 "git init -q --separate-git-dir ../away ../apart");
	opens_as(dir, "bare", "bare");
	opens_as(dir, "work", "work/.git");
	opens_as(dir, "work/.git", "work/.git");
	opens_as(dir, "linked", "work/.git");
	opens_as(dir, "apart", "away");
	shell_end(dir);
}

static void refused(const char *dir, const char *setup, int error,
		    const char *words)
{
	struct report report;
	char path[256];

	shell_do(dir, "rm -rf r && git init -q --bare r && cd r && %s", setup);
	snprintf(path, sizeof(path), "%s/r", dir);
	assert_int_equal(try_open(path, true, &report), error);
	if (!strstr(report.text, words))
		fail_msg("'%s' lacks '%s'", report.text, words);
}

static void others_are_refused_in_words(void **state)
{
	char *dir = shell_begin();

	refused(dir, "cd .. && rm -r r && "
		"git init -q --bare --object-format=sha256 r", -EINVAL, "sha256");
#define CONFIG(key, value) "git config core.repositoryformatversion 1 && " \
			   "git config " key " " value
	refused(dir, CONFIG("extensions.refstorage", "reftable"), -EINVAL,
		"reftable");
	refused(dir, CONFIG("extensions.partialclone", "origin"), -EINVAL,
		"partial clone");
	refused(dir, CONFIG("extensions.unheardOf", "1"), -EINVAL, "unheardof");
	refused(dir, "git config core.repositoryformatversion 2", -EINVAL,
		"format 2");
	refused(dir, "echo '[core' >config", -EINVAL, "config");
	refused(dir, "rm HEAD", -EINVAL, "not a Git repository");
	refused(dir, "cd .. && rm -r r && echo >r", -ENOTDIR, "not a folder");
	refused(dir, "cd .. && rm -r r && mkdir r && echo >r/file", -EINVAL,
		"not a Git repository");
	shell_end(dir);
}

static void harmless_extensions_are_accepted(void **state)
{
	char *dir = shell_begin(), path[256];
	struct report report;

	shell_do(dir, "git init -q --bare r && cd r && "
		 "git config core.repositoryformatversion 1 && "
		 "printf '[extensions]\\nobjectFormat = sha1\\n"
		 "refStorage = files\\npreciousObjects\\nworktreeConfig\\n' "
		 ">>config");
	snprintf(path, sizeof(path), "%s/r", dir);
	assert_int_equal(try_open(path, false, &report), 0);
	shell_end(dir);
}

static void configuration_is_read(void **state)
{
	char *dir = shell_begin(), path[256], *value;
	struct git_repo *repo;

	shell_do(dir, "git init -q --bare r && cd r && "
		 "git config user.name 'A B' && git config merge.x.driver 'd %%A'");
	snprintf(path, sizeof(path), "%s/r", dir);
	assert_int_equal(git_repo_open(path, false, &repo, NULL), 0);
	assert_int_equal(git_config_read(repo, "user.name", &value), 0);
	assert_string_equal(value, "A B");
	free(value);
	assert_int_equal(git_config_read(repo, "merge.x.driver", &value), 0);
	assert_string_equal(value, "d %A");
	free(value);
	assert_int_equal(git_config_read(repo, "no.such", &value), -ENOENT);
	assert_int_equal(git_config_read(repo, "bad key", &value), -ENOENT);
	/* changes show */
	shell_do(dir, "git -C r config user.name C");
	assert_int_equal(git_config_read(repo, "user.name", &value), 0);
	assert_string_equal(value, "C");
	free(value);
	git_repo_free(repo);
	shell_end(dir);
}

static void checked_out_branches_are_known(void **state)
{
	char *dir = shell_begin(), path[256], *where;
	struct git_repo *repo;

	shell_do(dir, "git init -q -b main work && cd work && "
		 "git commit -q --allow-empty -m x && git branch free && "
		 "git worktree add -q ../linked && "
		 "git worktree add -q ../gone && rm -r ../gone && "
		 "mkdir .git/worktrees/irminfs && cd .git/worktrees/irminfs && "
		 "echo 'ref: refs/heads/free' >HEAD && echo /x/.git >gitdir && "
		 "echo ../.. >commondir && echo >locked");
	snprintf(path, sizeof(path), "%s/work", dir);
	assert_int_equal(git_repo_open(path, false, &repo, NULL), 0);
	where = git_branch_checked_out(repo, "main");
	assert_string_equal(where, path);
	free(where);
	where = git_branch_checked_out(repo, "linked");
	snprintf(path, sizeof(path), "%s/linked", dir);
	assert_string_equal(where, path);
	free(where);
	assert_null(git_branch_checked_out(repo, "free"));
	assert_null(git_branch_checked_out(repo, "gone"));
	assert_null(git_branch_checked_out(repo, "none"));
	git_repo_free(repo);
	shell_end(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_absent_or_empty_is_made),
		cmocka_unit_test(repositories_of_every_layout_open),
		cmocka_unit_test(others_are_refused_in_words),
		cmocka_unit_test(harmless_extensions_are_accepted),
		cmocka_unit_test(configuration_is_read),
		cmocka_unit_test(checked_out_branches_are_known),
	};

	return cmocka_run_group_tests_name("git_repo", tests, NULL, NULL);
}
