/* SPDX-License-Identifier: ISC */
#include "tests/test.h"
#include "tests/stores.h"
#include "store/control.h"
#include "store/store_private.h"

/* Who names a branch gets what other programs made of it just now. */

/* Without waiting for the thread that notices it. */
static void new_branches_are_found_by_name(void **state)
{
	static const char *const commands[] = {
		"git branch new%d main", "git branch new%d/x/y main",
		"git branch -q new%d main && git pack-refs --all",
	};
	struct fixture *f = *state;

	write_file(f, "main", "a", "1");
	sync_branch(f, "main");
	for (int i = 0; i < 30; i++) {
		char name[16], command[256];

		snprintf(name, sizeof(name), "new%d%s", i,
			 i % 3 == 1 ? "/x/y" : "");
		assert_false(has_branch(f, name));
		snprintf(command, sizeof(command), "cd %s && ", f->path);
		snprintf(command + strlen(command), 128, commands[i % 3], i);
		assert_int_equal(system(command), 0);
		name[strcspn(name, "/")] = '\0';
		store_find_outside(f->store, name);
		assert_true(has_branch(f, name) ||
			    store_is_space(f->store, name));
	}
	assert_string_equal(file_text(f, "new29", "a"), "1");
	assert_string_equal(file_text(f, "new28/x/y", "a"), "1");
}

static void assert_done(struct fixture *f, const char *request)
{
	scoped_buffer struct buffer reply = { 0 };

	assert_int_equal(control_execute(f->store, &tester, request,
					 strlen(request), &reply), 0);
	if (strstr(reply.data, "\"error\""))
		fail_msg("%s: %s", request, reply.data);
}

static void commands_find_new_branches(void **state)
{
	static const char *const requests[] = {
		"{\"do\":\"merge\",\"from\":\"n%d\",\"into\":\"main\"}",
		"{\"do\":\"fork\",\"from\":\"n%d\",\"branch\":\"x%d\"}",
		"{\"do\":\"rename\",\"branch\":\"n%d\",\"to\":\"y%d\"}",
	};
	struct fixture *f = *state;

	write_file(f, "main", "a", "1");
	sync_branch(f, "main");
	for (int i = 0; i < 30; i++) {
		char request[256];

		free(shell(f, "git branch n%d main", i));
		snprintf(request, sizeof(request), requests[i % 3], i, i);
		assert_done(f, request);
	}
}

static void merges_and_forks_take_what_a_ref_was_moved_to(void **state)
{
	struct fixture *f = *state;

	write_file(f, "main", "a", "1");
	sync_branch(f, "main");
	fork_branch(f, "main", "b");
	free(shell(f, "git rev-parse b"));
	for (int i = 0; i < 30; i++) {
		char text[4], name[4];
		struct branch *b = branch_of(f, "b"), *main_branch;

		snprintf(text, sizeof(text), "%d", i);
		snprintf(name, sizeof(name), "x%d", i);
		commit_outside(f, "b", "c", text);
		main_branch = branch_of(f, "main");
		assert_int_equal(i % 2 ? store_fork(f->store, b, name, &tester,
						    NULL) :
				 store_merge(f->store, b, main_branch, false,
					     &tester, NULL), 0);
		assert_string_equal(file_text(f, i % 2 ? name : "main", "c"),
				    text);
		branch_unref(main_branch);
		branch_unref(b);
	}
}

static void what_is_given_up_here_is_not_found(void **state)
{
	struct fixture *f = *state;
	struct branch *b;

	write_file(f, "main", "a", "1");
	sync_branch(f, "main");
	for (int i = 0; i < 10; i++) {
		fork_branch(f, "main", "b");
		free(shell(f, "git rev-parse b"));
		b = branch_of(f, "b");
		if (i % 2)
			assert_int_equal(store_drop(f->store, b, &tester, NULL),
					 0);
		else
			assert_int_equal(store_rename(f->store, b, i ? "c/d" :
						      "e", &tester, NULL), 0);
		branch_unref(b);
		for (int j = 0; j < 20; j++) {
			assert_false(store_find_outside(f->store, "b"));
			usleep(5000);
		}
		assert_false(has_branch(f, "b"));
		b = i % 2 ? NULL : branch_of(f, i ? "c/d" : "e");
		if (b)
			store_drop(f->store, b, &tester, NULL);
		branch_unref(b);
	}
	assert_false(store_find_outside(f->store, "none"));
	assert_false(store_find_outside(f->store, ".git"));
	assert_false(store_find_outside(f->store, "main/x"));
}

#define TEST(function) \
	cmocka_unit_test_setup_teardown(function, fixture_set_up_following,    \
					fixture_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(new_branches_are_found_by_name),
		TEST(commands_find_new_branches),
		TEST(merges_and_forks_take_what_a_ref_was_moved_to),
		TEST(what_is_given_up_here_is_not_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
