/* SPDX-License-Identifier: ISC */
#include "tests/repositories.h"
#include "store/git_ref_lock.h"

#include <errno.h>
#include <pthread.h>

static const struct oid zero;

static struct oid commit_a, commit_b;

static int setup_commits(void **state)
{
	struct fixture *f;

	setup(state);
	f = *state;
	commit_a = shell_oid(f->path, "git commit-tree -m a "
			     "$(git mktree </dev/null)");
	commit_b = shell_oid(f->path, "git commit-tree -m b "
			     "$(git mktree </dev/null)");
	return 0;
}

static int update(struct fixture *f, const char *name, const struct oid *old,
		  const struct oid *new)
{
	return git_ref_update(f->repo, name, old, new, "test");
}

/* What Git reads, too. */
static void assert_ref(struct fixture *f, const char *name,
		       const struct oid *expected)
{
	char hex[OID_HEX_SIZE], *output;
	struct oid oid;
	int r = git_ref_read(f->repo, name, &oid);

	if (shell_try(f->path, &output, "git show-ref -s --verify %s", name))
		output[0] = '\0';
	if (oid_is_zero(expected)) {
		assert_int_equal(r, -ENOENT);
		assert_string_equal(output, "");
	} else {
		assert_int_equal(r, 0);
		assert_true(oid_equal(&oid, expected));
		assert_string_equal(output, oid_hex(expected, hex));
	}
	free(output);
}

static void assert_no_locks(struct fixture *f)
{
	shell_do(f->path, "! find . -name '*.lock' | grep .");
}

static void refs_are_compared_and_set(void **state)
{
	struct fixture *f = *state;
	const char *name = "refs/heads/x";

	assert_int_equal(update(f, name, &commit_a, &commit_b), -ESTALE);
	assert_int_equal(update(f, name, &zero, &commit_a), 0);
	assert_ref(f, name, &commit_a);
	assert_int_equal(update(f, name, &zero, &commit_b), -ESTALE);
	assert_int_equal(update(f, name, &commit_b, &commit_a), -ESTALE);
	assert_int_equal(update(f, name, &commit_a, &commit_b), 0);
	assert_ref(f, name, &commit_b);
	assert_int_equal(update(f, name, &commit_a, &zero), -ESTALE);
	assert_int_equal(update(f, name, &commit_b, &zero), 0);
	assert_ref(f, name, &zero);
	assert_int_equal(update(f, name, &commit_b, &zero), -ESTALE);
	assert_int_equal(update(f, name, &zero, &zero), 0);
	assert_no_locks(f);
	shell_do(f->path, "git fsck --strict");
}

static void packed_values_do_not_come_back(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(update(f, "refs/heads/x", &zero, &commit_a), 0);
	assert_int_equal(update(f, "refs/heads/y/z", &zero, &commit_a), 0);
	shell_do(f->path, "git tag -m t t HEAD^ 2>/dev/null || git tag -m t t x; "
		 "git pack-refs --all && test ! -e refs/heads/x");
	assert_ref(f, "refs/heads/x", &commit_a);
	assert_int_equal(update(f, "refs/heads/x", &commit_b, &commit_a), -ESTALE);
	assert_int_equal(update(f, "refs/heads/x", &commit_a, &commit_b), 0);
	assert_ref(f, "refs/heads/x", &commit_b);
	assert_int_equal(update(f, "refs/heads/x", &commit_b, &zero), 0);
	assert_ref(f, "refs/heads/x", &zero);
	assert_ref(f, "refs/heads/y/z", &commit_a);
	/* one that is only packed, whose folder is gone */
	assert_int_equal(update(f, "refs/heads/y/z", &commit_a, &zero), 0);
	assert_ref(f, "refs/heads/y/z", &zero);
	shell_do(f->path, "git rev-parse t^{commit} && "
		 "! grep heads packed-refs && grep '^# pack-refs' packed-refs && "
		 "grep '^\\^' packed-refs && test ! -e refs/heads/y && "
		 "git fsck --strict");
	assert_no_locks(f);
}

