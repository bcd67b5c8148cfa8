/* SPDX-License-Identifier: ISC */
#include "tests/test.h"
#include "tests/stores.h"
#include "store/store_private.h"

#include <pthread.h>

static void sync_makes_one_commit(void **state)
{
	struct fixture *f = *state;

	write_file(f, "main", "d/a", "1");
	write_file(f, "main", "d/b", "2");
	write_file(f, "main", "e", "3");
	sync_branch(f, "main");
	assert_shell(f, "2", "git rev-list --count main");
	assert_shell(f, "Update 3 paths: d/a, d/b, e",
		     "git log -1 --format=%%s main");
	assert_shell(f, "1 2 3", "echo $(git show main:d/a) "
		     "$(git show main:d/b) $(git show main:e)");
	assert_shell(f, "", "git fsck --strict 2>&1");
}

static void nothing_changed_is_no_commit(void **state)
{
	struct fixture *f = *state;
	struct branch *b;
	struct oid first, second;

	write_file(f, "main", "a", "1");
	sync_branch(f, "main");
	sync_branch(f, "main");
	b = branch_of(f, "main");
	assert_int_equal(branch_commit(b, &tester, NULL, &first), 0);
	assert_int_equal(branch_commit(b, &tester, "words", &second), 0);
	assert_true(oid_equal(&first, &second));
	branch_unref(b);
	assert_shell(f, "2", "git rev-list --count main");
}

/* What git has committed is followed only as it was when it was compared. */
static void changes_since_then_are_no_commit(void **state)
{
	struct fixture *f = *state;
	struct branch *b = branch_of(f, "main");
	uint64_t before, after;

	write_file(f, "main", "a", "1");
	before = worktree_changes(b->worktree);
	write_file(f, "main", "a", "2");
	after = worktree_changes(b->worktree);
	assert_int_equal(branch_publish(b, &tester, &before, NULL), -EAGAIN);
	assert_shell(f, "1", "git rev-list --count main");
	assert_true(worktree_is_changed(b->worktree, NULL));
	assert_int_equal(branch_publish(b, &tester, &after, NULL), 0);
	assert_shell(f, "2", "git show main:a");
	branch_unref(b);
}

static void messages_and_trailers(void **state)
{
	struct fixture *f = *state;
	struct caller caller = {
		.uid = 54321,
		.gid = 1,
		.pid = getpid(),
		.operation = "fsync",
	};
	struct branch *b = branch_of(f, "main");
	char expected[256];

	assert_int_equal(branch_set_message(b, "My words\n\nmore\n"), 0);
	write_file(f, "main", "a", "1");
	assert_int_equal(branch_sync(b, &caller), 0);
	snprintf(expected, sizeof(expected), "My words\n\nmore\n\n"
		 "Irmin-Operation: fsync\nIrmin-Program: test_branch_cut\n"
		 "Irmin-Pid: %d", (int)getpid());
	assert_shell(f, expected, "git log -1 --format=%%B main | "
		     "sed '$d'");
	assert_null(branch_message(b));
	assert_shell(f, "uid-54321", "git log -1 --format=%%an main");
	assert_shell(f, "fsync", "git log -1 main --format="
		     "'%%(trailers:key=Irmin-Operation,valueonly)' | head -1");
	write_file(f, "main", "a", "2");
	assert_int_equal(branch_commit(b, &tester, "given", NULL), 0);
	assert_shell(f, "given", "git log -1 --format=%%s main");
	branch_unref(b);
}

static void configuration_names_the_author(void **state)
{
	struct fixture *f = *state;

	free(shell(f, "git config user.name 'Jo Doe' && "
		   "git config user.email jo@example.org"));
	write_file(f, "main", "a", "1");
	sync_branch(f, "main");
	assert_shell(f, "Jo Doe <jo@example.org> Jo Doe <jo@example.org>",
		     "git log -1 --format='%%an <%%ae> %%cn <%%ce>' main");
	/* a name that Git cannot store counts as none */
	free(shell(f, "git config user.name '<>'"));
	write_file(f, "main", "a", "2");
	sync_branch(f, "main");
	assert_shell(f, "root", "git log -1 --format=%%an main | "
		     "sed \"s,^$(id -un)$,root,\"");
}

