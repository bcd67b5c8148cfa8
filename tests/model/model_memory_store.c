/* SPDX-License-Identifier: ISC */
#include "tests/test.h"
#include "tests/failing.h"
#include "tests/local_text.h"
#include "tests/merges.h"
#include "store/pin.h"
#include "structures/structures.h"

#include <git2.h>
#include <git2/sys/alloc.h>

/* As model_memory.c, with branches: a script of syncs, forks, merges and what else
 * is done with them, in which one allocation of each step fails, ours or libgit2's,
 * in the thread that does it.  All that another program then finds in the
 * repository is what it is without failures. */

/* Of many allocations in a row one is tried. */
#define NEXT(k) ((k) + 1 + (k) / 5)

enum verb {
	WRITE, REMOVE, SYNC, COMMIT, FORK, MERGE, CONFLICT, RESOLVE, RENAME, SWAP,
	DROP, RESTORE, NEW, VIEW, TAG, MESSAGE, STATES, REOPEN,
};

struct step {
	enum verb verb;
	const char *a, *b, *c;
};

static const struct step script[] = {
	{ WRITE, "main", ".gitattributes", "n merge=counter\ns merge=set\n" },
	{ WRITE, "main", "d/a", "one\n" }, { WRITE, "main", "n", "1\n" },
	{ WRITE, "main", "s", "a\n" }, { SYNC, "main" }, { NEW, "other" },
	{ FORK, "main", "work" }, { WRITE, "work", "d/b", "two\n" },
	{ WRITE, "work", "n", "5\n" }, { WRITE, "work", "s", "a\nb\n" },
	{ WRITE, "main", "n", "3\n" }, { WRITE, "main", "s", "a\nc\n" },
	{ FORK, "work", "deep/er" }, { WRITE, "work", "e", "e" }, { COMMIT, "work", "said" },
	{ MERGE, "work", "main" }, { VIEW, "main@~1" }, { STATES },
	{ WRITE, "other", "x", "1" }, { MESSAGE, "other", "text" },
	{ SYNC, "other" }, { RENAME, "other", "else" },
	{ SWAP, "else", "deep/er" }, { DROP, "else" }, { RESTORE, "else", "back" },
	{ WRITE, "main", "d/a", "ours\n" }, { WRITE, "back", "d/a", "theirs\n" },
	{ CONFLICT, "back", "main" }, { RESOLVE, "back" }, { MERGE, "back", "main" },
	{ TAG, "main", "v1" }, { REMOVE, "main", "d/b" }, { SYNC, "main" },
	{ WRITE, "main", "d/c", "unsaved" }, { REOPEN },
};

#define STEPS (sizeof(script) / sizeof(*script))

struct world {
	struct fixture f;
	unsigned int fail;		/* this allocation of the step */
};

/* ---- libgit2's allocations, through ours ---- */

/* As its own allocator does. */
static void *told(void *p)
{
	if (!p)
		git_error_set_oom();
	return p;
}

static _Thread_local bool git_fails;

#define GIT(type, name, parameters, allocation)                                \
	static type *git_##name parameters                                     \
	{                                                                      \
		return told(git_fails && fails() ? NULL : (allocation));       \
	}

GIT(void, malloc, (size_t n, const char *file, int line), __real_malloc(n))
GIT(void, calloc, (size_t n, size_t size, const char *file, int line),
    __real_calloc(n, size))
GIT(char, strdup, (const char *text, const char *file, int line),
    __real_strdup(text))
GIT(char, strndup, (const char *text, size_t n, const char *file, int line),
    __real_strndup(text, n))
GIT(char, substrdup, (const char *text, size_t n, const char *file, int line),
    memcpy(__real_calloc(1, n + 1), text, n))
GIT(void, realloc, (void *p, size_t n, const char *file, int line),
    __real_realloc(p, n))
GIT(void, mallocarray, (size_t n, size_t size, const char *file, int line),
    __real_reallocarray(NULL, n, size))

/* Where this fails libgit2 1.5 leaks the pack that its list has no room for. */
static void *git_reallocarray(void *p, size_t n, size_t size, const char *file,
			      int line)
{
	return __real_reallocarray(p, n, size);
}

/* Elsewhere a failed allocation crashes libgit2 1.5: git_memory_check. */
#define WITH_GIT(name, parameters, arguments)                                  \
	int __real_##name parameters;                                          \
	int __wrap_##name parameters;                                          \
	int __wrap_##name parameters                                           \
	{                                                                      \
		int r;                                                         \
									       \
		git_fails = true;                                              \
		r = __real_##name arguments;                                   \
		git_fails = false;                                             \
		return r;                                                      \
	}

WITH_GIT(odb_read, (struct odb *odb, const struct oid *oid,
		    enum object_type type, void **ret, size_t *ret_size),
	 (odb, oid, type, ret, ret_size))
