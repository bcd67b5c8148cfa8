/* SPDX-License-Identifier: ISC */
#include "tests/test.h"
#include "store/local_store.h"
#include "store/tree.h"

#include <errno.h>
#include <string.h>

static struct odb *odb;
static bool is_foreign;
static const struct timespec base = { 100, 0 }, now = { 200, 0 };

static struct local *facts(mode_t mode, int64_t time)
{
	struct local *local = local_new();

	local->bits = LOCAL_ATTRIBUTES | LOCAL_TIMES;
	local->mode = mode;
	local->uid = 7;
	local->mtime.tv_sec = local->ctime.tv_sec = time;
	return local;
}

static struct delta_entry *put_file(struct delta *delta, const char *name,
				    struct local *local)
{
	struct delta_entry *e = delta_add(delta, DELTA_OBJECT, MODE_FILE, name);

	assert_int_equal(odb_write(odb, OBJECT_BLOB, name, strlen(name),
				   &e->oid), 0);
	e->local = local;
	return e;
}

static struct delta *put_directory(struct delta *delta, const char *name,
				   bool complete, struct local *local)
{
	struct delta_entry *e = delta_add(delta, DELTA_DIRECTORY, MODE_TREE,
					  name);

	e->directory = delta_new(complete);
	e->local = local;
	return e->directory;
}

/* Of the face alone; the trees are of no interest here. */
static struct oid store(struct delta *delta, const struct oid *root)
{
	static const struct oid none;
	struct oid ret;

	assert_int_equal(delta_store(delta, odb, &none), 0);
	assert_int_equal(local_store(delta, odb, root ? root : &none,
				     is_foreign, &base, &now, &ret), 0);
	return ret;
}

/* Facts at "a/b"; NULL: there is no row. */
static struct local *find(const struct oid *root, const char *path)
{
	struct local *local;
	char copy[64], *name, *rest = copy;

	strcpy(copy, path);
	assert_int_equal(local_root_read(odb, root, &local), 0);
	while ((name = strsep(&rest, "/"))) {
		struct local_ref table = local->table;
		int r;

		local_free(local);
		local = NULL;
		r = local_table_find(odb, &table, name, &local);
		if (r == -ENOENT)
			return NULL;
		assert_int_equal(r, 0);
	}
	return local;
}

static struct oid make(void)
{
	struct delta *delta = delta_new(false), *below;
	struct oid root;

	put_file(delta, "f", facts(S_IFREG | 04755, 1));
	below = put_directory(delta, "d", true, facts(S_IFDIR | 0700, 2));
	put_file(below, "g", facts(S_IFREG | 0600, 3));
	put_directory(below, "empty", true, facts(S_IFDIR | 0755, 4));
	delta->local = facts(S_IFDIR | 01777, 5);
	root = store(delta, NULL);
	assert_memory_equal(&delta->entries[1].table,
			    &delta->entries[1].directory->table,
			    sizeof(struct local_ref));
	delta_free(delta);
	return root;
}

static void facts_are_found_again(void **state)
{
	struct oid root = make();
	scoped_local struct local *f = find(&root, "f"), *d = find(&root, "d");
	scoped_local struct local *g = find(&root, "d/g");
	scoped_local struct local *e = find(&root, "d/empty"), *top = NULL;

	assert_int_equal(local_root_read(odb, &root, &top), 0);
	assert_int_equal(top->mode, S_IFDIR | 01777);
	assert_true(top->bits & LOCAL_BELOW && top->below.tv_sec == 100);
	assert_int_equal(f->mode, S_IFREG | 04755);
	assert_true(f->bits & LOCAL_GIT);
	assert_int_equal(g->mtime.tv_sec, 3);
	assert_true(e->bits & LOCAL_EMPTY);
	assert_true(d->bits & LOCAL_OWN_BELOW && !(d->bits & LOCAL_EMPTY));
}

