/* SPDX-License-Identifier: ISC */
#include "tests/failing_world.h"
#include "store/local_merge.h"
#include "store/local_store.h"
#include "store/node_xattr.h"
#include "structures/structures.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/xattr.h>

/* A script of changes, captures and merges, in which one allocation of each step
 * fails: the first one in the first round, the second one in the next, until there
 * is no step that makes so many.  Such a step says -ENOMEM and leaves all as it was
 * or, where the work was done, as it is meant to be; taken again it ends as in a
 * world where nothing fails.  So do those for which an allocation matters little. */

#define BIG 200000

/* Of many allocations in a row one is tried. */
#define NEXT(k) ((k) + 1 + (k) / 30)

enum verb {
	MAKE, DIR, SYMLINK, LINK, FIFO, UNLINK, RMDIR, MOVE, EXCHANGE, LOOK, LIST,
	WRITE, BIGGER, CUT_OFF, PUNCH, SPLICE, COPY, READ, MODE, SET, UNSET,
	QUEUE, PUSH, KEEP, CLAIM, FIRST, WRITER, RULES,
	HOLD, STORE, RELOAD, FOLLOW,
};

struct step {
	enum verb verb;
	const char *a, *b;
};

static const struct step script[] = {
	{ DIR, "d" }, { DIR, "d/e" }, { MAKE, "d/a" }, { WRITE, "d/a", "one" },
	{ MAKE, "d/e/b" }, { BIGGER, "d/e/b" }, { SYMLINK, "l", "target" },
	{ FIFO, "p" }, { LINK, "d/a", "again" }, { LINK, "d/a", "d/third" },
	{ SET, "d/a", "user.one" }, { SET, "d/e", "user.two" },
	{ MODE, "d/a" }, { HOLD }, { STORE }, { RELOAD },
	{ LOOK, "d/e/b" }, { LIST, "d" }, { READ, "d/e/b" }, { READ, "d/a" },
	{ WRITE, "again", "two" }, { UNLINK, "d/a" }, { MOVE, "d/e", "f" },
	{ MAKE, "x" }, { WRITE, "x", "x" }, { EXCHANGE, "x", "f" },
	{ HOLD }, { MOVE, "d/third", "third" }, { PUNCH, "x/b" },
	{ CUT_OFF, "x/b" }, { HOLD }, { UNSET, "again", "user.one" },
	{ MOVE, "x", "f2" }, { STORE }, { COPY, "f2/b", "f" },
	{ SPLICE, "f2/b" }, { HOLD }, { STORE }, { RELOAD },
	{ MAKE, ".gitignore" }, { WRITE, ".gitignore", "*.o\nbuild\n" },
	{ MAKE, "i.o" }, { WRITE, "i.o", "ignored" }, { DIR, "build" },
	{ MAKE, "build/a" }, { WRITE, "build/a", "a" }, { DIR, ".git" },
	{ MAKE, ".git/HEAD" }, { WRITE, ".git/HEAD", "ref" },
	{ HOLD }, { STORE }, { RELOAD },
	{ WRITE, ".gitignore", "" }, { RULES }, { HOLD }, { STORE },
	{ MAKE, ".gitattributes" }, { WRITE, ".gitattributes", "*.r irmin=rope\n" },
	{ MAKE, "t.r" }, { BIGGER, "t.r" }, { HOLD }, { STORE }, { RELOAD },
	{ SPLICE, "t.r" }, { WRITE, "t.r", "begins" }, { READ, "t.r" },
	{ HOLD }, { STORE },
	{ DIR, "q" }, { QUEUE, "q" }, { PUSH, "q/a" }, { PUSH, "q/b" },
	{ KEEP, "q/c" }, { PUSH, "q/e" }, { HOLD }, { STORE }, { RELOAD },
	{ LIST, "q" }, { PUSH, "q/d" }, { CLAIM, "q/b", "q" }, { FIRST, "q", "taken" },
	{ MOVE, "taken", "q/back" }, { UNLINK, "q/d" }, { HOLD }, { STORE },
	{ FOLLOW, "again=changed\nl d/link=t\nd/new=1\nf2/b=2\nq2/r=3\n" },
	{ HOLD }, { STORE }, { RELOAD },
	{ FOLLOW, "again=4\nfile=5\n" }, { WRITER, "file" },
	{ UNLINK, "p" }, { HOLD }, { STORE }, { RELOAD },
	{ UNLINK, "file" }, { HOLD }, { STORE },
};