static void folders_make_room(void **state)
{
	struct fixture *f = *state;

	for (int packed = 0; packed < 2; packed++) {
		assert_int_equal(update(f, "refs/heads/f/x/y", &zero, &commit_a), 0);
		if (packed)
			shell_do(f->path, "git pack-refs --all");
		assert_int_equal(update(f, "refs/heads/f", &zero, &commit_a),
				 -EEXIST);
		assert_int_equal(update(f, "refs/heads/f/x", &zero, &commit_a),
				 -EEXIST);
		assert_int_equal(update(f, "refs/heads/f/x/y/z", &zero, &commit_a),
				 -EEXIST);
		assert_ref(f, "refs/heads/f/x/y", &commit_a);
		assert_int_equal(update(f, "refs/heads/f/x/y", &commit_a, &zero), 0);
		/* as Git leaves them */
		shell_do(f->path, "mkdir -p refs/heads/f/x/y/z refs/heads/f/u");
		assert_int_equal(update(f, "refs/heads/f", &zero, &commit_a), 0);
		if (packed)
			shell_do(f->path, "git pack-refs --all");
		assert_int_equal(update(f, "refs/heads/f/x", &zero, &commit_a),
				 -EEXIST);
		assert_int_equal(update(f, "refs/heads/f", &commit_a, &zero), 0);
		assert_int_equal(update(f, "refs/heads/f/x", &zero, &commit_a), 0);
		assert_int_equal(update(f, "refs/heads/f/x", &commit_a, &zero), 0);
	}
	assert_no_locks(f);
	shell_do(f->path, "test -d refs/heads && ! ls refs/heads | grep .");
}

static void locks_of_others_are_respected(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(update(f, "refs/heads/x", &zero, &commit_a), 0);
	shell_do(f->path, "touch refs/heads/x.lock");
	assert_int_equal(update(f, "refs/heads/x", &commit_a, &commit_b), -EBUSY);
	assert_int_equal(update(f, "refs/heads/x", &commit_a, &zero), -EBUSY);
	shell_do(f->path, "test -e refs/heads/x.lock && rm refs/heads/x.lock "
		 "&& git pack-refs --all && touch packed-refs.lock");
	assert_int_equal(update(f, "refs/heads/x", &commit_a, &commit_b), 0);
	assert_int_equal(update(f, "refs/heads/x", &commit_b, &zero), -EBUSY);
	assert_ref(f, "refs/heads/x", &commit_b);
	shell_do(f->path, "rm packed-refs.lock");
	assert_int_equal(update(f, "refs/heads/x", &commit_b, &zero), 0);
	assert_no_locks(f);
}

static void locks_that_we_left_are_removed(void **state)
{
	struct fixture *f = *state;
	int dir_fd = git_repo_dir_fd(f->repo);
	struct ref_lock lock;

	shell_do(f->path, "mkdir irminfs");
	assert_int_equal(update(f, "refs/heads/x", &zero, &commit_a), 0);
	shell_do(f->path, "! ls irminfs | grep . && touch refs/heads/y.lock");
	/* as a kill leaves them */
	for (int i = 0; i < 2; i++) {
		assert_int_equal(ref_lock_take(dir_fd, i ? "packed-refs" :
					       "refs/heads/x", 0, &lock), 0);
		close(lock.fd);
		free(lock.name);
		free(lock.lock_name);
		free(lock.mark);
	}
	/* a kill before y could be taken */
	shell_do(f->path, "sleep 0.1; "
		 "ln -s refs/heads/y.lock irminfs/ref-lock.99");
	assert_int_equal(update(f, "refs/heads/x", &commit_a, &commit_b), -EBUSY);
	assert_int_equal(git_refs_recover(f->repo), 0);
	assert_int_equal(update(f, "refs/heads/x", &commit_a, &commit_b), 0);
	assert_int_equal(update(f, "refs/heads/x", &commit_b, &zero), 0);
	/* not ours */
	assert_int_equal(update(f, "refs/heads/y", &zero, &commit_a), -EBUSY);
	shell_do(f->path, "! ls irminfs | grep .");
	/* a link that names anything else does no harm */
	shell_do(f->path, "ln -s config irminfs/ref-lock.1; "
		 "ln -s refs/../../x.lock irminfs/ref-lock.2; "
		 "touch ../x.lock");
	assert_int_equal(git_refs_recover(f->repo), 0);
	shell_do(f->path, "test -e config && test -e ../x.lock && "
		 "! ls irminfs | grep .");
}

