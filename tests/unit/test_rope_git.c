/* SPDX-License-Identifier: ISC */
#include "tests/repositories.h"
#include "structures/rope_store.h"

/* What plain Git makes of stored ropes. */

/* Makes a branch that has the lines as the rope "file"; line `changed` differs.
 * Its parent is branch main if there is one. */
static struct oid commit(struct fixture *f, const char *branch, int changed)
{
	char line[32], hex[OID_HEX_SIZE];
	struct rope *rope;
	struct oid oid;

	assert_int_equal(rope_new(&rope), 0);
	for (int i = 0; i < 20000; i++) {
		snprintf(line, sizeof(line), "%s %d\n", i == changed ?
			 "changed" : "line", i);
		assert_int_equal(rope_append(rope, line, strlen(line)), 0);
	}
	assert_int_equal(rope_store(rope, f->odb, false, &oid), 0);
	rope_free(rope);
	assert_int_equal(odb_flush(f->odb), 0);
	shell_do(f->path, "p=; git rev-parse -q --verify main && p='-p main'; "
		 "t=$(printf '040000 tree %s\\tfile\\n' | git mktree) && "
		 "git branch -f %s $(git commit-tree -m x $p $t)",
		 oid_hex(&oid, hex), branch);
	return oid;
}

static void fsck_finds_nothing(void **state)
{
	struct fixture *f = *state;

	commit(f, "main", -1);
	shell_do(f->path, "git fsck --strict --no-dangling");
}

/* Chunks of both sides must not mix. */
static void merging_outside_conflicts_in_the_header(void **state)
{
	struct fixture *f = *state;
	char *printed;

	commit(f, "main", -1);
	commit(f, "ours", 5);
	commit(f, "theirs", 19990);
	shell_do(f->path, "git worktree add -q ../w ours");
	assert_int_equal(shell_try(f->path, NULL, "cd ../w && git merge theirs"),
			 1);
	printed = shell(f->path, "cd ../w && git diff --name-only "
			"--diff-filter=U | grep -c 'file/.irmin-rope'");
	assert_string_equal(printed, "1");
	free(printed);
}

/* Added on one side, the other did not change it. */
static void what_one_side_changed_merges_outside(void **state)
{
	struct fixture *f = *state;
	struct rope_header header;
	struct oid theirs, merged;

	commit(f, "main", -1);
	commit(f, "ours", -1);
	theirs = commit(f, "theirs", 19990);
	shell_do(f->path, "git worktree add -q ../w ours && cd ../w && "
		 "git merge -q theirs");
	merged = shell_oid(f->path, "git rev-parse ours:file");
	assert_true(oid_equal(&merged, &theirs));
	assert_int_equal(rope_read_header(f->odb, &merged, &header), 0);
}

/* As Git knows it of files. */
static void the_executable_bit_is_the_headers(void **state)
{
	struct fixture *f = *state;
	struct rope_header header;
	struct oid plain = commit(f, "main", -1), oid;

	shell_do(f->path, "git worktree add -q ../w main && cd ../w && "
		 "git update-index --chmod=+x file/.irmin-rope && "
		 "git commit -q -m x");
	git_objects_refresh(f->repo);
	oid = shell_oid(f->path, "git rev-parse main:file");
	assert_int_equal(rope_read_header(f->odb, &oid, &header), 0);
	assert_true(header.executable);
	assert_int_equal(rope_read_header(f->odb, &plain, &header), 0);
	assert_false(header.executable);
}

#define stage_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		stage_test(fsck_finds_nothing),
		stage_test(merging_outside_conflicts_in_the_header),
		stage_test(what_one_side_changed_merges_outside),
		stage_test(the_executable_bit_is_the_headers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
