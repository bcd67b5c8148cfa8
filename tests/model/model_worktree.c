/* SPDX-License-Identifier: ISC */
#include "tests/worktree_test.h"

#include <errno.h>

/* Random operations on a work tree, and on a plain model: a tree of fixed
 * places, four names in each directory, three levels.  Place 0 is the root; the
 * children of i are 4i + 1 .. 4i + 4.
 *
 *	MODEL_SEEDS=N	how many runs (default 150)
 */

#define PLACES 85
#define LEAVES 21		/* places from here on have no children */
#define QUEUE_MAX 4
#define HELD_MAX 6

struct place {
	char kind;		/* 0 none, f file, x executable, l link, d */
	char text[16];
};

struct model {
	struct fixture f;
	struct place now[PLACES];
	struct place git[PLACES];	/* as of the last capture or apply */
	struct delta *queue[QUEUE_MAX];	/* stored, not adopted */
	int queued;
	struct node *held[HELD_MAX];
	uint32_t random;
	int applied, again;
};

static uint32_t draw(struct model *m, uint32_t below)
{
	m->random ^= m->random << 13;
	m->random ^= m->random >> 17;
	m->random ^= m->random << 5;
	return m->random % below;
}

static int parent(int i)
{
	return (i - 1) / 4;
}

static const char *path_of(int i)
{
	static char paths[8][16];
	static int next;
	char *p = paths[next++ % 8] + 15;

	*p = '\0';
	for (; i; i = parent(i)) {
		if (*p)
			*--p = '/';
		*--p = "abcd"[(i - 1) % 4];
	}
	return p;
}

static bool has_children(const struct place *places, int i)
{
	for (int k = 4 * i + 1; i < LEAVES && k <= 4 * i + 4; k++)
		if (places[k].kind)
			return true;
	return false;
}

static void clear(struct place *places, int i)
{
	places[i].kind = 0;
	for (int k = 4 * i + 1; i < LEAVES && k <= 4 * i + 4; k++)
		clear(places, k);
}

static void copy(struct place *to, int t, const struct place *from, int i)
{
	to[t] = from[i];
	for (int k = 1; i < LEAVES && t < LEAVES && k <= 4; k++)
		copy(to, 4 * t + k, from, 4 * i + k);
}

static int height(const struct place *places, int i)
{
	int most = 0;

	for (int k = 4 * i + 1; i < LEAVES && k <= 4 * i + 4; k++)
		if (places[k].kind && 1 + height(places, k) > most)
			most = 1 + height(places, k);
	return most;
}

static int depth(int i)
{
	return i ? 1 + depth(parent(i)) : 0;
}

static bool is_within(int i, int above)
{
	while (i > above)
		i = parent(i);
	return i == above;
}

/* Git has no empty directories. */
static void prune(struct place *places)
{
	for (int i = PLACES - 1; i > 0; i--)
		if (places[i].kind == 'd' && !has_children(places, i))
			places[i].kind = 0;
}

static bool is_same(const struct place *a, const struct place *b)
{
	return a->kind == b->kind &&
	       (!a->kind || a->kind == 'd' || strcmp(a->text, b->text) == 0);
}

/* ---- what Git should have ---- */

static void print(FILE *out, const struct place *places, int i)
{
	/* Git's order: directories as if their names ended in a slash; with
	 * names of one letter that is no other one. */
	for (int k = 4 * i + 1; i < LEAVES && k <= 4 * i + 4; k++) {
		if (places[k].kind == 'd')
			print(out, places, k);
		else if (places[k].kind)
			fprintf(out, "%s%s=%s\n",
				places[k].kind == 'x' ? "x " :
				places[k].kind == 'l' ? "l " : "",
				path_of(k), places[k].text);
	}
}

static char *text_of(const struct place *places)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	print(out, places, 0);
	fclose(out);
	return text;
}

/* ---- what the tree should show ---- */

struct seen {
	struct model *m;
	int above;
	int names;
	uint64_t *numbers;
	int *count;
};

static int see(void *context, const struct listed *e)
{
	struct seen *seen = context;
	int i = 4 * seen->above + 1 + (e->name[0] - 'a');
	char kind = seen->m->now[i].kind;

	assert_int_equal(e->type, kind == 'd' ? S_IFDIR :
				  kind == 'l' ? S_IFLNK : S_IFREG);
	seen->names |= 1 << (e->name[0] - 'a');
	seen->numbers[(*seen->count)++] = e->number;
	return 0;
}

