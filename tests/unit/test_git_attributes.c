/* SPDX-License-Identifier: ISC */
#include "tests/shell.h"
#include "store/git_repo.h"

#include <errno.h>

/* Attributes of commits in a bare repository, against `git check-attr` in a
 * checkout of each. */

static const char *const paths[] = {
	"a.c", "a.txt", "b", "sub/a.c", "sub/x.txt", "sub/deep/a.c",
	"sub/deep/y.bin", "sub/deep/er/z.bin", "other/sub/a.c", "sub",
	"with space.txt", "docs/readme", "docs/x/readme", "UPPER.C",
	"no/such/folder/f.c", "doc.md", "x/doc.md", "q\"uote", "sub/[x].txt",
	"vendor/lib.c", "vendor/deep/lib.c", "abc/m/n/xyz",
};
static const char *const attributes[] = {
	"merge", "text", "diff", "irmin", "binary", "conflict-marker-size",
	"eol", "custom", "unheard",
};

static const char first[] =
	"*.c merge=token text\n"
	"*.txt merge=union eol=lf\n"
	"\"with space.txt\" custom=yes\n"
	"# comment\n"
	"*.bin binary\n"
	"docs/** custom\n"
	"/doc.md irmin=rope\n"
	"sub/ custom=folder\n"
	"vendor/* -text\n"
	"a?c/**/xyz custom=stars\n"
	"b merge=ours conflict-marker-size=12\n"
	"[attr]special merge=theirs custom=macro -diff\n"
	"other/** special\n"
	"*.txt !eol\n"
	"no newline";
static const char sub[] = "a.c merge=sub\n*.txt -merge\ndeep/*.bin custom=sub\n"
			  "\\[x\\].txt irmin=bracket\n";
static const char deep[] = "*.bin !binary merge=deep\n*.c !merge\n";
static const char second[] = "*.c merge=second\nother/** special\n";
static const char info[] = "*.md custom=info\n";

/* The value as `git check-attr` prints it. */
static char *ours(struct git_repo *repo, const struct oid *commit,
		  const char *path, const char *attribute)
{
	char *value;
	bool unset = false;

	assert_int_equal(git_attribute(repo, commit, path, attribute, &value,
				       &unset), 0);
	if (value && *value)
		return value;
	if (value) {
		free(value);
		return strdup("set");
	}
	return strdup(unset ? "unset" : "unspecified");
}

/* What `git check-attr` says of all paths and attributes, a line each. */
static char *ask_git(const char *folder)
{
	char list[512], *output;
	struct buffer names = { 0 };
	FILE *stream;

	snprintf(list, sizeof(list), "%s/../paths", folder);
	stream = fopen(list, "w");
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++)
		fwrite(paths[i], 1, strlen(paths[i]) + 1, stream);
	assert_int_equal(fclose(stream), 0);
	for (size_t i = 0; i < sizeof(attributes) / sizeof(*attributes); i++)
		buffer_printf(&names, "%s ", attributes[i]);
	output = shell(folder, "git check-attr -z --stdin %s <../paths | "
		       "tr '\\0' '\\n' | sed -n '0~3p'", names.data);
	buffer_release(&names);
	return output;
}

/* folder has commit checked out. */
static void compare(struct git_repo *repo, const char *folder,
		    const struct oid *commit)
{
	char *answers = ask_git(folder), *rest = answers;

	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++)
		for (size_t j = 0; j < sizeof(attributes) / sizeof(*attributes);
		     j++) {
			char *expected = strsep(&rest, "\n");
			char *value = ours(repo, commit, paths[i],
					   attributes[j]);

			if (!expected || strcmp(value, expected) != 0)
				fail_msg("%s of %s is '%s', not '%s'",
					 attributes[j], paths[i], value,
					 expected);
			free(value);
		}
	assert_null(rest);
	free(answers);
}

static void attributes_are_those_of_each_commit(void **state)
{
	char *dir = shell_begin(), work[256];
	struct git_repo *repo;
	struct oid one, two;

	snprintf(work, sizeof(work), "%s/work", dir);
	shell_do(dir, "git init -q work && mkdir -p work/sub/deep && "
		 "mkdir -p work/.git/info");
	shell_put(work, ".gitattributes", first);
	shell_put(work, "sub/.gitattributes", sub);
	shell_put(work, "sub/deep/.gitattributes", deep);
	shell_put(work, ".git/info/attributes", info);
	shell_do(work, "git add -A && git commit -qm one && "
		 "git worktree add -q ../one HEAD");
	one = shell_oid(work, "git rev-parse HEAD");
	/* neither the index nor the work tree counts */
	shell_put(work, ".gitattributes", second);
	shell_do(work, "rm -r sub && git add -A && git commit -qm two && "
		 "git worktree add -q ../two HEAD && echo '* merge=index' "
		 ">.gitattributes && git add -A");
	two = shell_oid(work, "git rev-parse HEAD");
	assert_int_equal(git_repo_open(work, false, &repo, NULL), 0);
	snprintf(work, sizeof(work), "%s/one", dir);
	compare(repo, work, &one);
	snprintf(work, sizeof(work), "%s/two", dir);
	compare(repo, work, &two);
	snprintf(work, sizeof(work), "%s/one", dir);
	compare(repo, work, &one);
	git_repo_free(repo);
	shell_end(dir);
}

static void ignore_message(enum log_level level, const char *text)
{
}

static void a_missing_commit_is_an_error(void **state)
{
	char *dir = shell_begin(), path[256], *value;
	struct oid oid = { { 1 } };
	struct git_repo *repo;
	bool unset;

	snprintf(path, sizeof(path), "%s/r", dir);
	assert_int_equal(git_repo_open(path, true, &repo, NULL), 0);
	log_set_sink(ignore_message, LOG_LEVEL_ERROR);
	assert_int_equal(git_attribute(repo, &oid, "a", "merge", &value,
				       &unset), -EIO);
	log_set_sink(NULL, LOG_LEVEL_WARNING);
	git_repo_free(repo);
	shell_end(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(attributes_are_those_of_each_commit),
		cmocka_unit_test(a_missing_commit_is_an_error),
	};

	return cmocka_run_group_tests_name("git_attributes", tests, NULL, NULL);
}