static void the_rest_stays(void **state)
{
	struct oid root = make();
	struct delta *delta = delta_new(false), *below;
	scoped_local struct local *g = NULL, *d = NULL, *f = NULL, *top = NULL;

	below = put_directory(delta, "d", false, NULL);
	put_file(below, "g", facts(S_IFREG | 0400, 9));
	root = store(delta, &root);
	delta_free(delta);
	g = find(&root, "d/g");
	d = find(&root, "d");
	f = find(&root, "f");
	assert_int_equal(g->mode, S_IFREG | 0400);
	assert_int_equal(d->mode, S_IFDIR | 0700);
	assert_int_equal(d->mtime.tv_sec, 2);
	assert_true(d->bits & LOCAL_OWN_BELOW);
	assert_non_null(f);
	assert_int_equal(local_root_read(odb, &root, &top), 0);
	assert_int_equal(top->mtime.tv_sec, 5);
}

static void complete_ones_inherit_nothing(void **state)
{
	struct oid root = make();
	struct delta *delta = delta_new(false), *below;

	below = put_directory(delta, "d", true, facts(S_IFDIR | 0711, 8));
	put_file(below, "h", facts(S_IFREG | 0644, 8));
	root = store(delta, &root);
	delta_free(delta);
	assert_null(find(&root, "d/g"));
	assert_null(find(&root, "d/empty"));
}

/* What a merge or a push brings. */
static void others_change_times_and_not_owners(void **state)
{
	struct oid root = make();
	struct delta *delta = delta_new(false), *below;
	scoped_local struct local *f = NULL, *d = NULL, *new = NULL;

	put_file(delta, "f", NULL);
	put_file(delta, "new", NULL);
	below = put_directory(delta, "d", false, NULL);
	delta_add(below, DELTA_REMOVED, 0, "g");
	root = store(delta, &root);
	delta_free(delta);
	f = find(&root, "f");
	assert_int_equal(f->mode, S_IFREG | 0755);
	assert_int_equal(f->uid, 7);
	assert_int_equal(f->mtime.tv_sec, 200);
	new = find(&root, "new");
	assert_int_equal(new->bits, LOCAL_TIMES | LOCAL_GIT);
	assert_null(find(&root, "d/g"));
	/* it holds an empty directory */
	d = find(&root, "d");
	assert_int_equal(d->mtime.tv_sec, 200);
	assert_true(d->bits & LOCAL_OWN_BELOW);
}

static void what_others_emptied_is_gone(void **state)
{
	static const struct oid none;
	struct delta *delta = delta_new(false), *below;
	struct oid root;

	below = put_directory(delta, "x", true, facts(S_IFDIR | 0755, 1));
	put_file(below, "y", facts(S_IFREG | 0644, 1));
	root = store(delta, NULL);
	delta_free(delta);
	delta = delta_new(false);
	below = put_directory(delta, "x", false, NULL);
	delta_add(below, DELTA_REMOVED, 0, "y");
	assert_int_equal(delta_store(delta, odb, &none), 0);
	root = store(delta, &root);
	delta_free(delta);
	assert_null(find(&root, "x"));
}

static void what_others_remove_leaves_what_git_does_not_have(void **state)
{
	struct oid root = make(), removed;
	struct delta *delta = delta_new(false);
	scoped_local struct local *d = NULL, *e = NULL;

	delta_add(delta, DELTA_REMOVED, 0, "d");
	delta_add(delta, DELTA_REMOVED, 0, "f");
	is_foreign = true;
	removed = store(delta, &root);
	is_foreign = false;
	d = find(&removed, "d");
	e = find(&removed, "d/empty");
	assert_int_equal(d->mode, S_IFDIR | 0700);
	assert_int_equal(e->mode, S_IFDIR | 0755);
	assert_null(find(&removed, "d/g"));
	assert_null(find(&removed, "f"));
	removed = store(delta, &root);
	assert_null(find(&removed, "d"));
	delta_free(delta);
}

static void a_tree_of_others_has_times_of_now(void **state)
{
	struct delta *delta = delta_new(false);
	struct delta_entry *e = delta_add(delta, DELTA_OBJECT, MODE_TREE, "t");
	struct tree_entry inner = { .mode = MODE_FILE, .name = "x" };
	scoped_local struct local *t = NULL;
	struct oid root;

	assert_int_equal(odb_write(odb, OBJECT_BLOB, "x", 1, &inner.oid), 0);
	assert_int_equal(tree_write(odb, &inner, 1, &e->oid), 0);
	root = store(delta, NULL);
	delta_free(delta);
	t = find(&root, "t");
	assert_true(t->bits & LOCAL_BELOW && t->below.tv_sec == 200);
}

