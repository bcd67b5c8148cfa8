/* SPDX-License-Identifier: ISC */
#include "tests/shell.h"
#include "store/contents.h"
#include "store/git_repo.h"

#include <errno.h>

/* ---- files ---- */

/* Base, ours, theirs; as they come in `git merge-file`'s reach. */
static const char *const cases[][3] = {
	{ "a\nb\nc\n", "a\nB\nc\n", "a\nb\nc\n" },
	{ "a\nb\nc\n", "A\nb\nc\n", "a\nb\nC\n" },
	{ "a\nb\nc\n", "a\nx\nc\n", "a\ny\nc\n" },
	{ "a\nb\nc", "a\nb\nc\nd", "x\na\nb\nc" },
	{ "a\nb\nc", "a\nb\nd", "a\nb\ne" },
	{ "a\nb\nc\n", "a\nb\nc", "a\nb\nc\nd\n" },
	{ "", "a\n", "b\n" },
	{ "", "same\n", "same\n" },
	{ "", "", "new\n" },
	{ "a\nb\n", "", "a\nc\n" },
	{ "a\r\nb\r\nc\r\n", "a\r\nx\r\nc\r\n", "a\r\ny\r\nc\r\n" },
	{ "a\r\nb\r\nc\r\n", "a\r\nx\r\nc\r\n", "a\nb\nc\n" },
	{ "1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\nx\n3\n4\n5\ny\n7\n8\n9\n",
	  "1\nX\n3\n4\n5\nY\n7\n8\nz\n" },
	/* between two conflicts lines without letters or digits */
	{ "a\n\n}\nb\n", "x\n\n}\ny\n", "p\n\n}\nq\n" },
	{ "a\nb\n", "a\nnew\nb\n", "a\nnew\nb\nmore\n" },
	{ "a\nb\nc\nd\n", "a\nc\nd\n", "a\nb\nC\nd\n" },
	{ "f {\n}\n", "f {\n}\ng {\n}\n", "f {\n}\nh {\n}\n" },
};

static struct merge_input input_of(const char *const texts[3])
{
	return (struct merge_input){
		.base = { texts[0], strlen(texts[0]), "base" },
		.ours = { texts[1], strlen(texts[1]), "main" },
		.theirs = { texts[2], strlen(texts[2]), "work" },
		.path = "f",
	};
}

static const char favors[] = { 0, 'o', 't', 'u' };

/* Lets Git merge all cases, each in a folder of its own: files merged0, ... */
static void merge_by_git(const char *dir)
{
	size_t count = sizeof(cases) / sizeof(*cases);

	for (size_t i = 0; i < count; i++) {
		char name[32];

		for (int side = 0; side < 3; side++) {
			snprintf(name, sizeof(name), "%zu.%d", i, side);
			shell_put(dir, name, cases[i][side]);
		}
	}
	shell_do(dir, "i=0; while [ $i -lt %zu ]; do n=0; "
		 "for favor in --quiet --ours --theirs --union; do "
		 "git merge-file -p -q $favor -L main -L base -L work "
		 "$i.1 $i.0 $i.2 >$i.merged$n; echo $? >$i.status$n; "
		 "n=$((n + 1)); done; i=$((i + 1)); done; git merge-file -p -q "
		 "--marker-size=15 -L main -L base -L work 2.1 2.0 2.2 "
		 ">2.merged9 || echo $? >2.status9", count);
}

static void assert_file(const char *dir, size_t number, const char *what,
			int favor, const char *expected)
{
	char path[512], text[4096];
	FILE *stream;

	snprintf(path, sizeof(path), "%s/%zu.%s%d", dir, number, what, favor);
	stream = fopen(path, "r");
	assert_non_null(stream);
	text[fread(text, 1, sizeof(text) - 1, stream)] = '\0';
	fclose(stream);
	assert_string_equal(expected, text);
}

static void compare_merge(const char *dir, size_t number, char favor,
			  int result, int marker_size)
{
	struct merge_input input = input_of(cases[number]);
	char status[16];
	void *data;
	size_t size;

	input.marker_size = marker_size;
	/* Git counts conflicts; none of these has more than one */
	snprintf(status, sizeof(status), "%d\n",
		 git_merge_lines(&input, favor, &data, &size));
	assert_int_equal(strlen(data), size);
	assert_file(dir, number, "merged", result, data);
	assert_file(dir, number, "status", result, status);
	free(data);
}

