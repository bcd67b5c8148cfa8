/* SPDX-License-Identifier: ISC */
#include "tests/fs_test.h"

#include <errno.h>

static int join_name(void *context, const char *name, mode_t type)
{
	char *text = context;

	strncat(text, name, 200 - strlen(text));
	strncat(text, S_ISDIR(type) ? "/ " : " ", 200 - strlen(text));
	return 0;
}

static struct inode *control_of(struct front *f, struct inode *dir)
{
	struct inode *control;
	bool keep;

	assert_int_equal(irmin_lookup(&f->fs, dir, ".irmin", &control, &keep),
			 0);
	return control;
}

static void assert_entries(struct front *f, struct inode *dir,
			   const char *expected)
{
	struct inode *control = control_of(f, dir);
	char text[256] = "";

	assert_int_equal(irmin_list(&f->fs, control, join_name, text), 0);
	assert_string_equal(text, expected);
	inode_unref(&f->fs, control);
}

static void each_place_has_its_entries(void **state)
{
	struct front front, *f = &front;
	struct inode *inode;
	bool keep;

	front_open(f);
	front_make(f, "a/b");
	assert_entries(f, f->fs.root, "type version stats control ");
	inode = front_lookup(f, f->fs.root, "a", &keep);
	assert_entries(f, inode, "type ");
	inode_unref(&f->fs, inode);
	inode = front_lookup(f, f->fs.root, "main", &keep);
	assert_entries(f, inode, "head log status message commit merge fork/ "
		       "tag/ conflicts/ type ");
	inode_unref(&f->fs, inode);
	inode = front_lookup(f, f->fs.root, "main@~0", &keep);
	assert_entries(f, inode, "head log fork/ tag/ type ");
	inode_unref(&f->fs, inode);
	front_close(f);
}

static void rights_follow_the_directory(void **state)
{
	struct inode *branch, *control, *file;
	struct stat st, values = { .st_mode = 0750, .st_uid = 3, .st_gid = 4 };
	struct front front, *f = &front;
	bool keep;

	front_open(f);
	branch = front_lookup(f, f->fs.root, "main", &keep);
	assert_int_equal(node_set_attributes(branch->node, &values,
					     NODE_SET_MODE | NODE_SET_UID |
					     NODE_SET_GID), 0);
	control = control_of(f, branch);
	assert_int_equal(irmin_stat(&f->fs, control, &st), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0750);
	assert_int_equal(st.st_uid, 3);
	assert_int_equal(irmin_lookup(&f->fs, control, "message", &file, &keep),
			 0);
	assert_true(keep);
	assert_int_equal(irmin_stat(&f->fs, file, &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0640);
	assert_int_equal(st.st_gid, 4);
	inode_unref(&f->fs, file);
	assert_int_equal(irmin_lookup(&f->fs, control, "stats", &file, &keep),
			 -ENOENT);
	inode_unref(&f->fs, control);
	inode_unref(&f->fs, branch);
	front_close(f);
}

static void each_opening_of_control_has_its_inode(void **state)
{
	struct inode *control, *a, *b;
	struct front front, *f = &front;
	struct stat st;
	bool keep = true;

	front_open(f);
	control = control_of(f, f->fs.root);
	assert_int_equal(irmin_lookup(&f->fs, control, "control", &a, &keep),
			 0);
	assert_false(keep);
	assert_int_equal(irmin_lookup(&f->fs, control, "control", &b, &keep),
			 0);
	assert_ptr_not_equal(a, b);
	assert_int_equal(irmin_stat(&f->fs, a, &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0600);
	assert_int_equal(st.st_uid, 7);
	inode_unref(&f->fs, a);
	inode_unref(&f->fs, b);
	inode_unref(&f->fs, control);
	front_close(f);
}

static void numbers_of_conflicts_have_one_spelling(void **state)
{
	static const char *const wrong[] = { "1", "01", "+1", "-1", "1x", "",
					     "4294967297", "0", " 1" };
	struct inode *branch, *control, *conflicts, *found;
	struct front front, *f = &front;
	bool keep;

	front_open(f);
	branch = front_lookup(f, f->fs.root, "main", &keep);
	control = control_of(f, branch);
	assert_int_equal(irmin_lookup(&f->fs, control, "conflicts", &conflicts,
				      &keep), 0);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(irmin_lookup(&f->fs, conflicts, wrong[i],
					      &found, &keep), -ENOENT);
	inode_unref(&f->fs, conflicts);
	inode_unref(&f->fs, control);
	inode_unref(&f->fs, branch);
	front_close(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_place_has_its_entries),
		cmocka_unit_test(rights_follow_the_directory),
		cmocka_unit_test(each_opening_of_control_has_its_inode),
		cmocka_unit_test(numbers_of_conflicts_have_one_spelling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
