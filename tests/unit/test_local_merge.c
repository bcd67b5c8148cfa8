/* SPDX-License-Identifier: ISC */
#include "tests/counting_odb.h"
#include "tests/test.h"
#include "store/acl.h"
#include "store/local_bases.h"
#include "store/local_merge.h"
#include "store/directory.h"
#include "store/local_store.h"
#include "store/tree.h"
#include "store/xattrs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* What model_local_merge cannot make in a work tree. */

static struct odb *odb;
static const struct timespec now = { 200, 0 };

struct face {
	struct oid tree, root;
};

static struct local *facts(mode_t mode)
{
	struct local *local = local_new();

	local->bits = LOCAL_ATTRIBUTES | LOCAL_TIMES;
	local->mode = mode;
	local->mtime.tv_sec = local->ctime.tv_sec = 5;
	return local;
}

static struct local *with_xattrs(struct local *local, char value)
{
	const char bytes[] = { 6, 'u', 's', 'e', 'r', '.', 'a', 1, 0, 0, 0,
			       value };

	local->bits |= LOCAL_XATTRS;
	local->xattrs_size = sizeof(bytes);
	local->xattrs = malloc(sizeof(bytes) + 1);
	memcpy(local->xattrs, bytes, sizeof(bytes));
	assert_true(local_is_xattrs(bytes, sizeof(bytes)));
	return local;
}

static struct delta_entry *put_file(struct delta *delta, const char *name,
				    const char *text, struct local *local)
{
	struct delta_entry *e = delta_add(delta, DELTA_OBJECT, MODE_FILE, name);

	assert_int_equal(odb_write(odb, OBJECT_BLOB, text, strlen(text),
				   &e->oid), 0);
	e->local = local;
	return e;
}

static struct delta *put_directory(struct delta *delta, const char *name)
{
	struct delta_entry *e = delta_add(delta, DELTA_DIRECTORY, MODE_TREE,
					  name);

	e->directory = delta_new(true);
	e->local = facts(S_IFDIR | 0755);
	return e->directory;
}

/* The state after delta, which is freed. */
static struct face after(const struct face *before, struct delta *delta)
{
	static const struct face nothing;
	struct face ret = before ? *before : nothing;

	assert_int_equal(delta_store(delta, odb, &ret.tree), 0);
	assert_int_equal(local_store(delta, odb, &ret.root, false, &now, &now,
				     &ret.root), 0);
	ret.tree = delta->oid;
	delta_free(delta);
	return ret;
}

/* Rows alone: of what Git does not have. */
static struct face with_own(const struct face *before, const char *folder,
			    const char *name, struct local *local)
{
	struct delta *delta = delta_new(false), *in = delta;
	struct face ret = *before;

	if (folder) {
		in = delta_new(false);
		delta_add(delta, DELTA_DIRECTORY, MODE_TREE, folder)->directory =
			in;
	}
	put_file(in, name, "own", local);
	assert_int_equal(delta_store(delta, odb, &ret.tree), 0);
	assert_int_equal(local_store(delta, odb, &ret.root, false, &now, &now,
				     &ret.root), 0);
	delta_free(delta);
	return ret;
}

static struct local *own_file(void)
{
	struct local *local = facts(S_IFREG | 0600);

	local->bits |= LOCAL_OBJECT;
	local->object_mode = MODE_FILE;
	assert_int_equal(odb_write(odb, OBJECT_BLOB, "own", 3, &local->object),
			 0);
	return local;
}

static int try_merge(const struct face *base, const struct face *ours,
		     const struct face *theirs, const struct oid *merged,
		     struct delta **ret, char **ret_path)
{
	struct local_merge merge = {
		.odb = odb, .local = odb, .ours = ours->root,
		.theirs = theirs->root, .ours_tree = ours->tree,
		.theirs_tree = theirs->tree,
	};

	if (base)
		merge.base = base->root;
	assert_int_equal(delta_between(odb, &ours->tree, merged, ret), 0);
	return local_merge(&merge, *ret, ret_path);
}

/* Git takes theirs. */
static struct delta *merge(const struct face *base, const struct face *ours,
			   const struct face *theirs)
{
	struct delta *delta;
	char *path;

	assert_int_equal(try_merge(base, ours, theirs, &theirs->tree, &delta,
				   &path), 0);
	return delta;
}