WITH_GIT(odb_read_header, (struct odb *odb, const struct oid *oid,
			   enum object_type *ret_type, uint64_t *ret_size),
	 (odb, oid, ret_type, ret_size))
WITH_GIT(odb_write, (struct odb *odb, enum object_type type, const void *data,
		     size_t size, struct oid *ret_oid),
	 (odb, type, data, size, ret_oid))

static int fail_in_libgit2(void)
{
	static git_allocator failing = {
		git_malloc, git_calloc, git_strdup, git_strndup, git_substrdup,
		git_realloc, git_reallocarray, git_mallocarray, free,
	};

	return git_libgit2_opts(GIT_OPT_SET_ALLOCATOR, &failing);
}

/* ---- what a store looks like ---- */

static int tell_branch(void *context, const struct branch_facts *facts)
{
	return buffer_printf(context, "%s%s %zu %s\n", facts->name,
			     facts->dropped ? " dropped" : "",
			     facts->conflicts, facts->stuck ?: "");
}

static void tell_files(struct fixture *f, const char *name, struct buffer *ret)
{
	struct branch *b = branch_of(f, name);
	char *text, *message = branch_message(b);
	struct worktree *w;

	assert_int_equal(branch_worktree(b, &w), 0);
	text = local_text(w);
	buffer_printf(ret, "%s (%s)\n%s", name, message ?: "", text);
	free(text);
	free(message);
	branch_unref(b);
}

