/* SPDX-License-Identifier: ISC */
#include "tests/random.h"
#include "tests/shell.h"
#include "structures/queue.h"
#include "store/git_repo.h"
#include "store/util.h"

/* Queues in a repository, and plain Git's word on them: `git fsck`, `git
 * merge -s resolve` in a clone. */

static char *folder;
static struct git_repo *repo;
static struct odb *odb;

static int set_up(void **state)
{
	char path[128];

	folder = shell_begin();
	snprintf(path, sizeof(path), "%s/store.git", folder);
	assert_int_equal(git_repo_open(path, true, &repo, NULL), 0);
	odb = git_repo_odb(repo);
	roll_seed = 77;
	return 0;
}

static int tear_down(void **state)
{
	git_repo_free(repo);
	shell_end(folder);
	return 0;
}

static void push(struct oid *queue, uint64_t seconds)
{
	struct timespec now = { .tv_sec = seconds };
	struct queue_element last, e = { .mode = MODE_FILE, .name = "job" };
	char text[32], *name = NULL;
	int r = queue_last(odb, queue, &last, &name);

	queue_key_next(r ? NULL : &last.key, &now, roll(1u << 31), &e.key);
	free(name);
	snprintf(text, sizeof(text), "do %u\n", roll(1000000));
	assert_int_equal(odb_write(odb, OBJECT_BLOB, text, strlen(text),
				   &e.oid), 0);
	assert_int_equal(queue_push(odb, queue, &e, queue), 0);
}

struct taking {
	struct oid *queue;
	unsigned int skip;
};

static int take_one(void *context, const struct queue_element *e)
{
	struct taking *t = context;

	if (t->skip--)
		return 0;
	assert_int_equal(queue_remove(odb, t->queue, &e->key, e->name,
				      t->queue), 0);
	return 1;
}

static void take(struct oid *queue, unsigned int skip)
{
	struct oid before = *queue;
	struct taking t = { queue, skip };

	queue_each(odb, &before, take_one, &t);
}

static void work(struct oid *queue, unsigned int steps)
{
	while (steps--) {
		if (roll(2))
			push(queue, 1700000000 + roll(1000000));
		else
			take(queue, roll(3) ? 0 : roll(20));
	}
}

/* A commit of a tree with the queue as jobs/; its id in hex. */
static void commit(const struct oid *queue, const char *parents, char hex[41])
{
	struct tree_entry entry = { .mode = MODE_TREE, .name = "jobs",
				    .oid = *queue };
	struct oid tree;
	char *output;

	assert_int_equal(tree_write(odb, &entry, !oid_is_zero(queue), &tree), 0);
	assert_int_equal(odb_flush(odb), 0);
	output = shell(folder, "git -C store.git commit-tree -m m %s %s",
		       oid_hex(&tree, hex), parents);
	snprintf(hex, 41, "%s", output);
	free(output);
}

/* jobs/ after `git merge -s resolve` in a clone. */
static struct oid merge_in_clone(const char *ours, const char *theirs)
{
	struct oid oid = { 0 };
	char *output;

	output = shell(folder,
		"git -C store.git update-ref refs/heads/ours %s\n"
		"git -C store.git update-ref refs/heads/theirs %s\n"
		"rm -rf clone\n"
		"git clone -q -b ours store.git clone\n"
		"cd clone\n"
		"git merge -q -s resolve -m m origin/theirs >log 2>&1 || cat log\n"
		"git rev-parse -q --verify HEAD:jobs || echo none",
		ours, theirs);
	if (strcmp(output, "none") != 0)
		assert_int_equal(oid_parse(output, &oid), 0);
	free(output);
	return oid;
}

static void compare_with_git(const struct oid *base, unsigned int steps)
{
	struct oid ours = *base, theirs = *base, merged, gits;
	char first[41], left[41], right[41], parent[64];

	work(&ours, steps);
	work(&theirs, steps);
	commit(base, "", first);
	snprintf(parent, sizeof(parent), "-p %s", first);
	commit(&ours, parent, left);
	commit(&theirs, parent, right);
	assert_int_equal(queue_merge(odb, base, &ours, &theirs, &merged), 0);
	gits = merge_in_clone(left, right);
	assert_true(oid_equal(&merged, &gits));
}

static void git_merge_resolve_gives_the_same(void **state)
{
	struct oid queue = { 0 };

	for (int round = 0; round < 8; round++) {
		compare_with_git(&queue, 5 + round * 5);
		work(&queue, 40);
	}
}

/* Two branches that merged each other from the same heads: two bases. */
static void git_merges_crossed_branches_the_same(void **state)
{
	struct oid base = { 0 }, ours, theirs, middle, merged, gits;
	char first[41], left[41], right[41], x[41], y[41], parents[160];

	work(&base, 60);
	ours = theirs = base;
	work(&ours, 20);
	work(&theirs, 20);
	commit(&base, "", first);
	snprintf(parents, sizeof(parents), "-p %s", first);
	commit(&ours, parents, left);
	commit(&theirs, parents, right);
	/* the virtual base of the next merge is the merge of both */
	assert_int_equal(queue_merge(odb, &base, &ours, &theirs, &middle), 0);
	ours = theirs = middle;
	work(&ours, 20);
	work(&theirs, 20);
	snprintf(parents, sizeof(parents), "-p %s -p %s", left, right);
	commit(&ours, parents, x);
	snprintf(parents, sizeof(parents), "-p %s -p %s", right, left);
	commit(&theirs, parents, y);
	assert_int_equal(queue_merge(odb, &middle, &ours, &theirs, &merged), 0);
	gits = merge_in_clone(x, y);
	assert_true(oid_equal(&merged, &gits));
}

static void git_fsck_is_content(void **state)
{
	struct oid queue = { 0 };
	char hex[41];

	work(&queue, 100);
	push(&queue, 5000000000);
	commit(&queue, "", hex);
	free(shell(folder, "git -C store.git update-ref refs/heads/q %s && "
		   "git -C store.git fsck --strict --no-dangling", hex));
}

/* Git's own order of paths is the queue's. */
struct lines {
	struct buffer names;
};

static int add_line(void *context, const struct queue_element *e)
{
	struct lines *lines = context;

	return buffer_printf(&lines->names, "%s-%s\n", e->key.text, e->name);
}

static void git_lists_in_order(void **state)
{
	struct oid queue = { 0 };
	struct lines lines = { 0 };
	char hex[41], *listed;

	work(&queue, 300);
	commit(&queue, "", hex);
	assert_int_equal(queue_each(odb, &queue, add_line, &lines), 0);
	lines.names.data[lines.names.length - 1] = '\0';
	listed = shell(folder, "git -C store.git ls-tree -r --name-only %s | "
		       "sed 's|.*/||'", hex);
	assert_string_equal(listed, lines.names.data);
	free(listed);
	buffer_release(&lines.names);
}

#define queue_test(function)                                                   \
	cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		queue_test(git_merge_resolve_gives_the_same),
		queue_test(git_merges_crossed_branches_the_same),
		queue_test(git_fsck_is_content),
		queue_test(git_lists_in_order),
	};

	return cmocka_run_group_tests_name("queue_git", tests, NULL, NULL);
}