static void names_are_checked(void **state)
{
	static const char *const bad[] = {
		"", "-x", "HEAD", "@", ".", "..", "a..b", "a.lock", "a.lock/b",
		"a/.b", "a b", "a~", "a^", "a:b", "a?", "a*", "a[", "a\\b",
		"a@{b", "/a", "a/", "a//b", "a.", "a\tb", "a\x7f",
	};
	static const char *const good[] = {
		"main", "a/b", "a.b", "a-", "a@b", "@a", "a{b", "a]", "%2F",
		"\xc3\xa4", "\xff", "a'b\"", "a,b", "x.lock.y", "a-HEAD",
	};
	struct fixture *f = *state;
	char name[1100];

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		snprintf(name, sizeof(name), "refs/heads/%s", bad[i]);
		if (git_branch_check_name(bad[i]) != -EINVAL)
			fail_msg("'%s' is taken for a name", bad[i]);
	}
	assert_int_equal(update(f, "refs/heads/a..b", &zero, &commit_a), -EINVAL);
	assert_int_equal(update(f, "../x", &zero, &commit_a), -EINVAL);
	assert_int_equal(update(f, "HEAD", &zero, &commit_a), -EINVAL);
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		assert_int_equal(git_branch_check_name(good[i]), 0);
		snprintf(name, sizeof(name), "refs/heads/%s", good[i]);
		if (strcmp(good[i], "a/b") != 0)
			assert_int_equal(update(f, name, &zero, &commit_a), 0);
	}
	shell_do(f->path, "git fsck --strict && git for-each-ref");
	memset(name, 'x', 300);
	name[250] = '\0';
	assert_int_equal(git_branch_check_name(name), 0);
	name[250] = 'x';
	name[251] = '\0';
	assert_int_equal(git_branch_check_name(name), -ENAMETOOLONG);
	for (int i = 0; i < 1099; i++)
		name[i] = i % 100 ? 'x' : '/';
	name[1099] = '\0';
	assert_int_equal(git_branch_check_name(name + 1), -ENAMETOOLONG);
}

/* ---- listing ---- */

static int list(void *context, const char *name, const struct oid *oid,
		const struct oid *peeled)
{
	char a[OID_HEX_SIZE], b[OID_HEX_SIZE];

	return buffer_printf(context, "%s %s %s\n", name, oid_hex(oid, a),
			     oid_hex(peeled, b));
}

static int stop(void *context, const char *name, const struct oid *oid,
		const struct oid *peeled)
{
	++*(int *)context;
	return 7;
}

static void all_refs_are_listed(void **state)
{
	struct fixture *f = *state;
	struct buffer text = { 0 };
	char *expected;
	int calls = 0;

	shell_do(f->path, "c=$(git commit-tree -m x $(git mktree </dev/null)); "
		 "git branch a/b $c; git branch zz $c; git tag -m t1 t1 $c; "
		 "git tag -m t2 t2 t1; git tag blob $(git mktree </dev/null); "
		 "git pack-refs --all; git branch -f zz $c; git branch m $c; "
		 "git update-ref refs/heads/zz $(git commit-tree -m y "
		 "$c^{tree}); git symbolic-ref refs/heads/sym refs/heads/m; "
		 "git symbolic-ref refs/heads/unborn refs/heads/none; "
		 "touch refs/heads/q.lock; mkdir refs/heads/empty");
	assert_int_equal(git_refs_each(f->repo, "refs/heads/", list, &text), 0);
	expected = shell(f->path, "git for-each-ref refs/heads --format="
			 "'%%(refname) %%(objectname) %%(objectname)'; echo");
	buffer_puts(&text, "");
	text.data[text.length - 1] = '\0';
	assert_string_equal(text.data, expected);
	free(expected);
	buffer_release(&text);
	assert_int_equal(git_refs_each(f->repo, "refs/tags/", list, &text), 0);
	expected = shell(f->path, "for t in t1 t2; do echo refs/tags/$t "
			 "$(git rev-parse $t $t^{commit}); done");
	text.data[text.length - 1] = '\0';
	assert_string_equal(text.data, expected);
	free(expected);
	buffer_release(&text);
	assert_int_equal(git_refs_each(f->repo, "refs/heads/", stop, &calls), 7);
	assert_int_equal(calls, 1);
	calls = 0;
	assert_int_equal(git_refs_each(f->repo, "refs/none/", stop, &calls), 0);
	assert_int_equal(calls, 0);
}