static void another_kind_is_another_thing(void **state)
{
	struct oid root = make();
	struct delta *delta = delta_new(false);
	struct delta_entry *e = delta_add(delta, DELTA_OBJECT, MODE_SYMLINK, "f");
	scoped_local struct local *f = NULL;

	assert_int_equal(odb_write(odb, OBJECT_BLOB, "x", 1, &e->oid), 0);
	root = store(delta, &root);
	delta_free(delta);
	f = find(&root, "f");
	assert_int_equal(f->bits, LOCAL_TIMES | LOCAL_GIT);
}

/* A special file is there instead of what Git had; and stays when others empty the
 * directory, or goes with who removes it here. */
static void special_files_are_rows_alone(void **state)
{
	struct oid root = make();
	struct delta *delta = delta_new(false), *below;
	scoped_local struct local *g = NULL, *d = NULL, *after = NULL;

	below = put_directory(delta, "d", false, NULL);
	delta_add(below, DELTA_REMOVED, 0, "g")->local =
		facts(S_IFIFO | 0640, 9);
	root = store(delta, &root);
	assert_true(delta->entries[0].directory->own);
	delta_free(delta);
	g = find(&root, "d/g");
	assert_int_equal(g->mode, S_IFIFO | 0640);
	assert_false(g->bits & LOCAL_GIT);
	d = find(&root, "d");
	assert_true(d->bits & LOCAL_OWN_BELOW);

	is_foreign = true;
	delta = delta_new(false);
	delta_add(delta, DELTA_REMOVED, 0, "d");
	root = store(delta, &root);
	delta_free(delta);
	is_foreign = false;
	after = find(&root, "d/g");
	assert_int_equal(after->mode, S_IFIFO | 0640);

	delta = delta_new(false);
	below = put_directory(delta, "d", false, NULL);
	delta_add(below, DELTA_REMOVED, 0, "g");
	root = store(delta, &root);
	delta_free(delta);
	assert_null(find(&root, "d/g"));
}

static struct delta_entry *put_link(struct delta *delta, const char *name)
{
	struct delta_entry *e = put_file(delta, name, facts(S_IFREG | 0644, 1));

	e->local->group = 5;
	e->local->bits |= LOCAL_GROUP;
	return e;
}

/* The way to names of a group is marked, from the root down. */
static void links_are_told_of_above(void **state)
{
	struct delta *delta = delta_new(false), *below;
	scoped_local struct local *a = NULL, *b = NULL, *c = NULL, *f = NULL;
	struct oid root;

	below = put_directory(delta, "a", true, facts(S_IFDIR | 0755, 1));
	put_link(put_directory(below, "b", true, facts(S_IFDIR | 0755, 1)), "f");
	put_file(put_directory(delta, "c", true, facts(S_IFDIR | 0755, 1)), "g",
		 facts(S_IFREG | 0644, 1));
	root = store(delta, NULL);
	assert_true(delta->links);
	delta_free(delta);
	a = find(&root, "a");
	b = find(&root, "a/b");
	c = find(&root, "c");
	assert_true(a->bits & b->bits & LOCAL_LINKS_BELOW);
	assert_false(c->bits & LOCAL_LINKS_BELOW);

	/* others replace it: it is no link, but the mark may stay */
	delta = delta_new(false);
	below = put_directory(delta, "a", false, NULL);
	put_file(put_directory(below, "b", false, NULL), "f", NULL);
	root = store(delta, &root);
	delta_free(delta);
	f = find(&root, "a/b/f");
	assert_false(f->bits & LOCAL_GROUP);
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
		cmocka_unit_test(facts_are_found_again),
		cmocka_unit_test(the_rest_stays),
		cmocka_unit_test(complete_ones_inherit_nothing),
		cmocka_unit_test(others_change_times_and_not_owners),
		cmocka_unit_test(what_others_emptied_is_gone),
		cmocka_unit_test(what_others_remove_leaves_what_git_does_not_have),
		cmocka_unit_test(a_tree_of_others_has_times_of_now),
		cmocka_unit_test(another_kind_is_another_thing),
		cmocka_unit_test(special_files_are_rows_alone),
		cmocka_unit_test(links_are_told_of_above),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