static struct face begin(void)
{
	struct delta *delta = delta_new(false), *below;

	put_file(delta, "f", "1", facts(S_IFREG | 04755));
	put_file(delta, "x", "1", with_xattrs(facts(S_IFREG | 0644), '1'));
	below = put_directory(delta, "d");
	put_file(below, "g", "1", facts(S_IFREG | 0644));
	return after(NULL, delta);
}

static struct face change(const struct face *before, const char *name,
			  const char *text, struct local *local)
{
	struct delta *delta = delta_new(false);

	put_file(delta, name, text, local);
	return after(before, delta);
}

/* ---- facts ---- */

static void privileges_go_with_contents(void **state)
{
	struct face base = begin();
	struct face same = change(&base, "f", "2", facts(S_IFREG | 04755));
	struct face less = change(&base, "f", "2", facts(S_IFREG | 0755));
	struct face set = change(&base, "x", "1", with_xattrs(
				 facts(S_IFREG | 06755), '1'));
	struct face other = change(&base, "x", "2", with_xattrs(
				   facts(S_IFREG | 0644), '1'));
	struct delta *delta = merge(&base, &base, &same);
	char *path;

	assert_int_equal(delta->count, 1);
	assert_int_equal(delta->entries[0].local->mode, S_IFREG | 04755);
	delta_free(delta);
	/* ours has it, for contents that are gone */
	delta = merge(NULL, &base, &less);
	assert_int_equal(delta->entries[0].local->mode, S_IFREG | 0755);
	delta_free(delta);
	/* theirs gave it to contents that are not ours' */
	assert_int_equal(try_merge(&base, &other, &set, &other.tree, &delta,
				   &path), 0);
	assert_int_equal(delta->count, 1);
	assert_int_equal(delta->entries[0].local->mode, S_IFREG | 0755);
	assert_int_equal(delta->entries[0].merged, DELTA_MERGED | DELTA_SET);
	assert_true(delta->entries[0].same);
	delta_free(delta);
}

/* A directory that theirs removed, and that stays for what ours has put there. */
static void who_has_no_facts_has_changed_none(void **state)
{
	scoped_local struct local *base = with_xattrs(facts(S_IFDIR | 0700), '1');
	scoped_local struct local *ours = with_xattrs(facts(S_IFDIR | 0700), '1');
	const struct local_sides sides = {
		.base = base, .ours = ours, .has_base = true, .is_theirs = true,
	};
	struct local *merged;
	bool changed;

	assert_int_equal(local_merge_facts(&sides, &merged, &changed), 0);
	assert_false(changed);
	assert_int_equal(merged->bits, ours->bits);
	assert_int_equal(merged->mode, S_IFDIR | 0700);
	local_free(merged);
}

static char value_of(const struct delta *delta)
{
	const struct local *local = delta->entries[0].local;

	assert_int_equal(delta->count, 1);
	return local->bits & LOCAL_XATTRS ? local->xattrs[11] : '-';
}

static void extended_attributes_merge_as_a_whole(void **state)
{
	struct face base = begin();
	struct face theirs = change(&base, "x", "1", with_xattrs(
				    facts(S_IFREG | 0644), '2'));
	struct face none = change(&base, "x", "1", facts(S_IFREG | 0644));
	struct face ours = change(&base, "x", "1", with_xattrs(
				  facts(S_IFREG | 0600), '3'));
	struct face mode = change(&base, "x", "1", with_xattrs(
				  facts(S_IFREG | 0600), '1'));
	struct delta *delta = merge(&base, &mode, &theirs);

	assert_int_equal(value_of(delta), '2');
	assert_int_equal(delta->entries[0].local->mode, S_IFREG | 0600);
	delta_free(delta);
	delta = merge(&base, &base, &none);
	assert_int_equal(value_of(delta), '-');
	delta_free(delta);
	delta = merge(&base, &ours, &theirs);
	assert_int_equal(delta->count, 0);
	delta_free(delta);
	/* what the ancestor had is not known: ours stays */
	delta = merge(NULL, &base, &theirs);
	assert_int_equal(delta->count, 0);
	delta_free(delta);
	delta = merge(NULL, &none, &theirs);
	assert_int_equal(value_of(delta), '2');
	delta_free(delta);
}

