/* SPDX-License-Identifier: ISC */
#include "tests/fs_test.h"

#include <errno.h>

static int missing(struct front *f, struct inode *space, const char *name)
{
	struct inode *inode;
	bool keep;

	return name_lookup(&f->fs, space, name, &inode, &keep);
}

static void branches_and_folders_are_kept(void **state)
{
	struct front front, *f = &front;
	struct inode *space, *branch;
	bool keep = false;

	front_open(f);
	front_make(f, "a/b/c");
	space = front_lookup(f, f->fs.root, "a", &keep);
	assert_true(keep && inode_is_space(space));
	assert_int_equal(missing(f, space, "c"), -ENOENT);
	inode_unref(&f->fs, space);
	assert_int_equal(inode_for_space(&f->fs, "a/b", &space), 0);
	keep = false;
	branch = front_lookup(f, space, "c", &keep);
	assert_true(keep && inode_is_tree_root(branch) && branch->branch);
	inode_unref(&f->fs, branch);
	inode_unref(&f->fs, space);
	assert_int_equal(missing(f, f->fs.root, "none"), -ENOENT);
	front_close(f);
}

static void encoded_slashes_are_links(void **state)
{
	struct front front, *f = &front;
	struct inode *link, *space;
	bool keep = true;

	front_open(f);
	front_make(f, "a/b/c");
	link = front_lookup(f, f->fs.root, "a%2Fb%2Fc", &keep);
	assert_false(keep);
	assert_int_equal(link->kind, INODE_LINK);
	assert_string_equal(link->name, "a/b/c");
	inode_unref(&f->fs, link);
	assert_int_equal(inode_for_space(&f->fs, "a", &space), 0);
	link = front_lookup(f, space, "b%2Fc", &keep);
	assert_string_equal(link->name, "b/c");
	inode_unref(&f->fs, link);
	assert_int_equal(missing(f, space, "b%2Fd"), -ENOENT);
	inode_unref(&f->fs, space);
	front_close(f);
}

static void other_percent_signs_stay(void **state)
{
	const struct inode root = { .name = (char *)"" };
	const struct inode space = { .name = (char *)"s" };
	char long_name[300];
	char *name;

	assert_int_equal(name_join(&root, "100%%2f%2F%2", &name), 0);
	assert_string_equal(name, "100%%2f/%2");
	free(name);
	assert_int_equal(name_join(&space, "a%2Fb", &name), 0);
	assert_string_equal(name, "s/a/b");
	free(name);
	memset(long_name, 'x', sizeof(long_name));
	long_name[256] = '\0';
	assert_int_equal(name_join(&root, long_name, &name), -ENAMETOOLONG);
}

static void an_exact_name_wins(void **state)
{
	struct front front, *f = &front;
	struct inode *inode;
	bool keep = false;

	front_open(f);
	front_make(f, "odd%2Fname");
	front_make(f, "main@0");
	inode = front_lookup(f, f->fs.root, "odd%2Fname", &keep);
	assert_true(keep && inode->branch);
	inode_unref(&f->fs, inode);
	keep = false;
	inode = front_lookup(f, f->fs.root, "main@0", &keep);
	assert_true(keep && inode->branch);
	inode_unref(&f->fs, inode);
	front_close(f);
}

static void each_name_of_a_revision_has_its_inodes(void **state)
{
	struct inode *a, *b, *again;
	struct front front, *f = &front;
	char hex[OID_HEX_SIZE], name[64];
	bool keep = true;

	front_open(f);
	a = front_lookup(f, f->fs.root, "main@~0", &keep);
	assert_false(keep);
	assert_true(inode_is_tree_root(a) && inode_view(a));
	oid_hex(view_commit(inode_view(a)), hex);
	snprintf(name, sizeof(name), "@%s", hex);
	b = front_lookup(f, f->fs.root, name, &keep);
	assert_true(keep);
	assert_ptr_not_equal(a, b);
	assert_ptr_equal(inode_view(a), inode_view(b));
	again = front_lookup(f, f->fs.root, "main@~0", &keep);
	assert_ptr_equal(a, again);
	inode_unref(&f->fs, a);
	inode_unref(&f->fs, b);
	inode_unref(&f->fs, again);
	assert_int_equal(missing(f, f->fs.root, "main@~7"), -ENOENT);
	assert_int_equal(missing(f, f->fs.root, "@"), -ENOENT);
	front_close(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(branches_and_folders_are_kept),
		cmocka_unit_test(encoded_slashes_are_links),
		cmocka_unit_test(other_percent_signs_stay),
		cmocka_unit_test(an_exact_name_wins),
		cmocka_unit_test(each_name_of_a_revision_has_its_inodes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