static void check_place(struct model *m, int i)
{
	const struct place *want = &m->now[i];
	struct node *n = get(&m->f, path_of(i));
	char *target;

	if (!want->kind) {
		assert_null(n);
		return;
	}
	assert_non_null(n);
	if (want->kind == 'l') {
		assert_int_equal(node_readlink(n, &target), 0);
		assert_string_equal(target, want->text);
		free(target);
	} else if (want->kind != 'd') {
		assert_reads(n, want->text);
		assert_int_equal(!(stat_of(n).st_mode & 0100),
				 want->kind == 'f');
		assert_int_equal(stat_of(n).st_size, strlen(want->text));
	}
	node_unref(n);
}

static void check_below(struct model *m, int i, uint64_t *numbers, int *count)
{
	struct seen seen = { .m = m, .above = i, .numbers = numbers,
			     .count = count };
	struct node *n = get(&m->f, path_of(i));

	assert_int_equal(node_list(n, 0, see, &seen), 0);
	node_unref(n);
	for (int k = 1; i < LEAVES && k <= 4; k++) {
		const struct place *p = &m->now[4 * i + k];

		assert_int_equal(!(seen.names & 1 << (k - 1)), !p->kind);
		check_place(m, 4 * i + k);
		if (p->kind == 'd' && 4 * i + k < LEAVES)
			check_below(m, 4 * i + k, numbers, count);
	}
}