#define STEPS (sizeof(script) / sizeof(*script))

/* ---- steps ---- */

static int on_name(struct world *w, const struct step *s)
{
	const char *name;
	struct node *dir = above(&w->fixture, s->a, &name), *n = NULL;
	mode_t mode = s->verb == DIR ? S_IFDIR | 0755 : S_IFREG | 0644;
	int r;

	assert_non_null(dir);
	switch (s->verb) {
	case SYMLINK:
		r = TRY(w, node_symlink(dir, name, s->b, &caller, &n));
		break;
	case FIFO:
		r = TRY(w, node_make_special(dir, name, S_IFIFO | 0600, 0,
					     &caller, &n));
		break;
	case UNLINK:
		r = TRY(w, node_unlink(dir, name));
		break;
	case RMDIR:
		r = TRY(w, node_rmdir(dir, name));
		break;
	default:
		r = TRY(w, node_make(dir, name, mode, &caller, &n));
	}
	node_unref(n);
	node_unref(dir);
	return r;
}

static int on_names(struct world *w, const struct step *s)
{
	const char *from, *to;
	struct node *a = above(&w->fixture, s->a, &from);
	struct node *b = above(&w->fixture, s->b, &to);
	struct node *n = get(&w->fixture, s->a);
	int r;

	assert_non_null(a);
	assert_non_null(b);
	assert_non_null(n);
	if (s->verb == LINK)
		r = TRY(w, node_link(n, b, to));
	else
		r = TRY(w, node_rename(a, from, b, to, s->verb == EXCHANGE ?
				       RENAME_EXCHANGE : 0));
	node_unref(n);
	node_unref(a);
	node_unref(b);
	return r;
}

static int list_nothing(void *context, const struct listed *entry)
{
	return 0;
}

static int write_all(struct node *n, const void *data, size_t size)
{
	ssize_t r = node_write(n, data, size, 0, false);

	return r == (ssize_t)size ? 0 : r < 0 ? r : -EIO;
}

static int read_all(struct node *n, char *data)
{
	ssize_t r = node_read(n, data, BIG, 0);

	return r < 0 ? r : 0;
}

static int copy(struct world *w, struct node *from, const char *path)
{
	struct node *to = get(&w->fixture, path);
	ssize_t r = TRY(w, node_copy_range(from, 0, to, 10, 70000));

	node_unref(to);
	return r < 0 ? r : 0;
}

static int on_node(struct world *w, const struct step *s)
{
	struct node *n = get(&w->fixture, s->a);
	const struct stat mode = { .st_mode = 0640 };
	static char bytes[BIG], data[BIG];
	int r;

	assert_non_null(n);
	for (size_t i = 0; i < BIG; i++)
		bytes[i] = 'a' + i % 23;
	switch (s->verb) {
	case LIST:
		r = TRY(w, node_list(n, 0, list_nothing, NULL));
		break;
	case WRITE:
		r = TRY(w, write_all(n, s->b, strlen(s->b)));
		break;
	case BIGGER:
		r = TRY(w, write_all(n, bytes, BIG));
		break;
	case CUT_OFF:
		r = TRY(w, node_truncate(n, 70000));
		break;
	case PUNCH:
		r = TRY(w, node_allocate(n, FALLOC_FL_PUNCH_HOLE |
					 FALLOC_FL_KEEP_SIZE, 1000, 100000));
		break;
	case SPLICE:
		r = TRY(w, node_splice(n, 100, 1000, "spliced", 7));
		break;
	case COPY:
		r = copy(w, n, s->b);
		break;
	case READ:
		r = TRY(w, read_all(n, data));
		break;
	case MODE:
		r = TRY(w, node_set_attributes(n, &mode, NODE_SET_MODE));
		break;
	case SET:
		r = TRY(w, node_set_xattr(n, s->b, bytes, 5000, 0));
		break;
	case UNSET:
		r = TRY(w, node_remove_xattr(n, s->b));
		break;
	case QUEUE:
		r = TRY(w, node_set_type(n, "queue"));
		break;
	default:
		r = TRY(w, node_writer_begin(n));
		if (r == 0)
			node_writer_end(n);
	}
	node_unref(n);
	return r;
}