static void broken_refs_do_not_hide_others(void **state)
{
	static const char *const ways[] = {
		": >", "echo garbage >", "echo ref: >", "echo 1234 >",
		"echo 1234567890123456789012345678901234567890 >",
		"echo 0000000000000000000000000000000000000000 >",
		"git mktree </dev/null >", "echo ref: refs/heads/broken >",
	};
	struct fixture *f = *state;

	assert_int_equal(update(f, "refs/heads/good", &zero, &commit_a), 0);
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		struct buffer text = { 0 };

		shell_do(f->path, "%s refs/heads/broken", ways[i]);
		assert_int_equal(git_refs_each(f->repo, "refs/heads/", list,
					       &text), 0);
		assert_non_null(strstr(text.data, "refs/heads/broken "
			"0000000000000000000000000000000000000000 "
			"0000000000000000000000000000000000000000\n"));
		assert_non_null(strstr(text.data, "refs/heads/good"));
		assert_null(strstr(text.data, "good 000000"));
		buffer_release(&text);
		/* nor is it taken for absent */
		assert_int_equal(update(f, "refs/heads/broken", &zero, &commit_a),
				 -ESTALE);
	}
	shell_do(f->path, "rm refs/heads/broken; echo garbage >packed-refs");
	assert_int_equal(git_refs_each(f->repo, "refs/heads/", list, NULL),
			 -EUCLEAN);
}

static void symbolic_refs_are_followed(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(update(f, "refs/heads/main", &zero, &commit_a), 0);
	shell_do(f->path, "git symbolic-ref refs/heads/alias refs/heads/main");
	assert_ref(f, "refs/heads/alias", &commit_a);
	assert_int_equal(update(f, "refs/heads/alias", &commit_a, &commit_b), 0);
	assert_ref(f, "refs/heads/main", &commit_b);
	shell_do(f->path, "git symbolic-ref refs/heads/alias");
	assert_int_equal(update(f, "refs/heads/alias", &commit_b, &zero), 0);
	assert_ref(f, "refs/heads/alias", &zero);
	assert_ref(f, "refs/heads/main", &commit_b);
}

static void head_is_read_and_set(void **state)
{
	struct fixture *f = *state;
	char *name;

	assert_int_equal(git_head_read(f->repo, &name), 0);
	assert_string_equal(name, "main");
	free(name);
	assert_int_equal(git_head_set(f->repo, "a/b"), 0);
	assert_int_equal(git_head_read(f->repo, &name), 0);
	assert_string_equal(name, "a/b");
	free(name);
	shell_do(f->path, "test $(git symbolic-ref HEAD) = refs/heads/a/b");
	assert_int_equal(git_head_set(f->repo, "a..b"), -EINVAL);
	shell_do(f->path, "c=$(git commit-tree -m x "
		 "$(git mktree </dev/null)) && echo $c >HEAD");
	assert_int_equal(git_head_read(f->repo, &name), -ENOENT);
	shell_do(f->path, "rm HEAD && ln -s refs/heads/old HEAD");
	assert_int_equal(git_head_read(f->repo, &name), 0);
	assert_string_equal(name, "old");
	free(name);
	assert_int_equal(git_head_set(f->repo, "main"), 0);
	assert_no_locks(f);
}

static void reflogs_are_kept_where_wanted(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(update(f, "refs/heads/x", &zero, &commit_a), 0);
	shell_do(f->path, "test ! -e logs && git config core.logAllRefUpdates 1");
	assert_int_equal(update(f, "refs/heads/x", &commit_a, &commit_b), 0);
	assert_int_equal(git_ref_update(f->repo, "refs/heads/x", &commit_b, &commit_a,
					"two\nlines"), 0);
	shell_do(f->path, "test \"$(git reflog x | wc -l)\" = 2 && "
		 "git reflog x | grep 'two lines' && "
		 "git rev-parse x@{1}");
	assert_int_equal(update(f, "refs/heads/x", &commit_a, &zero), 0);
	assert_int_equal(update(f, "refs/heads/x/y", &zero, &commit_a), 0);
	shell_do(f->path, "test \"$(git reflog x/y | wc -l)\" = 1");
	assert_int_equal(update(f, "refs/heads/x/y", &commit_a, &zero), 0);
	assert_int_equal(update(f, "refs/heads/x", &zero, &commit_a), 0);
	shell_do(f->path, "test \"$(git reflog x | wc -l)\" = 1");
}

