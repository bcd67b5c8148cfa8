/* SPDX-License-Identifier: ISC */
#include "tests/fs_test.h"

static void a_node_has_one_inode(void **state)
{
	struct inode *root, *again, *child, *same;
	struct front front, *f = &front;
	struct worktree *w;
	struct branch *b;
	struct node *node;

	front_open(f);
	assert_int_equal(store_branch(f->fs.store, "main", &b), 0);
	assert_int_equal(inode_for_branch(&f->fs, b, &root), 0);
	assert_int_equal(inode_for_branch(&f->fs, b, &again), 0);
	assert_ptr_equal(root, again);
	assert_true(inode_is_tree_root(root));
	assert_ptr_equal(inode_branch(root), b);
	assert_int_equal(branch_worktree(b, &w), 0);
	assert_int_equal(node_make(root->node, "d", S_IFDIR | 0755, &tester,
				   &node), 0);
	assert_null(inode_find_node(&f->fs, node));
	assert_int_equal(inode_for_node(&f->fs, root, node_ref(node), &child),
			 0);
	same = inode_find_node(&f->fs, node);
	assert_ptr_equal(same, child);
	assert_ptr_equal(inode_tree(child), root);
	assert_ptr_equal(inode_branch(child), b);
	node_unref(node);
	inode_unref(&f->fs, same);
	inode_unref(&f->fs, again);
	inode_unref(&f->fs, root);
	/* the child holds the root */
	assert_int_equal(inodes_count(&f->fs), 4);
	inode_unref(&f->fs, child);
	assert_int_equal(inodes_count(&f->fs), 2);
	branch_unref(b);
	front_close(f);
}

static void the_kernel_keeps_an_inode_until_it_forgets(void **state)
{
	struct front front, *f = &front;
	struct inode *space;

	front_open(f);
	assert_int_equal(inode_for_space(&f->fs, "s", &space), 0);
	inode_remember(&f->fs, space);
	inode_remember(&f->fs, space);
	inode_unref(&f->fs, space);
	assert_int_equal(inodes_count(&f->fs), 3);
	inode_forget(&f->fs, space, 1);
	assert_int_equal(inodes_count(&f->fs), 3);
	inode_forget(&f->fs, space, 1);
	assert_int_equal(inodes_count(&f->fs), 2);
	assert_null(inode_find_space(&f->fs, "s"));
	front_close(f);
}

static void the_end_forgets_what_the_kernel_did_not(void **state)
{
	struct front front, *f = &front;
	struct inode *root, *control, *file;
	struct branch *b;

	front_open(f);
	assert_int_equal(store_branch(f->fs.store, "main", &b), 0);
	assert_int_equal(inode_for_branch(&f->fs, b, &root), 0);
	branch_unref(b);
	assert_int_equal(inode_for_control(&f->fs, root, CONTROL_DIRECTORY, 0,
					   &control), 0);
	assert_int_equal(inode_for_control(&f->fs, control, CONTROL_HEAD, 0,
					   &file), 0);
	inode_remember(&f->fs, root);
	inode_remember(&f->fs, file);
	inode_unref(&f->fs, root);
	inode_unref(&f->fs, control);
	inode_unref(&f->fs, file);
	/* front_close closes the store, which fails while nodes are held, and
	 * the address sanitizer finds what is not freed */
	front_close(f);
}

static void control_inodes_are_found_by_place(void **state)
{
	struct inode *a, *b, *again;
	struct front front, *f = &front;

	front_open(f);
	assert_int_equal(inode_for_control(&f->fs, f->fs.root,
					   CONTROL_CONFLICT, 1, &a), 0);
	assert_int_equal(inode_for_control(&f->fs, f->fs.root,
					   CONTROL_CONFLICT, 2, &b), 0);
	assert_int_equal(inode_for_control(&f->fs, f->fs.root,
					   CONTROL_CONFLICT, 1, &again), 0);
	assert_ptr_not_equal(a, b);
	assert_ptr_equal(a, again);
	inode_unref(&f->fs, a);
	inode_unref(&f->fs, b);
	inode_unref(&f->fs, again);
	front_close(f);
}

static unsigned int visits;

static void count_visit(struct fs *fs, struct inode *space, const char *name)
{
	assert_true(!strcmp(name, "x") || !strcmp(name, "y"));
	visits++;
}

static void noted_names_are_taken_once(void **state)
{
	struct front front, *f = &front;

	front_open(f);
	visits = 0;
	assert_int_equal(inode_note_name(&f->fs, f->fs.root, "x"), 0);
	assert_int_equal(inode_note_name(&f->fs, f->fs.root, "x"), 0);
	assert_int_equal(inode_note_name(&f->fs, f->fs.root, "y"), 0);
	inode_take_names(&f->fs, f->fs.root, count_visit);
	assert_int_equal(visits, 2);
	inode_take_names(&f->fs, f->fs.root, count_visit);
	assert_int_equal(visits, 2);
	assert_int_equal(inode_note_name(&f->fs, f->fs.root, "y"), 0);
	front_close(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_node_has_one_inode),
		cmocka_unit_test(the_kernel_keeps_an_inode_until_it_forgets),
		cmocka_unit_test(the_end_forgets_what_the_kernel_did_not),
		cmocka_unit_test(control_inodes_are_found_by_place),
		cmocka_unit_test(noted_names_are_taken_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
