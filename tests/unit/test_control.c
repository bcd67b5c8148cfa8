/* SPDX-License-Identifier: ISC */
#include "tests/test.h"
#include "tests/stores.h"
#include "store/control.h"

#include <jansson.h>

/* The reply; released by the caller. */
static json_t *ask(struct fixture *f, const char *request)
{
	struct buffer reply = { 0 };
	json_t *parsed;

	assert_int_equal(control_execute(f->store, &tester, request,
					 strlen(request), &reply), 0);
	assert_null(strchr(reply.data, '\n'));
	parsed = json_loads(reply.data, 0, NULL);
	if (!json_is_object(parsed))
		fail_msg("not an object: %s", reply.data);
	buffer_release(&reply);
	return parsed;
}

static void expect(struct fixture *f, const char *request,
		   const char *expected)
{
	json_t *reply = ask(f, request);
	char *text = json_dumps(reply, JSON_COMPACT | JSON_SORT_KEYS);

	assert_string_equal(text, expected);
	free(text);
	json_decref(reply);
}

static void expect_error(struct fixture *f, const char *request,
			 const char *error)
{
	json_t *reply = ask(f, request);
	const char *message;

	assert_string_equal(json_string_value(json_object_get(reply, "error")),
			    error);
	message = json_string_value(json_object_get(reply, "message"));
	assert_non_null(message);
	assert_int_equal(message[strlen(message) - 1], '.');
	assert_int_equal(json_object_size(reply), 2);
	json_decref(reply);
}

static void branches_are_made_and_listed(void **state)
{
	struct fixture *f = *state;
	json_t *reply, *list;
	char *head;

	expect(f, "{\"do\": \"make\", \"branch\": \"b\"}", "{}");
	write_file(f, "b", "a", "1");
	reply = ask(f, "{\"do\": \"branches\"}");
	list = json_object_get(reply, "branches");
	assert_int_equal(json_array_size(list), 2);
	assert_string_equal(json_string_value(json_object_get(
			json_array_get(list, 0), "name")), "b");
	assert_true(json_is_true(json_object_get(json_array_get(list, 0),
						 "changed")));
	head = shell(f, "git rev-parse main");
	assert_string_equal(json_string_value(json_object_get(
			json_array_get(list, 1), "head")), head);
	assert_true(json_is_false(json_object_get(json_array_get(list, 1),
						  "changed")));
	free(head);
	json_decref(reply);
}

/* What a head would have to be waited for. */
static void branches_are_listed_without_heads(void **state)
{
	struct fixture *f = *state;

	write_file(f, "main", "a", "1");
	expect(f, "{\"do\":\"branches\",\"heads\":false}",
	       "{\"branches\":[{\"changed\":true,\"conflicts\":0,"
	       "\"name\":\"main\"}]}");
}

/* The head that a reply tells must be what the branch is at. */
static void expect_head(struct fixture *f, const char *request,
			const char *branch)
{
	json_t *reply = ask(f, request);
	const char *head = json_string_value(json_object_get(reply, "head"));

	assert_non_null(head);
	assert_shell(f, head, "git rev-parse %s", branch);
	json_decref(reply);
}

static void branches_change(void **state)
{
	struct fixture *f = *state;
	json_t *reply, *list;

	write_file(f, "main", "a", "1");
	expect(f, "{\"do\":\"fork\",\"from\":\"main\",\"branch\":\"b\"}", "{}");
	write_file(f, "b", "a", "2");
	expect_head(f, "{\"do\":\"commit\",\"branch\":\"b\"}", "b");
	expect(f, "{\"do\":\"fork\",\"from\":\"b~1\",\"branch\":\"c\"}", "{}");
	assert_string_equal(file_text(f, "c", "a"), "1");
	expect(f, "{\"do\":\"rename\",\"branch\":\"c\",\"to\":\"d\"}", "{}");
	expect(f, "{\"do\":\"swap\",\"branch\":\"b\",\"with\":\"d\"}", "{}");
	assert_string_equal(file_text(f, "d", "a"), "2");
	expect(f, "{\"do\":\"drop\",\"branch\":\"d\"}", "{}");
	reply = ask(f, "{\"do\":\"dropped\"}");
	list = json_object_get(reply, "branches");
	assert_int_equal(json_array_size(list), 1);
	assert_true(json_integer_value(json_object_get(json_array_get(list, 0),
						       "dropped")) > 0);
	json_decref(reply);
	expect(f, "{\"do\":\"restore\",\"branch\":\"d\",\"as\":\"e\"}", "{}");
	assert_string_equal(file_text(f, "e", "a"), "2");
	expect(f, "{\"do\":\"dropped\"}", "{\"branches\":[]}");
}