static struct local *with_list(struct local *local)
{
	size_t size;

	assert_int_equal(xattrs_set("", 0, ACL_ACCESS, "list", 4,
				    &local->xattrs, &size), 0);
	local->xattrs_size = size;
	local->bits |= LOCAL_XATTRS;
	return local;
}

/* The group's bits of a mode say nothing without the list that they are the mask
 * of. */
static void a_mode_and_a_list_merge_as_one(void **state)
{
	struct face base = begin();
	struct face none = change(&base, "x", "1", facts(S_IFREG | 0640));
	struct face list = change(&base, "x", "1", with_list(
				  facts(S_IFREG | 0660)));
	struct face masked = change(&base, "x", "1", with_list(
				    facts(S_IFREG | 0600)));
	struct face mode = change(&base, "x", "1", facts(S_IFREG | 0644));
	struct face other = change(&base, "x", "1", with_xattrs(
				   facts(S_IFREG | 0640), '1'));
	struct delta *delta = merge(&none, &none, &list);

	assert_int_equal(delta->entries[0].local->mode, S_IFREG | 0660);
	assert_true(delta->entries[0].local->bits & LOCAL_XATTRS);
	delta_free(delta);
	delta = merge(&none, &mode, &list);
	assert_int_equal(delta->count, 0);
	delta_free(delta);
	delta = merge(&none, &other, &list);
	assert_int_equal(delta->count, 0);
	delta_free(delta);
	delta = merge(&none, &list, &mode);
	assert_int_equal(delta->count, 0);
	delta_free(delta);
	/* chmod of one with a list, and its end */
	delta = merge(&list, &list, &masked);
	assert_int_equal(delta->entries[0].local->mode, S_IFREG | 0600);
	delta_free(delta);
	delta = merge(&list, &list, &none);
	assert_int_equal(delta->entries[0].local->mode, S_IFREG | 0640);
	assert_false(delta->entries[0].local->bits & LOCAL_XATTRS);
	delta_free(delta);
	delta = merge(&list, &masked, &none);
	assert_int_equal(delta->count, 0);
	delta_free(delta);
}

static void attributes_take_no_privileges(void **state)
{
	scoped_local struct local *base = with_list(facts(S_IFREG | 04750));
	scoped_local struct local *ours = with_list(facts(S_IFREG | 04750));
	scoped_local struct local *theirs = facts(S_IFREG | 04750);
	const struct local_sides sides = {
		.base = base, .ours = ours, .theirs = theirs, .has_base = true,
	};
	struct local *merged;
	bool changed;

	assert_int_equal(local_merge_facts(&sides, &merged, &changed), 0);
	assert_true(changed);
	assert_false(merged->bits & LOCAL_XATTRS);
	assert_int_equal(merged->mode, S_IFREG | 04750);
	local_free(merged);
}

static void hard_links_come_as_files_of_their_own(void **state)
{
	struct face base = begin();
	struct local *linked = facts(S_IFREG | 0644);
	struct face theirs;
	struct delta *delta;

	linked->bits |= LOCAL_GROUP;
	linked->group = 77;
	theirs = change(&base, "y", "1", local_copy(linked));
	theirs = change(&theirs, "z", "1", linked);
	delta = merge(&base, &base, &theirs);
	assert_int_equal(delta->count, 2);
	for (int i = 0; i < 2; i++)
		assert_false(delta->entries[i].local->bits & LOCAL_GROUP);
	delta_free(delta);
}

/* ---- what Git does not have ---- */

static void own_files_come_where_there_is_nothing(void **state)
{
	struct face base = begin(), theirs, ours;
	struct local *fifo = facts(S_IFIFO | 0640);
	struct delta *delta;

	theirs = with_own(&base, NULL, "ignored", own_file());
	theirs = with_own(&theirs, NULL, "pipe", fifo);
	delta = merge(&base, &base, &theirs);
	assert_int_equal(delta->count, 2);
	for (int i = 0; i < 2; i++) {
		const struct delta_entry *e = &delta->entries[i];
		bool pipe = strcmp(e->name, "pipe") == 0;

		assert_true(e->same && e->merged == DELTA_MERGED);
		assert_int_equal(e->kind, pipe ? DELTA_REMOVED : DELTA_OBJECT);
		assert_int_equal(e->local->mode, pipe ? S_IFIFO | 0640 :
							S_IFREG | 0600);
	}
	delta_free(delta);
	/* ours has one of that name: it stays */
	ours = with_own(&base, NULL, "ignored", facts(S_IFSOCK | 0600));
	ours = with_own(&ours, NULL, "pipe", own_file());
	delta = merge(&base, &ours, &theirs);
	assert_int_equal(delta->count, 0);
	delta_free(delta);
}