/* ---- against Git, at once ---- */

struct race {
	struct fixture *f;
	int won;
};

static void *count_up(void *argument)
{
	struct race *race = argument;
	struct fixture *f = race->f;

	for (int i = 0; i < 12; i++) {
		struct oid old = zero;
		const struct oid *new;

		git_ref_read(f->repo, "refs/heads/x", &old);
		new = oid_equal(&old, &commit_a) ? &commit_b : &commit_a;
		if (update(f, "refs/heads/x", &old, new) == 0)
			race->won++;
	}
	return NULL;
}

static void updates_exclude_each_other(void **state)
{
	struct fixture *f = *state;
	struct race races[3] = { { f }, { f }, { f } };
	pthread_t threads[3];
	char *lines;
	int won = 0;

	/* the reflog has one line for each update that won */
	shell_do(f->path, "git config core.logAllRefUpdates true");
	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, count_up, &races[i]);
	shell_do(f->path, "for i in 1 2 3 4 5; do "
		 "git pack-refs --all --prune; done");
	for (int i = 0; i < 3; i++) {
		pthread_join(threads[i], NULL);
		won += races[i].won;
	}
	lines = shell(f->path, "wc -l <logs/refs/heads/x; awk '{ if ($1 != last "
		      "&& NR > 1) print \"broken chain\"; last = $2 }' "
		      "logs/refs/heads/x");
	assert_int_equal(atoi(lines), won);
	assert_null(strstr(lines, "broken"));
	free(lines);
	assert_no_locks(f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_commits, teardown)

/* ---- peeking ---- */

static int add_branch(void *context, const char *name)
{
	struct buffer *text = context;

	return buffer_printf(text, "%s ", name);
}

static void assert_peek(struct fixture *f, const char *name,
			const struct git_packed_mark *known, const char *want)
{
	scoped_buffer struct buffer text = { 0 };

	assert_int_equal(buffer_puts(&text, ""), 0);
	assert_int_equal(git_branch_peek(f->repo, name, known, add_branch,
					 &text), 0);
	assert_string_equal(text.data, want);
}

static void branches_are_peeked_at_by_name(void **state)
{
	struct fixture *f = *state;
	struct git_packed_mark none = { 0 }, mark;

	assert_int_equal(update(f, "refs/heads/a", &zero, &commit_a), 0);
	assert_int_equal(update(f, "refs/heads/d/e/f", &zero, &commit_a), 0);
	git_packed_mark(f->repo, &mark);
	assert_int_equal(mark.inode, 0);
	assert_peek(f, "a", &none, "a ");
	assert_peek(f, "d", &none, "d/e/f ");
	assert_peek(f, "d/e/f", &none, "d/e/f ");
	assert_peek(f, "e", &none, "");
	assert_peek(f, "a/b", &none, "");
	assert_peek(f, ".git", &none, "");
	assert_peek(f, "..", &none, "");
	free(shell(f->path, "git pack-refs --all && mkdir -p refs/heads/d"));
	assert_peek(f, "a", &none, "a ");
	assert_peek(f, "d", &none, "d/e/f ");
	assert_peek(f, "dd", &none, "");
	git_packed_mark(f->repo, &mark);
	assert_peek(f, "a", &mark, "");
	assert_peek(f, "d", &mark, "");
	assert_int_equal(update(f, "refs/heads/b", &zero, &commit_a), 0);
	free(shell(f->path, "git pack-refs --all"));
	assert_peek(f, "b", &mark, "b ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(refs_are_compared_and_set),
		TEST(packed_values_do_not_come_back),
		TEST(folders_make_room),
		TEST(locks_of_others_are_respected),
		TEST(locks_that_we_left_are_removed),
		TEST(names_are_checked),
		TEST(all_refs_are_listed),
		TEST(broken_refs_do_not_hide_others),
		TEST(symbolic_refs_are_followed),
		TEST(head_is_read_and_set),
		TEST(reflogs_are_kept_where_wanted),
		TEST(updates_exclude_each_other),
		TEST(branches_are_peeked_at_by_name),
	};

	return cmocka_run_group_tests_name("git_refs", tests, NULL, NULL);
}