static void lines_merge_as_in_git(void **state)
{
	char *dir = shell_begin();

	merge_by_git(dir);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		for (size_t j = 0; j < sizeof(favors); j++)
			compare_merge(dir, i, favors[j], j, 0);
	compare_merge(dir, 2, 0, 9, 15);
	shell_end(dir);
}

static void absent_sides_are_empty(void **state)
{
	struct merge_input input = {
		.ours = { "a\n", 2, "main" }, .theirs = { "b\n", 2, "work" },
	};
	void *data;
	size_t size;

	assert_int_equal(git_merge_lines(&input, 0, &data, &size), 1);
	assert_string_equal(data, "<<<<<<< main\na\n=======\nb\n>>>>>>> work\n");
	free(data);
}

static void binary_files_conflict(void **state)
{
	struct merge_input input = {
		.base = { "a\0b", 3 }, .ours = { "a\0c", 3 },
		.theirs = { "a\0d", 3 },
	};
	void *data;
	size_t size;

	assert_int_equal(git_merge_lines(&input, 0, &data, &size), 1);
	assert_int_equal(size, 3);
	assert_memory_equal(data, "a\0c", 3);
	free(data);
	assert_int_equal(git_merge_lines(&input, 't', &data, &size), 0);
	assert_int_equal(size, 3);
	assert_memory_equal(data, "a\0d", 3);
	free(data);
}

/* ---- history ---- */

#define COMMITS 40

/* A random history of merges and forks: commit i is the ref refs/c/i. */
static void make_history(const char *path, unsigned int seed)
{
	struct buffer stream = { 0 };

	srand(seed);
	for (int i = 0; i < COMMITS; i++) {
		int age = rand() % 3, a = i - 1 - rand() % 4;
		int b = i - 1 - rand() % 6;

		/* clocks are not always right */
		buffer_printf(&stream, "commit refs/c/%d\nmark :%d\n"
			      "committer x <x> %d +0000\ndata 0\n", i, i + 1,
			      1000 + i * 10 - age * 25);
		if (a >= 0 && i > 1)
			buffer_printf(&stream, "from :%d\n", a + 1);
		if (a >= 0 && b >= 0 && a != b && i > 1 && rand() % 2)
			buffer_printf(&stream, "merge :%d\n", b + 1);
		buffer_puts(&stream, "\n");
	}
	shell_put(path, "stream", stream.data);
	shell_do(path, "git fast-import --quiet <stream");
	buffer_release(&stream);
}

static int compare_oids(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct oid));
}

/* All merge bases, sorted, or the error's name. */
static char *bases(struct git_repo *repo, const struct oid *a,
		   const struct oid *b)
{
	struct buffer text = { 0 };
	struct oid *oids;
	size_t count;
	int r = git_find_merge_bases(repo, a, b, &oids, &count);

	if (r < 0)
		return strdup(strerrorname_np(-r));
	if (count == 0)
		assert_null(oids);
	else
		qsort(oids, count, sizeof(*oids), compare_oids);
	for (size_t i = 0; i < count; i++) {
		char hex[OID_HEX_SIZE];

		buffer_printf(&text, "%s%s", i ? " " : "",
			      oid_hex(&oids[i], hex));
	}
	free(oids);
	return text.data ? text.data : strdup("");
}

static struct oid commit_of(struct git_repo *repo, int i)
{
	struct oid oid;
	char name[32];

	snprintf(name, sizeof(name), "refs/c/%d", i);
	assert_int_equal(git_ref_read(repo, name, &oid), 0);
	return oid;
}

#define PAIRS 20

struct pair {
	int a, b;
};

/* What Git says of pairs of commits: a line with their sorted merge bases and
 * one with 1 if the first is an ancestor of the second. */
static char *ask_git(const char *path, const struct pair *pairs)
{
	struct buffer list = { 0 };
	char *output;

	for (int i = 0; i < PAIRS; i++)
		buffer_printf(&list, "'refs/c/%d refs/c/%d' ", pairs[i].a,
			      pairs[i].b);
	output = shell(path, "for pair in %s; do "
		       "echo $(git merge-base --all $pair | sort); "
		       "git merge-base --is-ancestor $pair && echo 1 || echo 0; "
		       "done", list.data);
	buffer_release(&list);
	return output;
}