static void failures_are_sentences(void **state)
{
	struct fixture *f = *state;

	expect_error(f, "", "EINVAL");
	expect_error(f, "[]", "EINVAL");
	expect_error(f, "{", "EINVAL");
	expect_error(f, "{}", "EINVAL");
	expect_error(f, "{\"do\": 1}", "EINVAL");
	expect_error(f, "{\"do\": \"dance\"}", "EINVAL");
	expect_error(f, "{\"do\": \"make\"}", "EINVAL");
	expect_error(f, "{\"do\": \"make\", \"branch\": \"main\"}", "EEXIST");
	expect_error(f, "{\"do\": \"make\", \"branch\": \"a\\u001bb\"}",
		     "EINVAL");
	expect_error(f, "{\"do\": \"drop\", \"branch\": \"none\"}", "ENOENT");
	expect_error(f, "{\"do\": \"restore\", \"branch\": \"none\"}",
		     "ENOENT");
	expect_error(f, "{\"do\":\"fork\",\"from\":\"none\",\"branch\":\"x\"}",
		     "ENOENT");
	expect_error(f, "{\"do\":\"fork\",\"from\":\"main..\","
		     "\"branch\":\"x\"}", "ENOENT");
	expect_error(f, "{\"do\":\"log\",\"revision\":\"main\",\"count\":0}",
		     "EINVAL");
	expect_error(f, "{\"do\":\"resolve\",\"branch\":\"main\","
		     "\"choice\":\"best\"}", "EINVAL");
	expect_error(f, "{\"do\":\"resolve\",\"branch\":\"main\","
		     "\"choice\":\"ours\",\"paths\":[\"a\"]}", "ENOENT");
}

static void status_lists_changes(void **state)
{
	struct fixture *f = *state;
	json_t *reply, *list, *paths;

	write_file(f, "main", "a", "1");
	write_file(f, "main", "b", "1");
	sync_branch(f, "main");
	write_file(f, "main", "a", "2");
	write_file(f, "main", "bytes\xff", "3");
	remove_file(f, "main", "b");
	reply = ask(f, "{\"do\":\"status\",\"branch\":\"main\"}");
	list = json_object_get(reply, "branches");
	assert_int_equal(json_array_size(list), 1);
	paths = json_object_get(json_array_get(list, 0), "paths");
	{
		char *text = json_dumps(paths, JSON_COMPACT | JSON_SORT_KEYS);

		assert_string_equal(text,
			"[{\"path\":\"a\",\"status\":\"M\"},"
			"{\"path\":\"b\",\"status\":\"D\"},"
			"{\"path\":\"bytes\xef\xbf\xbd\",\"status\":\"A\"}]");
		free(text);
	}
	json_decref(reply);
	expect_head(f, "{\"do\":\"commit\",\"branch\":\"main\"}", "main");
	reply = ask(f, "{\"do\":\"status\"}");
	list = json_object_get(reply, "branches");
	assert_int_equal(json_array_size(json_object_get(
			json_array_get(list, 0), "paths")), 0);
	json_decref(reply);
}

static void the_log_is_history(void **state)
{
	struct fixture *f = *state;
	json_t *reply, *commits;
	char *id;

	for (int i = 0; i < 3; i++) {
		char text[2] = { '0' + i, '\0' };

		write_file(f, "main", "a", text);
		sync_branch(f, "main");
	}
	reply = ask(f, "{\"do\":\"log\",\"revision\":\"main\",\"count\":3}");
	commits = json_object_get(reply, "commits");
	assert_int_equal(json_array_size(commits), 3);
	id = shell(f, "git rev-parse main~2");
	assert_string_equal(json_string_value(json_object_get(
			json_array_get(commits, 2), "id")), id);
	assert_string_equal(json_string_value(json_array_get(json_object_get(
			json_array_get(commits, 1), "parents"), 0)), id);
	free(id);
	json_decref(reply);
	reply = ask(f, "{\"do\":\"log\",\"revision\":\"main~1\"}");
	assert_int_equal(json_array_size(json_object_get(reply, "commits")), 3);
	json_decref(reply);
}