static _Atomic int64_t second = 2000000000;

static void set_clock(struct timespec *ret)
{
	*ret = (struct timespec){ .tv_sec = second };
}

/* What lies outside of the repository is read once a second. */
static void other_configuration_shows_a_second_later(void **state)
{
	struct fixture *f = *state;
	struct caller other = { .operation = "test", .uid = 54321 };
	struct identity identity;

	free(shell(f, "git config include.path ../more && "
		   "git config -f ../more user.name First"));
	close_store(f);
	f->options.clock = set_clock;
	open_store(f);
	assert_int_equal(identity_init(&identity, f->store, &tester), 0);
	assert_string_equal(identity.author.name, "First");
	identity_release(&identity);
	free(shell(f, "git config -f ../more user.name Second && "
		   "git config -f ../more user.email s@example.org"));
	second++;
	assert_int_equal(identity_init(&identity, f->store, &tester), 0);
	assert_string_equal(identity.author.name, "Second");
	assert_string_equal(identity.author.email, "s@example.org");
	assert_int_equal(identity.author.time, second);
	identity_release(&identity);
	/* of more users than are remembered each has the own name */
	free(shell(f, "git config --unset include.path"));
	for (other.uid = 54321; other.uid < 54321 + 30; other.uid++) {
		char expected[16];

		snprintf(expected, sizeof(expected), "uid-%u", other.uid);
		assert_int_equal(identity_init(&identity, f->store, &other), 0);
		assert_string_equal(identity.author.name, expected);
		identity_release(&identity);
		assert_int_equal(identity_init(&identity, f->store, &other), 0);
		assert_string_equal(identity.author.name, expected);
		identity_release(&identity);
	}
}

static void a_message_waits_for_changes(void **state)
{
	struct fixture *f = *state;
	struct branch *b = branch_of(f, "main");
	char *message;

	write_file(f, "main", "a", "1");
	sync_branch(f, "main");
	assert_int_equal(branch_set_message(b, "later"), 0);
	sync_branch(f, "main");
	message = branch_message(b);
	assert_string_equal(message, "later");
	free(message);
	write_file(f, "main", "a", "2");
	sync_branch(f, "main");
	assert_shell(f, "later", "git log -1 --format=%%s main");
	branch_unref(b);
}

static void removed_files_are_gone(void **state)
{
	struct fixture *f = *state;

	write_file(f, "main", "a", "1");
	write_file(f, "main", "b", "2");
	sync_branch(f, "main");
	remove_file(f, "main", "a");
	sync_branch(f, "main");
	assert_shell(f, "b", "git ls-tree --name-only main");
	assert_shell(f, "Remove a", "git log -1 --format=%%s main");
}

/* What a sync saw is in Git when it returns, whoever else is busy. */
struct writer {
	struct fixture *f;
	int number;
};

static void *write_and_sync(void *context)
{
	struct writer *w = context;
	struct branch *b = branch_of(w->f, "main");
	char name[16];

	for (int i = 0; i < 5; i++) {
		struct oid head;

		snprintf(name, sizeof(name), "%d-%d", w->number, i);
		write_file(w->f, "main", name, name);
		assert_int_equal(branch_commit(b, &tester, NULL, &head), 0);
		assert_shell(w->f, name, "git show main:%s", name);
	}
	branch_unref(b);
	return NULL;
}

static void threads_sync_at_once(void **state)
{
	struct writer writers[4];
	pthread_t threads[4];

	for (int i = 0; i < 4; i++) {
		writers[i] = (struct writer){ *state, i };
		assert_int_equal(pthread_create(&threads[i], NULL,
						write_and_sync, &writers[i]),
				 0);
	}
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_shell(*state, "20", "git ls-tree --name-only main | wc -l");
	assert_shell(*state, "", "git fsck --strict 2>&1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(sync_makes_one_commit),
		store_test(nothing_changed_is_no_commit),
		store_test(changes_since_then_are_no_commit),
		store_test(messages_and_trailers),
		store_test(configuration_names_the_author),
		store_test(other_configuration_shows_a_second_later),
		store_test(a_message_waits_for_changes),
		store_test(removed_files_are_gone),
		store_test(threads_sync_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