/* Elements of queues that are being made. */
static void the_shelf_stays_with_its_branch(void **state)
{
	struct face base = begin();
	struct face open = with_own(&base, CONTROL_NAME, "x", own_file());
	struct face other = with_own(&base, CONTROL_NAME, "y", own_file());
	struct face file = with_own(&base, "d", "y", own_file());
	struct delta *delta = merge(&base, &base, &open);

	assert_int_equal(delta->count, 0);
	delta_free(delta);
	delta = merge(&open, &open, &base);
	assert_int_equal(delta->count, 0);
	delta_free(delta);
	delta = merge(NULL, &open, &other);
	assert_int_equal(delta->count, 0);
	delta_free(delta);
	/* as others do not */
	delta = merge(&base, &base, &file);
	assert_int_equal(delta->count, 1);
	delta_free(delta);
}

/* Theirs tracks what ours ignores. */
static void own_files_are_not_replaced(void **state)
{
	static const struct face nothing;
	struct face base = begin(), ours, theirs, pushed;
	struct delta *delta = delta_new(false);
	char *path = NULL;

	put_file(put_directory(delta, "build"), "out", "1",
		 facts(S_IFREG | 0644));
	theirs = after(&base, delta);
	delta = delta_new(false);
	put_file(put_directory(delta, "build"), "out", "own", own_file());
	ours = base;
	assert_int_equal(local_store(delta, odb, &base.root, false, &now, &now,
				     &ours.root), 0);
	delta_free(delta);
	assert_int_equal(try_merge(&base, &ours, &theirs, &theirs.tree, &delta,
				   &path), -EEXIST);
	assert_string_equal(path, "build/out");
	delta_free(delta);
	free(path);
	/* it came from outside, without a face */
	pushed = nothing;
	pushed.tree = theirs.tree;
	assert_int_equal(try_merge(NULL, &ours, &pushed, &theirs.tree, &delta,
				   &path), -EEXIST);
	assert_string_equal(path, "build/out");
	delta_free(delta);
	free(path);
	/* an ignored file beside it is not in the way */
	ours = base;
	delta = delta_new(false);
	put_file(put_directory(delta, "build"), "beside", "own", own_file());
	assert_int_equal(local_store(delta, odb, &base.root, false, &now, &now,
				     &ours.root), 0);
	delta_free(delta);
	delta = merge(&base, &ours, &theirs);
	assert_int_equal(delta->count, 1);
	assert_int_equal(delta->entries[0].kind, DELTA_DIRECTORY);
	assert_string_equal(delta->entries[0].directory->entries[0].name, "out");
	delta_free(delta);
}

/* ---- cost ---- */

#define WIDE 20000

static void cost_is_that_of_the_differences(void **state)
{
	struct counting_odb counting;
	struct local_merge merge = { 0 };
	struct delta *delta = delta_new(false);
	struct face base, theirs;
	char name[16], *path;

	for (int i = 0; i < WIDE; i++) {
		snprintf(name, sizeof(name), "%d", i);
		put_file(delta, name, "1", facts(S_IFREG | 0644));
	}
	base = after(NULL, delta);
	theirs = change(&base, "777", "1", facts(S_IFREG | 0600));
	counting_odb_init(&counting, odb);
	merge = (struct local_merge){
		.odb = odb, .local = &counting.odb, .base = base.root,
		.ours = base.root, .theirs = theirs.root,
		.ours_tree = base.tree, .theirs_tree = base.tree,
	};
	assert_int_equal(delta_between(odb, &base.tree, &base.tree, &delta), 0);
	assert_int_equal(local_merge(&merge, delta, &path), 0);
	assert_int_equal(delta->count, 1);
	assert_string_equal(delta->entries[0].name, "777");
	/* three roots, and three tables of four levels */
	assert_true(counting.reads > 0 && counting.reads < 30);
	delta_free(delta);
}