static void no_conflicts_are_an_empty_list(void **state)
{
	struct fixture *f = *state;

	expect(f, "{\"do\":\"conflicts\"}", "{\"conflicts\":[]}");
	expect(f, "{\"do\":\"conflicts\",\"branch\":\"main\"}",
	       "{\"conflicts\":[]}");
	expect(f, "{\"do\":\"resolve\",\"branch\":\"main\","
	       "\"choice\":\"ours\"}", "{\"left\":0,\"resolved\":0}");
}

static void merges_and_conflicts(void **state)
{
	struct fixture *f = *state;
	json_t *reply, *list;

	write_file(f, "main", "a", "1\n");
	write_file(f, "main", "b", "1\n");
	fork_branch(f, "main", "x");
	write_file(f, "x", "b", "2\n");
	expect_head(f, "{\"do\":\"merge\",\"from\":\"x\",\"into\":\"main\","
		    "\"keep\":true}", "main");
	assert_string_equal(file_text(f, "main", "b"), "2\n");
	write_file(f, "x", "a", "theirs\n");
	write_file(f, "main", "a", "ours\n");
	expect_error(f, "{\"do\":\"merge\",\"from\":\"x\",\"into\":\"main\"}",
		     "ENOTEMPTY");
	reply = ask(f, "{\"do\":\"conflicts\"}");
	list = json_object_get(reply, "conflicts");
	assert_int_equal(json_array_size(list), 1);
	assert_string_equal(json_string_value(json_object_get(
			json_array_get(list, 0), "path")), "a");
	assert_string_equal(json_string_value(json_object_get(
			json_array_get(list, 0), "into")), "main");
	json_decref(reply);
	expect_error(f, "{\"do\":\"resolve\",\"branch\":\"x\","
		     "\"choice\":\"edited\"}", "EPERM");
	expect(f, "{\"do\":\"resolve\",\"branch\":\"x\",\"choice\":\"theirs\","
	       "\"paths\":[\"a\"]}", "{\"left\":0,\"resolved\":1}");
	expect_head(f, "{\"do\":\"merge\",\"from\":\"x\",\"into\":\"main\"}",
		    "main");
	assert_string_equal(file_text(f, "main", "a"), "theirs\n");
	assert_false(has_branch(f, "x"));
}

/* ---- files ---- */

static void expect_file(struct fixture *f, const char *file,
			const char *command)
{
	struct branch *b = branch_of(f, "main");
	struct buffer text = { 0 };

	assert_int_equal(control_read(f->store, b, NULL, file, &tester, &text),
			 0);
	if (text.length)
		text.data[text.length - 1] = '\0';
	assert_shell(f, text.length ? text.data : "", "%s", command);
	buffer_release(&text);
	branch_unref(b);
}

static int write_control(struct fixture *f, const char *file, const char *text)
{
	struct branch *b = branch_of(f, "main");
	int r = control_write(f->store, b, file, text, strlen(text), &tester);

	branch_unref(b);
	return r;
}

static void control_files_of_a_branch(void **state)
{
	struct fixture *f = *state;

	write_file(f, "main", "a", "1");
	expect_file(f, "status", "echo A a");
	assert_int_equal(write_control(f, "message", "words\n"), 0);
	expect_file(f, "message", "echo words");
	expect_file(f, "head", "git rev-parse main");
	expect_file(f, "status", "true");
	expect_file(f, "message", "true");
	write_file(f, "main", "a\nb", "1");
	expect_file(f, "status", "printf %s 'A \"a\\nb\"'");
	assert_int_equal(write_control(f, "commit", "subject\n\nbody\n"), 0);
	assert_shell(f, "subject", "git log -1 --format=%%s main");
	fork_branch(f, "main", "x");
	write_file(f, "x", "b", "2");
	assert_int_equal(write_control(f, "merge", "x\n"), 0);
	assert_string_equal(file_text(f, "main", "b"), "2");
	assert_true(has_branch(f, "x"));
	assert_int_equal(write_control(f, "merge", "none\n"), -ENOENT);
	assert_int_equal(write_control(f, "head", "x"), -EINVAL);
	expect_file(f, "log", "git log --no-decorate main");
}