static int claim(struct world *w, const struct step *s)
{
	struct node *n = get(&w->fixture, s->a), *dir = NULL;
	uint64_t queue = stat_at(&w->fixture, s->b).st_ino;
	char *name = NULL;
	int r = TRY(w, node_claim(n, queue, NULL, &dir, &name));

	free(name);
	node_unref(dir);
	node_unref(n);
	return r;
}

static int take_first(struct world *w, const struct step *s)
{
	struct node *q = get(&w->fixture, s->a), *to = get(&w->fixture, "");
	char *name = NULL;
	int r = TRY(w, node_rename_first(q, to, s->b, 0, &name));

	free(name);
	node_unref(q);
	node_unref(to);
	return r;
}

/* All of it, or the element is cancelled. */
static int push(struct node *dir, const char *name, bool keep)
{
	char *pushed = NULL;
	struct node *n;
	int r = node_make_pending(dir, name, S_IFREG | 0644, &caller, &n);

	if (r < 0)
		return r;
	r = write_all(n, name, strlen(name));
	if (r == 0 && keep)
		r = node_keep_pending(n, dir);
	if (r == 0)
		r = node_push_pending(n, dir, &pushed);
	if (r < 0) {
		fail_in = 0;
		assert_int_equal(node_cancel_pending(n, dir), 0);
	}
	free(pushed);
	node_unref(n);
	return r;
}

static int push_one(struct world *w, const struct step *s)
{
	const char *name;
	struct node *dir = above(&w->fixture, s->a, &name);
	int r = TRY(w, push(dir, name, s->verb == KEEP));

	node_unref(dir);
	return r;
}

/* ---- captures ---- */

static int hold_delta(void *context, struct delta *delta)
{
	struct world *w = context;

	if (!delta)
		return 0;
	assert_true(w->held_count < HELD);
	w->held[w->held_count++] = delta;
	return 0;
}

static int store_delta_of(struct world *w, struct delta *delta)
{
	static const struct timespec base = { 1000, 5 };
	struct oid face;
	int r = delta_store_own(delta, w->local);

	if (r == 0)
		r = delta_store(delta, w->fixture.odb, &w->fixture.head);
	if (r == 0)
		r = local_store(delta, w->local, &w->face, false, &base, &base,
				&face);
	if (r == 0) {
		w->face = face;
		w->fixture.head = delta->oid;
	}
	return r;
}

/* All that is held, as one. */
static int store_held(struct world *w)
{
	struct delta *delta;
	int r;

	while (w->held_count > 1) {
		r = delta_fold(w->held[0], w->held[1]);
		if (r == -ENOTSUP)
			break;
		if (r < 0)
			return r;
		delta_free(w->held[0]);
		w->held_count--;
		memmove(w->held, w->held + 1,
			w->held_count * sizeof(*w->held));
	}
	while (w->held_count) {
		delta = w->held[0];
		r = store_delta_of(w, delta);
		if (r < 0)
			return r;
		worktree_adopt(w->fixture.w, delta);
		delta_free(delta);
		w->held_count--;
		memmove(w->held, w->held + 1,
			w->held_count * sizeof(*w->held));
	}
	return 0;
}

/* Anew, as after a mount. */
static int reload(struct world *w)
{
	struct worktree_options options = w->fixture.w->options;
	struct worktree *tree;
	int r;

	options.tree = w->fixture.head;
	options.face = w->face;
	r = TRY(w, worktree_new(&options, &tree));
	if (r < 0)
		return r;
	worktree_unref(w->fixture.w);
	w->fixture.w = tree;
	return 0;
}

static int take_nothing(void *context, struct delta *delta)
{
	return 0;
}

struct follow {
	struct delta *delta;
	struct oid to;
	char *path;
};

/* As a merge without a common ancestor. */
static int merge_and_apply(struct world *w, struct follow *f)
{
	struct local_merge merge = {
		.odb = w->fixture.odb, .local = w->local, .ours = w->face,
		.ours_tree = w->fixture.head, .theirs_tree = f->to,
	};
	int r = delta_between(w->fixture.odb, &w->fixture.head, &f->to,
			      &f->delta);

	if (r == 0)
		r = local_merge(&merge, f->delta, &f->path);
	if (r == 0)
		r = worktree_apply(w->fixture.w, f->delta, NULL, take_nothing,
				   NULL, &f->path);
	return r;
}