/* ---- what is remembered ---- */

static struct oid number(unsigned int n)
{
	struct oid oid = { { 1 } };

	memcpy(oid.id + 1, &n, sizeof(n));
	return oid;
}

static void remember(struct oid *root, unsigned int commit, uint64_t at,
		     const struct oid *face)
{
	const struct local_base base = { at, 7, number(commit), *face };

	assert_int_equal(local_bases_add(odb, root, &base, root), 0);
}

static void the_last_faces_are_remembered(void **state)
{
	struct face base = begin();
	struct face other = change(&base, "x", "1", facts(S_IFREG | 0600));
	struct oid root = base.root, commit;
	struct local_bases bases, more = { 0 };
	struct face changed;

	for (unsigned int i = 0; i < LOCAL_BASES_MOST + 3; i++)
		remember(&root, i, 100 + i, &other.root);
	/* of one commit the last */
	remember(&root, 10, 500, &base.root);
	assert_int_equal(local_bases_read(odb, &root, &bases), 0);
	assert_int_equal(bases.count, LOCAL_BASES_MOST);
	assert_int_equal(bases.base[0].number, 103);
	assert_int_equal(bases.base[LOCAL_BASES_MOST - 1].number, 500);
	commit = number(10);
	assert_memory_equal(local_bases_find(&bases, 1, &more, 7, &commit),
			    &base.root, sizeof(base.root));
	assert_memory_equal(local_bases_find(&more, 7, &bases, 1, &commit),
			    &base.root, sizeof(base.root));
	assert_null(local_bases_find(&bases, 1, &more, 2, &commit));
	commit = number(0);
	assert_null(local_bases_find(&bases, 1, &more, 7, &commit));
	/* of two branches that remember a third one, the older one ... */
	commit = number(10);
	more.base[more.count++] = (struct local_base){ 400, 7, commit,
						       other.root };
	assert_memory_equal(local_bases_find(&bases, 1, &more, 2, &commit),
			    &other.root, sizeof(other.root));
	assert_memory_equal(local_bases_find(&more, 2, &bases, 1, &commit),
			    &other.root, sizeof(other.root));
	/* ... unless one has got something later of the other */
	more.base[more.count++] = (struct local_base){ 450, 1, commit, root };
	assert_memory_equal(local_bases_find(&bases, 1, &more, 2, &commit),
			    &root, sizeof(root));
	assert_memory_equal(local_bases_find(&more, 2, &bases, 1, &commit),
			    &root, sizeof(root));
	/* it outlives changes, and is no part of what others remember of it */
	base.root = root;
	changed = change(&base, "f", "9", facts(S_IFREG | 0600));
	assert_int_equal(local_bases_read(odb, &changed.root, &more), 0);
	assert_memory_equal(&bases, &more, sizeof(bases));
	remember(&changed.root, 99, 600, &root);
	assert_int_equal(local_bases_read(odb, &changed.root, &more), 0);
	assert_int_equal(local_bases_read(odb, &more.base[15].face, &bases), 0);
	assert_int_equal(bases.count, 0);
}

static int set_up(void **state)
{
	return memory_odb_new(&odb);
}

static int tear_down(void **state)
{
	odb_free(odb);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(privileges_go_with_contents),
		cmocka_unit_test(who_has_no_facts_has_changed_none),
		cmocka_unit_test(extended_attributes_merge_as_a_whole),
		cmocka_unit_test(a_mode_and_a_list_merge_as_one),
		cmocka_unit_test(attributes_take_no_privileges),
		cmocka_unit_test(hard_links_come_as_files_of_their_own),
		cmocka_unit_test(own_files_come_where_there_is_nothing),
		cmocka_unit_test(own_files_are_not_replaced),
		cmocka_unit_test(the_shelf_stays_with_its_branch),
		cmocka_unit_test(cost_is_that_of_the_differences),
		cmocka_unit_test(the_last_faces_are_remembered),
	};

	return cmocka_run_group_tests_name("local_merge", tests, set_up,
					   tear_down);
}
