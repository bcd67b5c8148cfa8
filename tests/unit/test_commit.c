/* SPDX-License-Identifier: ISC */
#include "tests/memory_test.h"
#include "store/commit.h"

#include <errno.h>
#include <string.h>

static void commits_survive_a_round_trip(void **state)
{
	struct oid parents[2] = { { { 1 } }, { { 2 } } }, oid;
	struct commit commit = {
		.tree = oid_empty_tree, .parents = parents, .parent_count = 2,
		.message = (char *)"Update 1 path: a\n\nIrmin-Pid: 1\n",
	};
	struct commit *read;

	assert_int_equal(signature_init(&commit.author, " A <B>\n", "a@b", 12345,
					-330), 0);
	assert_int_equal(signature_init(&commit.committer, "C", "", 2, 60), 0);
	assert_int_equal(commit_write(odb, &commit, &oid), 0);
	assert_int_equal(commit_read(odb, &oid, &read), 0);
	assert_int_equal(read->parent_count, 2);
	assert_true(oid_equal(&read->parents[1], &parents[1]));
	assert_string_equal(read->author.name, "A B");
	assert_string_equal(read->author.email, "a@b");
	assert_int_equal(read->author.time, 12345);
	assert_int_equal(read->author.offset, -330);
	assert_int_equal(read->committer.offset, 60);
	assert_string_equal(read->message, commit.message);
	signature_release(&commit.author);
	signature_release(&commit.committer);
	commit_free(read);
}

static int decode(const char *text)
{
	struct commit *commit = NULL;
	struct oid oid;
	int r;

	assert_int_equal(odb_write(odb, OBJECT_COMMIT, text, strlen(text), &oid), 0);
	r = commit_read(odb, &oid, &commit);
	commit_free(commit);
	return r;
}

#define TREE "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n"

static void odd_commits(void **state)
{
	assert_int_equal(decode(TREE "author A <a> 1 +0000\ncommitter A <a> 1 "
				"+0000\nencoding x\ngpgsig a\n b\n\nm\n"), 0);
	assert_int_equal(decode(TREE "author A <a>\ncommitter <> 1\n\n"), 0);
	assert_int_equal(decode(TREE "author A <a> 1 +0000\n\nm"), -EUCLEAN);
	assert_int_equal(decode(TREE "author A\ncommitter B\n\nm"), -EUCLEAN);
	assert_int_equal(decode(TREE), -EUCLEAN);
	assert_int_equal(decode(""), -EUCLEAN);
	assert_int_equal(decode("tree zb825dc642cb6eb9a060e54bf8d69288fbee4904\n"
				"author A <a> 1\ncommitter A <a> 1\n\n"), -EUCLEAN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commits_survive_a_round_trip),
		cmocka_unit_test(odd_commits),
	};

	return cmocka_run_group_tests_name("commit", tests, set_up, tear_down);
}