/* What another program brought. */
static int follow(struct world *w, const char *text)
{
	static const struct timespec base = { 1000, 5 };
	struct follow f = { .to = text_to_tree(w->fixture.odb, text) };
	struct oid face;
	int r = TRY(w, merge_and_apply(w, &f));

	if (r == 0) {
		assert_int_equal(local_store(f.delta, w->local, &w->face, true,
					     &base, &base, &face), 0);
		w->face = face;
		w->fixture.head = f.to;
	}
	free(f.path);
	delta_free(f.delta);
	return r;
}

static int look(struct world *w, const char *path)
{
	struct node *n;
	int r = TRY(w, worktree_lookup(w->fixture.w, path, &n));

	if (r == 0)
		node_unref(n);
	return r;
}

static int do_step(struct world *w, const struct step *s)
{
	switch (s->verb) {
	case LOOK:
		return look(w, s->a);
	case MAKE ... RMDIR:
		return s->verb == LINK ? on_names(w, s) : on_name(w, s);
	case MOVE:
	case EXCHANGE:
		return on_names(w, s);
	case PUSH:
	case KEEP:
		return push_one(w, s);
	case CLAIM:
		return claim(w, s);
	case FIRST:
		return take_first(w, s);
	case RULES:
		return TRY(w, worktree_apply_rules(w->fixture.w));
	case HOLD:
		return TRY(w, worktree_capture(w->fixture.w, hold_delta, w));
	case STORE:
		return TRY(w, store_held(w));
	case RELOAD:
		return reload(w);
	case FOLLOW:
		return follow(w, s->a);
	default:
		return on_node(w, s);
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

/* Whether some allocation failed. */
static bool step_both(struct world *good, struct world *w, size_t i,
		      unsigned int k)
{
	const struct step *s = &script[i];
	char *before = seen(good), *after, *got;
	unsigned int earlier = failures;
	int want, r;

	want = do_step(good, s);
	if (want)
		tell_step(i, 0, strerror(-want), "", "");
	after = seen(good);
	w->fail = k;
	r = do_step(w, s);
	w->fail = 0;
	got = seen(w);
	if (r != 0 && (failures == earlier || r != -ENOMEM))
		tell_step(i, k, strerror(-r), "", "");
	if (r == -ENOMEM && strcmp(got, before) == 0) {
		r = do_step(w, s);
		if (r != 0)
			tell_step(i, k, strerror(-r), "", "");
		free(got);
		got = seen(w);
	}
	if (strcmp(got, after))
		tell_step(i, k, "wrong state", after, got);
	free(before);
	free(after);
	free(got);
	return failures != earlier;
}

static void compare_stored(struct world *good, struct world *w, size_t i,
			   unsigned int k)
{
	char *want = stored(good), *got = stored(w);

	if (strcmp(want, got))
		tell_step(i, k, "stored otherwise", want, got);
	free(want);
	free(got);
}

static void test_each_allocation(void **state)
{
	unsigned int failed = 1;

	for (unsigned int k = 1; failed; k = NEXT(k)) {
		struct world good, w;

		failed = 0;
		world_open(&good);
		world_open(&w);
		for (size_t i = 0; i < STEPS; i++) {
			failed += step_both(&good, &w, i, k);
			if (script[i].verb == STORE)
				compare_stored(&good, &w, i, k);
		}
		world_close(&good);
		world_close(&w);
	}
	assert_true(failures > 1000);
}

/* The table of objects grows now and then, which is the second allocation. */
static void test_objects_in_memory(void **state)
{
	unsigned int earlier = failures, failed = 0;
	struct odb *odb;
	struct oid oid;

	assert_int_equal(memory_odb_new(&odb), 0);
	for (unsigned int i = 0; i < 5000; i++) {
		int r;

		fail_in = 2;
		r = odb_write(odb, OBJECT_BLOB, &i, sizeof(i), &oid);
		assert_int_equal(r, fail_in ? 0 : -ENOMEM);
		failed += r < 0;
		fail_in = 0;
		assert_int_equal(odb_write(odb, OBJECT_BLOB, &i, sizeof(i),
					   &oid), 0);
	}
	assert_int_equal(failures - earlier, failed);
	assert_true(failed > 0);
	odb_free(odb);
}

static int set_up(void **state)
{
	return structures_register();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_objects_in_memory),
		cmocka_unit_test(test_each_allocation),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