/* Returns how many answers were "unknown". */
static int compare_history(struct git_repo *repo, const char *whole, int first)
{
	struct pair pairs[PAIRS];
	char *answers, *rest;
	int unknown = 0;

	for (int i = 0; i < PAIRS; i++)
		pairs[i] = (struct pair){ first + rand() % (COMMITS - first),
					  first + rand() % (COMMITS - first) };
	answers = rest = ask_git(whole, pairs);
	for (int i = 0; i < PAIRS; i++) {
		struct oid a = commit_of(repo, pairs[i].a);
		struct oid b = commit_of(repo, pairs[i].b);
		char *found = bases(repo, &a, &b);
		const char *expected = strsep(&rest, "\n");
		int is_ancestor = atoi(strsep(&rest, "\n"));
		int r = git_is_ancestor(repo, &a, &b);

		if (strcmp(found, "EOPNOTSUPP") == 0)
			unknown++;
		else
			assert_string_equal(found, expected);
		if (r != -ENOTSUP)
			assert_int_equal(r, is_ancestor);
		free(found);
	}
	free(answers);
	return unknown;
}

static void all_merge_bases_are_found(void **state)
{
	char *dir = shell_begin(), path[256];

	for (unsigned int seed = 1; seed <= 2; seed++) {
		struct git_repo *repo;

		snprintf(path, sizeof(path), "%s/r%u", dir, seed);
		shell_do(dir, "git init -q --bare r%u", seed);
		make_history(path, seed);
		/* one that knows a part of it */
		if (seed == 2)
			shell_do(path, "git rev-parse refs/c/20 refs/c/25 | "
				 "git commit-graph write --stdin-commits");
		assert_int_equal(git_repo_open(path, false, &repo, NULL), 0);
		assert_int_equal(compare_history(repo, path, 0), 0);
		git_repo_free(repo);
	}
	shell_end(dir);
}

static void ignore_message(enum log_level level, const char *text)
{
}

static void missing_history_is_an_error(void **state)
{
	char *dir = shell_begin(), path[256], *error;
	struct oid missing = { { 1 } }, a;
	struct git_repo *repo;

	snprintf(path, sizeof(path), "%s/r", dir);
	assert_int_equal(git_repo_open(path, true, &repo, NULL), 0);
	shell_do(path, "git update-ref refs/c/0 $(git commit-tree -m x "
		 "$(git mktree </dev/null))");
	a = commit_of(repo, 0);
	log_set_sink(ignore_message, LOG_LEVEL_ERROR);
	error = bases(repo, &a, &missing);
	assert_string_equal(error, "EIO");
	free(error);
	assert_int_equal(git_is_ancestor(repo, &a, &missing), -EIO);
	log_set_sink(NULL, LOG_LEVEL_WARNING);
	git_repo_free(repo);
	shell_end(dir);
}

/* What a clone that is cut off says is what the whole repository says, or that
 * it does not know. */
static void shallow_history_does_not_lie(void **state)
{
	char *dir = shell_begin(), whole[256], path[256];
	int unknown = 0;

	snprintf(whole, sizeof(whole), "%s/whole", dir);
	snprintf(path, sizeof(path), "%s/cut", dir);
	shell_do(dir, "git init -q --bare whole");
	make_history(whole, 5);
	shell_do(whole, "for i in $(seq 25 39); do echo create "
		 "refs/heads/b$i refs/c/$i; done | git update-ref --stdin; "
		 "git symbolic-ref HEAD refs/heads/b39");
	for (int depth = 2; depth <= 6; depth += 2) {
		struct git_repo *repo;

		shell_do(dir, "rm -rf cut; git clone -q --bare --no-local "
			 "--depth %d --no-single-branch whole cut && cd cut && "
			 "for i in $(seq 25 39); do echo create refs/c/$i "
			 "refs/heads/b$i; done | git update-ref --stdin", depth);
		assert_int_equal(git_repo_open(path, false, &repo, NULL), 0);
		unknown += compare_history(repo, whole, 25);
		git_repo_free(repo);
	}
	assert_in_range(unknown, 1, 2 * PAIRS);
	shell_end(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_merge_as_in_git),
		cmocka_unit_test(absent_sides_are_empty),
		cmocka_unit_test(binary_files_conflict),
		cmocka_unit_test(all_merge_bases_are_found),
		cmocka_unit_test(missing_history_is_an_error),
		cmocka_unit_test(shallow_history_does_not_lie),
	};

	return cmocka_run_group_tests_name("git_merge", tests, NULL, NULL);
}