static void the_log_looks_like_git_s(void **state)
{
	struct fixture *f = *state;

	close_store(f);
	free(shell(f, "set -e; t=$(git mktree </dev/null); "
		   "GIT_COMMITTER_DATE='1600000005 +0530'; export GIT_COMMITTER_DATE; "
		   "GIT_AUTHOR_DATE='1700000000 -0730' "
		   "a=$(git commit-tree $t -m a); "
		   "b=$(printf 'b\\n\\n  long\\n' | git commit-tree $t -p $a); "
		   "GIT_COMMITTER_DATE='1600000007 +0000'; "
		   "c=$(git commit-tree $t -p $a -m c); "
		   "GIT_COMMITTER_DATE='1600000009 +0000'; "
		   "d=$(git commit-tree $t -p $b -p $c -m d); "
		   "git update-ref refs/heads/main $d"));
	open_store(f);
	expect_file(f, "log", "git log --no-decorate main");
}

static void control_files_of_a_view(void **state)
{
	struct fixture *f = *state;
	struct buffer text = { 0 };
	struct view *v;
	bool fixed;

	write_file(f, "main", "a", "1");
	sync_branch(f, "main");
	assert_int_equal(store_view(f->store, "main@~1", &v, &fixed), 0);
	assert_int_equal(control_read(f->store, NULL, view_commit(v), "head",
				      &tester, &text), 0);
	text.data[text.length - 1] = '\0';
	assert_shell(f, text.data, "git rev-parse main~1");
	assert_int_equal(control_read(f->store, NULL, view_commit(v), "status",
				      &tester, &text), -ENOENT);
	buffer_release(&text);
	view_unref(v);
}

/* ---- fsck ---- */

static void a_sound_store_has_no_problems(void **state)
{
	struct fixture *f = *state;

	write_file(f, "main", "d/a", "1");
	fork_branch(f, "main", "b");
	write_file(f, "b", "d/a", "2");
	expect(f, "{\"do\":\"fsck\"}", "{\"branches\":2,\"problems\":[]}");
}

static void expect_problem(struct fixture *f, const char *words)
{
	json_t *reply = ask(f, "{\"do\":\"fsck\"}"), *problem;
	size_t i, found = 0;

	json_array_foreach(json_object_get(reply, "problems"), i, problem)
		found += strstr(json_string_value(problem), words) != NULL;
	if (!found)
		fail_msg("no problem tells \"%s\"", words);
	json_decref(reply);
}

static void damage_is_found(void **state)
{
	struct fixture *f = *state;

	write_file(f, "main", "d/a", "first");
	sync_branch(f, "main");
	write_file(f, "main", "d/b", "second");
	sync_branch(f, "main");
	close_store(f);
	unpack_store(f);
	free(shell(f, "for o in main:d/b main~1:; do id=$(git rev-parse $o); "
		   "rm objects/$(echo $id | sed 's|^..|&/|'); done"));
	open_store(f);
	expect_problem(f, "Branch main: in commit ");
	expect_problem(f, " at d/b is missing");
	expect_problem(f, " the folder ");
}

static void refs_must_agree(void **state)
{
	struct fixture *f = *state;

	write_file(f, "main", "a", "1");
	sync_branch(f, "main");
	free(shell(f, "git update-ref refs/heads/new main && "
		   "git update-ref refs/heads/main main~1"));
	expect_problem(f, "Branch new: there is a ref");
	expect_problem(f, "Branch main: its ref is at");
	free(shell(f, "git update-ref -d refs/heads/new && "
		   "git update-ref -d refs/heads/main"));
	expect_problem(f, "Branch main: its ref is missing");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(branches_are_made_and_listed),
		store_test(branches_are_listed_without_heads),
		store_test(branches_change),
		store_test(failures_are_sentences),
		store_test(status_lists_changes),
		store_test(the_log_is_history),
		store_test(no_conflicts_are_an_empty_list),
		store_test(merges_and_conflicts),
		store_test(control_files_of_a_branch),
		store_test(the_log_looks_like_git_s),
		store_test(control_files_of_a_view),
		store_test(a_sound_store_has_no_problems),
		store_test(damage_is_found),
		store_test(refs_must_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