static char *seen(struct world *w)
{
	static const char *const names[] = {
		"main", "work", "deep/er", "other", "else", "back",
	};
	struct buffer b = { 0 };

	assert_int_equal(store_each(w->f.store, false, tell_branch, &b), 0);
	assert_int_equal(store_each(w->f.store, true, tell_branch, &b), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (has_branch(&w->f, names[i]))
			tell_files(&w->f, names[i], &b);
	return b.data;
}

/* ---- steps ---- */

static int view_of_name(struct fixture *f, const char *name)
{
	struct view *v;
	bool fixed;
	int r = store_view(f->store, name, &v, &fixed);

	if (r == 0)
		view_unref(v);
	return r;
}

static int tag(struct world *w, struct branch *b, const char *name)
{
	struct oid head;
	int r;

	assert_int_equal(branch_commit(b, &tester, NULL, &head), 0);
	r = TRY(w, store_tag(w->f.store, &head, name, NULL));
	/* it was made, and could not be flushed */
	return r == -EEXIST ? 0 : r;
}

static int merge_names(struct world *w, const struct step *s)
{
	struct branch *source = branch_of(&w->f, s->a);
	struct branch *target = branch_of(&w->f, s->b);
	int r = TRY(w, store_merge(w->f.store, source, target, s->verb == MERGE,
				   &tester, NULL));

	branch_unref(source);
	branch_unref(target);
	return s->verb == CONFLICT && r == -ENOTEMPTY ? 0 : r;
}

static int resolve_first(struct world *w, struct branch *b)
{
	struct conflict_report **reports;
	uint32_t number;
	size_t count;

	assert_int_equal(branch_conflicts(b, &reports, &count), 0);
	assert_int_equal(count, 1);
	number = reports[0]->conflicts[0].number;
	free_conflicts(reports, count);
	return TRY(w, branch_resolve(b, number, RESOLVE_THEIRS, &tester, NULL));
}

static int swap(struct world *w, struct branch *a, const char *name)
{
	struct branch *b = branch_of(&w->f, name);
	int r = TRY(w, store_swap(w->f.store, a, b, &tester, NULL));

	branch_unref(b);
	return r;
}

static int on_branch(struct world *w, const struct step *s)
{
	struct store *store = w->f.store;
	struct branch *b = branch_of(&w->f, s->a);
	struct oid head;
	int r;

	switch (s->verb) {
	case SYNC:
		r = TRY(w, branch_sync(b, &tester));
		break;
	case COMMIT:
		r = TRY(w, branch_commit(b, &tester, s->b, &head));
		break;
	case FORK:
		r = TRY(w, store_fork(store, b, s->b, &tester, NULL));
		break;
	case RENAME:
		r = TRY(w, store_rename(store, b, s->b, &tester, NULL));
		break;
	case DROP:
		r = TRY(w, store_drop(store, b, &tester, NULL));
		break;
	case MESSAGE:
		r = TRY(w, branch_set_message(b, s->b));
		break;
	case TAG:
		r = tag(w, b, s->b);
		break;
	case RESOLVE:
		r = resolve_first(w, b);
		break;
	default:
		r = swap(w, b, s->b);
	}
	branch_unref(b);
	return r;
}

static int do_step(struct world *w, const struct step *s)
{
	switch (s->verb) {
	case WRITE:
		write_file(&w->f, s->a, s->b, s->c);
		return 0;
	case REMOVE:
		remove_file(&w->f, s->a, s->b);
		return 0;
	case NEW:
		return TRY(w, store_make(w->f.store, s->a, &tester, NULL));
	case RESTORE:
		return TRY(w, store_restore(w->f.store, s->a, s->b, &tester,
					    NULL));
	case VIEW:
		return TRY(w, view_of_name(&w->f, s->a));
	case STATES:
		return TRY(w, store_sync(w->f.store, &tester));
	case MERGE:
	case CONFLICT:
		return merge_names(w, s);
	case REOPEN:
		reopen_store(&w->f);
		return 0;
	default:
		return on_branch(w, s);
	}
}

/* ---- two worlds ---- */

static void tell_step(size_t i, unsigned int k, const char *what,
		      const char *want, const char *got)
{
	print_message("step %zu (%d %s %s), allocation %u: %s\n--- want\n%s"
		      "--- got\n%s", i, script[i].verb, script[i].a ?: "",
		      script[i].b ?: "", k, what, want, got);
	fail();
}

/* What each step leaves without failures. */
static char *after[STEPS + 1];
static char *log_wanted;

static bool try_step(struct world *w, size_t i, unsigned int k)
{
	unsigned int earlier = failures;
	int r;
	char *got;

	w->fail = k;
	r = do_step(w, &script[i]);
	w->fail = 0;
	got = seen(w);
	if (r && (failures == earlier || r != -ENOMEM))
		tell_step(i, k, strerror(-r), "", got);
	if (r == -ENOMEM && strcmp(got, after[i]) == 0) {
		r = do_step(w, &script[i]);
		if (r)
			tell_step(i, k, strerror(-r), "", got);
		free(got);
		got = seen(w);
	}
	if (strcmp(got, after[i + 1]))
		tell_step(i, k, "wrong state", after[i + 1], got);
	free(got);
	return failures != earlier;
}

#define LOG "git fsck --strict --no-dangling 2>&1 && " \
	"git log --format=%%T:%%s --branches v1 | sort"

static void run_undisturbed(void)
{
	struct world w = { 0 };

	make_fixture(&w.f);
	open_store(&w.f);
	after[0] = seen(&w);
	for (size_t i = 0; i < STEPS; i++) {
		assert_int_equal(do_step(&w, &script[i]), 0);
		after[i + 1] = seen(&w);
	}
	log_wanted = shell(&w.f, LOG);
	remove_fixture(&w.f);
}

static unsigned int run_failing(unsigned int k)
{
	struct world w = { 0 };
	unsigned int failed = 0;
	char *got;

	make_fixture(&w.f);
	open_store(&w.f);
	for (size_t i = 0; i < STEPS; i++)
		failed += try_step(&w, i, k);
	got = shell(&w.f, LOG);
	assert_string_equal(got, log_wanted);
	free(got);
	remove_fixture(&w.f);
	return failed;
}

static void test_each_allocation(void **state)
{
	unsigned int failed = 1;

	run_undisturbed();
	for (unsigned int k = 1; failed; k = NEXT(k))
		failed = run_failing(k);
	assert_true(failures > 150);
	for (size_t i = 0; i <= STEPS; i++)
		free(after[i]);
	free(log_wanted);
}

/* What cannot be looked at for want of memory is not left out. */
static void test_pin(void **state)
{
	struct fixture f;
	struct git_repo *repo;
	struct oid blob, commit;
	unsigned int left = 0;
	char *want, *got;
	int r;

	make_fixture(&f);
	open_store(&f);
	got = shell(&f, "git rev-parse main");
	assert_int_equal(oid_parse(got, &commit), 0);
	free(got);
	close_store(&f);
	assert_int_equal(git_repo_open(f.path, false, &repo, NULL), 0);
	assert_int_equal(odb_write(git_repo_odb(repo), OBJECT_BLOB, "x", 1,
				   &blob), 0);
	assert_int_equal(pin_update(repo, &commit, 1, &blob, 1), 0);
	want = shell(&f, "cat worktrees/irminfs/HEAD");
	for (unsigned int k = 1; !left; k++) {
		fail_in = k;
		r = pin_update(repo, &commit, 1, &blob, 1);
		assert_true(r == 0 || r == -ENOMEM);
		left = fail_in;
		fail_in = 0;
		got = shell(&f, "cat worktrees/irminfs/HEAD");
		assert_string_equal(got, want);
		free(got);
	}
	free(want);
	git_repo_free(repo);
	remove_fixture(&f);
}

static void no_log(enum log_level level, const char *text)
{
}

static int group_set_up(void **state)
{
	if (!getenv("MEMORY_LOG"))
		log_set_sink(no_log, LOG_LEVEL_ERROR);
	return fail_in_libgit2() < 0 ? -1 : structures_register();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pin),
		cmocka_unit_test(test_each_allocation),
	};

	return cmocka_run_group_tests(tests, group_set_up, NULL);
}