static int compare_numbers(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void check(struct model *m)
{
	uint64_t numbers[PLACES + HELD_MAX];
	int count = 0;

	check_below(m, 0, numbers, &count);
	qsort(numbers, count, sizeof(*numbers), compare_numbers);
	for (int i = 1; i < count; i++)
		assert_true(numbers[i] != numbers[i - 1]);
	/* What is gone from the tree shares no number with what is in it. */
	for (int i = 0; i < HELD_MAX; i++)
		if (m->held[i] && m->held[i]->removed)
			assert_null(bsearch(&m->held[i]->number, numbers, count,
					    sizeof(*numbers), compare_numbers));
}

static void check_head(struct model *m, const struct oid *oid)
{
	char *got = tree_to_text(m->f.odb, oid), *want = text_of(m->git);

	assert_string_equal(got, want);
	free(got);
	free(want);
}

/* ---- operations ---- */

static bool parent_is_dir(struct model *m, int i)
{
	return m->now[parent(i)].kind == 'd';
}

static int any(struct model *m)
{
	int i = draw(m, 3) ? draw(m, LEAVES) : draw(m, PLACES);

	return i ? i : 1;
}

static void random_text(struct model *m, char *text)
{
	snprintf(text, sizeof(m->now[0].text), "%u", draw(m, 50));
}

static void op_put(struct model *m)
{
	int i = any(m);
	struct place *p = &m->now[i];
	char text[16];
	int want = p->kind == 'd' ? -EISDIR : p->kind == 'l' ? -EINVAL : 0;

	if (!parent_is_dir(m, i))
		return;
	random_text(m, text);
	assert_int_equal(put(&m->f, path_of(i), text), want);
	if (want)
		return;
	if (!p->kind)
		p->kind = 'f';
	snprintf(p->text, sizeof(p->text), "%s", text);
}

static void op_append(struct model *m)
{
	int i = any(m);
	struct place *p = &m->now[i];
	struct node *n = get(&m->f, path_of(i));

	if ((p->kind == 'f' || p->kind == 'x') && strlen(p->text) < 12) {
		assert_int_equal(node_write(n, "+", 1, 0, true), 1);
		p->text[strlen(p->text) + 1] = '\0';
		p->text[strlen(p->text)] = '+';
	}
	node_unref(n);
}

static void op_make_dir(struct model *m)
{
	int i = any(m);
	int want = m->now[i].kind ? -EEXIST : 0;

	if (!parent_is_dir(m, i))
		return;
	assert_int_equal(make_dir(&m->f, path_of(i)), want);
	if (!want)
		m->now[i].kind = 'd';
}

static void op_link(struct model *m)
{
	int i = any(m);
	char text[16];

	if (!parent_is_dir(m, i))
		return;
	random_text(m, text);
	assert_int_equal(link_at(&m->f, path_of(i), text),
			 m->now[i].kind ? -EEXIST : 0);
	if (m->now[i].kind)
		return;
	m->now[i].kind = 'l';
	snprintf(m->now[i].text, sizeof(m->now[i].text), "%s", text);
}

static void op_remove(struct model *m)
{
	int i = any(m);
	bool directory = draw(m, 2);
	char kind = m->now[i].kind;
	int want = !kind ? -ENOENT :
		   (kind == 'd') != directory ?
			   (directory ? -ENOTDIR : -EISDIR) :
		   has_children(m->now, i) ? -ENOTEMPTY : 0;

	if (!parent_is_dir(m, i))
		return;
	assert_int_equal(remove_at(&m->f, path_of(i), directory), want);
	if (!want)
		m->now[i].kind = 0;
}

/* A whole directory, as rm -r does. */
static void op_remove_all(struct model *m)
{
	int i = any(m);

	for (int k = PLACES - 1; k >= i; k--)
		if (m->now[k].kind && is_within(k, i)) {
			assert_int_equal(remove_at(&m->f, path_of(k),
						   m->now[k].kind == 'd'), 0);
			m->now[k].kind = 0;
		}
}

static int rename_result(struct model *m, int from, int to, unsigned int flags)
{
	char a = m->now[from].kind, b = m->now[to].kind;

	if (!a)
		return -ENOENT;
	if (b && flags == RENAME_NOREPLACE)
		return -EEXIST;
	if (!b && flags == RENAME_EXCHANGE)
		return -ENOENT;
	if (from == to)
		return 1;
	if (is_within(parent(to), from))
		return -EINVAL;
	if (flags == RENAME_EXCHANGE)
		return is_within(parent(from), to) ? -EINVAL : 0;
	if (b && a == 'd' && b != 'd')
		return -ENOTDIR;
	if (b && a != 'd' && b == 'd')
		return -EISDIR;
	return b == 'd' && has_children(m->now, to) ? -ENOTEMPTY : 0;
}

static void op_rename(struct model *m)
{
	static const unsigned int all[] = { 0, 0, 0, RENAME_NOREPLACE,
					    RENAME_EXCHANGE };
	unsigned int flags = all[draw(m, 5)];
	int from = any(m), to = any(m), want;
	struct place old[PLACES];

	if (!parent_is_dir(m, from) || !parent_is_dir(m, to) ||
	    depth(to) + height(m->now, from) > 3 ||
	    (flags == RENAME_EXCHANGE &&
	     depth(from) + height(m->now, to) > 3))
		return;
	want = rename_result(m, from, to, flags);
	assert_int_equal(move(&m->f, path_of(from), path_of(to), flags),
			 want > 0 ? 0 : want);
	if (want)
		return;
	memcpy(old, m->now, sizeof(old));
	clear(m->now, from);
	clear(m->now, to);
	copy(m->now, to, old, from);
	if (flags == RENAME_EXCHANGE)
		copy(m->now, from, old, to);
}

static void op_mode(struct model *m)
{
	int i = any(m);
	bool executable = draw(m, 2);
	char *kind = &m->now[i].kind;

	if (*kind != 'f' && *kind != 'x')
		return;
	assert_int_equal(change_mode(&m->f, path_of(i),
				     executable ? 0755 : 0644), 0);
	*kind = executable ? 'x' : 'f';
}

static void op_adopt(struct model *m)
{
	if (!m->queued)
		return;
	adopt(&m->f, m->queue[0]);
	memmove(m->queue, m->queue + 1, --m->queued * sizeof(*m->queue));
}

static void op_capture(struct model *m)
{
	struct delta *delta;

	if (draw(m, 8) == 0)
		assert_int_equal(worktree_capture(m->f.w, keep_delta, &delta), 0);
	else
		delta = capture(&m->f);
	memcpy(m->git, m->now, sizeof(m->git));
	prune(m->git);
	assert_false(worktree_is_changed(m->f.w, NULL));
	if (!delta) {
		check_head(m, &m->f.head);
		return;
	}
	store_delta(&m->f, delta);
	check_head(m, &m->f.head);
	if (m->queued == QUEUE_MAX)
		op_adopt(m);
	m->queue[m->queued++] = delta;
}

static int refuse(void *context, struct delta *delta)
{
	delta_free(delta);
	return -EROFS;
}

static void op_capture_refused(struct model *m)
{
	assert_int_equal(worktree_capture(m->f.w, refuse, NULL), -EROFS);
}

/* Somebody else's changes of what Git has. */
static void change_target(struct model *m, struct place *target)
{
	for (uint32_t n = 1 + draw(m, 4); n; n--) {
		int i = any(m);

		if (draw(m, 2)) {
			clear(target, i);
			continue;
		}
		clear(target, i);
		target[i].kind = "ffxl"[draw(m, 4)];
		random_text(m, target[i].text);
		for (int above = parent(i); above; above = parent(above))
			target[above].kind = 'd';
	}
	prune(target);
}

static void apply_to_model(struct model *m, const struct place *target)
{
	for (int i = PLACES - 1; i > 0; i--) {
		if (is_same(&m->git[i], &target[i]) || target[i].kind)
			continue;
		if (m->git[i].kind != 'd')
			m->now[i].kind = 0;
		else if (m->now[i].kind == 'd' && !has_children(m->now, i))
			m->now[i].kind = 0;
	}
	for (int i = 1; i < PLACES; i++) {
		if (is_same(&m->git[i], &target[i]) || !target[i].kind)
			continue;
		if (target[i].kind != 'd' || m->now[i].kind != 'd') {
			clear(m->now, i);
			m->now[i] = target[i];
		}
	}
	memcpy(m->git, target, sizeof(m->git));
}

static void op_apply(struct model *m)
{
	struct place target[PLACES];
	struct delta *delta, *taken;
	struct oid oid;
	char *text, *path = NULL;
	bool changed;
	int r;

	if (draw(m, 2))
		op_capture(m);
	changed = worktree_is_changed(m->f.w, NULL);
	memcpy(target, m->git, sizeof(target));
	change_target(m, target);
	text = text_of(target);
	oid = text_to_tree(m->f.odb, text);
	free(text);
	assert_int_equal(delta_between(m->f.odb, &m->f.head, &oid, &delta), 0);
	r = worktree_apply(m->f.w, delta, NULL, keep_delta, &taken, &path);
	delta_free(delta);
	free(path);
	assert_true(r == 0 || (changed && r == -EAGAIN));
	m->applied += r == 0;
	m->again += r != 0;
	if (r)
		return;
	m->f.head = oid;
	apply_to_model(m, target);
}

static int ignore(void *context, const struct listed *e)
{
	return 0;
}

static void op_hold(struct model *m)
{
	int slot = draw(m, HELD_MAX);
	struct node *n;

	node_unref(m->held[slot]);
	m->held[slot] = n = get(&m->f, path_of(any(m)));
	if (n && node_is_directory(n))
		node_list(n, 0, ignore, NULL);
}

static void step(struct model *m)
{
	static void (*const operations[])(struct model *m) = {
		op_put, op_put, op_append, op_make_dir, op_make_dir, op_link,
		op_remove, op_remove, op_remove_all, op_rename, op_rename,
		op_rename, op_mode, op_capture, op_adopt, op_apply, op_hold,
		op_hold, op_capture_refused,
	};

	operations[draw(m, sizeof(operations) / sizeof(*operations))](m);
	check(m);
}

static void run(uint32_t seed, struct model *m)
{
	*m = (struct model){ .random = seed * 2654435761u | 1 };
	fixture_open(&m->f, "");
	m->now[0].kind = m->git[0].kind = 'd';
	for (int i = 0; i < 120; i++)
		step(m);
	op_capture(m);
	while (m->queued)
		op_adopt(m);
	check(m);
	for (int i = 0; i < HELD_MAX; i++)
		node_unref(m->held[i]);
	fixture_close(&m->f);
}

static void work_trees_follow_the_model(void **state)
{
	const char *seeds = getenv("MODEL_SEEDS");
	uint32_t count = seeds ? atoi(seeds) : 150;
	int applied = 0, again = 0;
	struct model m;

	for (uint32_t seed = 1; seed <= count; seed++) {
		print_message("# seed %u\n", seed);
		run(seed, &m);
		applied += m.applied;
		again += m.again;
	}
	/* Both ends of an apply came up. */
	assert_true(applied > 0);
	assert_true(again > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(work_trees_follow_the_model),
	};

	return cmocka_run_group_tests_name("worktree", tests, NULL, NULL);
}
