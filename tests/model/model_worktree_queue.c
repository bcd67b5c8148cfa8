/* SPDX-License-Identifier: ISC */
#include "tests/worktree_test.h"
#include "store/directory_places.h"
#include "store/merge.h"
#include "structures/queue.h"
#include "structures/structures.h"

#include <stdio.h>
#include <stdlib.h>

/* Random operations on the queue of two work trees over the same objects, against
 * arrays of element numbers, with cuts, remounts and merges to and fro. */

#define MOST 8192
#define ROUNDS 12000

struct side {
	struct fixture f;
	int order[MOST], count;		/* the model */
	char names[MOST][300];		/* how each element is called */
	struct oid base;		/* stored when both met last */
};

struct world {
	struct side sides[2];
	struct oid base;
	int next;			/* number of the next element */
	bool in_base[MOST * 8];
};

static uint32_t seed;

static unsigned int pick(unsigned int n)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % n;
}

static uint32_t random_bits(void)
{
	return pick(1u << 24);
}

/* ---- reading ---- */

struct reading {
	struct side *side;
	int count;
};

struct listing {
	char names[MOST][300];
	int count;
};

static int list_name(void *context, const struct listed *e)
{
	struct listing *l = context;

	snprintf(l->names[l->count++], sizeof(l->names[0]), "%s", e->name);
	return 0;
}

static int number_of(struct side *s, const char *name)
{
	char path[320], data[32] = "";
	struct node *n;

	snprintf(path, sizeof(path), "jobs/%s", name);
	n = get(&s->f, path);
	assert_non_null(n);
	assert_true(node_read(n, data, sizeof(data) - 1, 0) > 0);
	node_unref(n);
	return atoi(data);
}

/* What is said to be in order is, and both indexes have all. */
static void check_directory(const struct directory *d)
{
	const struct directory_places *p = d->places;
	const char *before = "";

	assert_true(p->ordered <= d->count);
	for (uint32_t i = 0; i < d->count; i++) {
		struct entry *e = &d->entries[i];

		assert_true(e->live == (p->at[i] != NULL));
		if (!e->live)
			continue;
		assert_ptr_equal(directory_find(d, e->name), e);
		assert_ptr_equal(places_find(d, p->at[i]), e);
		if (i < p->ordered)
			assert_true(strcmp(before, p->at[i]) < 0);
		if (e->node)
			assert_int_equal(e->node->position, i);
		before = p->at[i];
	}
	/* all that has keys is: also what was pushed */
	if (!p->foreign)
		for (uint32_t i = p->ordered; i < d->count; i++)
			assert_null(p->at[i]);
}

/* What is listed is the model, in its order. */
static void check(struct side *s)
{
	struct listing *l = calloc(1, sizeof(*l));
	struct node *dir = get(&s->f, "jobs");

	assert_non_null(dir);
	assert_int_equal(node_list(dir, 0, list_name, l), 0);
	check_directory(dir->directory);
	node_unref(dir);
	assert_int_equal(l->count, s->count);
	for (int i = 0; i < l->count; i++) {
		assert_int_equal(number_of(s, l->names[i]), s->order[i]);
		memcpy(s->names[s->order[i] % MOST], l->names[i],
		       sizeof(l->names[i]));
	}
	free(l);
}

static int read_element(void *context, const struct queue_element *e)
{
	struct reading *r = context;
	void *data;
	size_t size;

	assert_false(e->foreign);
	assert_int_equal(odb_read(r->side->f.odb, &e->oid, OBJECT_BLOB, &data,
				  &size), 0);
	r->side->order[r->count++] = atoi(data);
	free(data);
	return 0;
}

static struct oid stored_queue(struct side *s)
{
	struct tree_entry e = { 0 };

	tree_resolve(s->f.odb, &s->f.head, "jobs", &e);
	return e.oid;
}

/* What is stored is the model. */
static void check_stored(struct side *s)
{
	struct side *copy = calloc(1, sizeof(*copy));
	struct reading r = { .side = copy };
	struct oid oid = stored_queue(s);

	copy->f = s->f;
	assert_int_equal(queue_each(s->f.odb, &oid, read_element, &r), 0);
	assert_int_equal(r.count, s->count);
	assert_memory_equal(copy->order, s->order, r.count * sizeof(int));
	free(copy);
}

/* ---- operations ---- */

static void drop(struct side *s, int at)
{
	s->count--;
	memmove(&s->order[at], &s->order[at + 1],
		(s->count - at) * sizeof(int));
}

static void push(struct world *w, struct side *s, bool by_rename)
{
	char path[64], text[32], *name;
	int number = w->next++;
	struct node *root, *jobs;

	snprintf(text, sizeof(text), "%d\n", number);
	snprintf(path, sizeof(path), "%s%s%d", by_rename ? "" : "jobs/",
		 by_rename ? "t" : "n", by_rename ? 0 : number);
	assert_int_equal(put(&s->f, path, text), 0);
	s->order[s->count++] = number;
	if (!by_rename) {
		snprintf(s->names[number % MOST], 300, "n%d", number);
		return;
	}
	root = get(&s->f, "");
	jobs = get(&s->f, "jobs");
	/* few names, so that many are numbered */
	snprintf(text, sizeof(text), "c%u", pick(5));
	assert_int_equal(node_rename_named(root, "t0", jobs, text, 0, &name), 0);
	snprintf(s->names[number % MOST], 300, "%s", name ? name : text);
	free(name);
	node_unref(root);
	node_unref(jobs);
}

static void pop(struct side *s, int at, bool by_rename)
{
	char path[320];

	snprintf(path, sizeof(path), "jobs/%s", s->names[s->order[at] % MOST]);
	if (by_rename) {
		assert_int_equal(move(&s->f, path, "out", 0), 0);
		assert_int_equal(remove_at(&s->f, "out", false), 0);
	} else {
		assert_int_equal(remove_at(&s->f, path, false), 0);
	}
	drop(s, at);
}

static void rename_inside(struct side *s, int at)
{
	struct node *jobs = get(&s->f, "jobs");
	char *old = s->names[s->order[at] % MOST], text[16], *name;

	snprintf(text, sizeof(text), "r%u", pick(40));
	if (strcmp(old, text) != 0) {
		assert_int_equal(node_rename_named(jobs, old, jobs, text, 0,
						   &name), 0);
		snprintf(old, 300, "%s", name ? name : text);
		free(name);
	}
	node_unref(jobs);
}

static void remount(struct side *s)
{
	struct worktree_options options = s->f.w->options;

	cut(&s->f);
	options.tree = s->f.head;
	worktree_unref(s->f.w);
	assert_int_equal(worktree_new(&options, &s->f.w), 0);
	check(s);
}

/* ---- merging ---- */

static int take(void *context, struct delta *delta)
{
	assert_null(delta);
	return 0;
}

static bool has(const struct side *s, int number)
{
	for (int i = 0; i < s->count; i++)
		if (s->order[i] == number)
			return true;
	return false;
}

/* Presence: of the base what both have, and what is new on either side. */
static void check_merged(struct world *w, const struct side *ours,
			 const struct side *theirs, const struct side *merged)
{
	int count = 0;

	for (int n = 0; n < w->next; n++) {
		bool a = has(ours, n), b = has(theirs, n);
		bool want = w->in_base[n] ? a && b : a || b;

		assert_int_equal(has(merged, n), want);
		count += want;
	}
	assert_int_equal(merged->count, count);
}

static void merge(struct world *w, struct side *ours, struct side *theirs)
{
	struct merge_context context = { .odb = ours->f.odb };
	struct side *before = malloc(sizeof(*before));
	struct reading reading = { .side = ours };
	struct merge_result result;
	char *path = NULL;
	struct oid oid;

	cut(&ours->f);
	cut(&theirs->f);
	assert_int_equal(merge_trees(&context, &w->base, &ours->f.head,
				     &theirs->f.head, &result, NULL), 0);
	assert_int_equal(result.conflict_count, 0);
	assert_int_equal(worktree_apply(ours->f.w, result.changes, NULL, take,
					NULL, &path), 0);
	assert_null(path);
	*before = *ours;
	ours->f.head = result.tree;
	oid = stored_queue(ours);
	assert_int_equal(queue_each(ours->f.odb, &oid, read_element, &reading),
			 0);
	ours->count = reading.count;
	check_merged(w, before, theirs, ours);
	check(ours);
	/* the work tree has nothing more to say */
	assert_false(cut(&ours->f));
	/* theirs is the base from now on, as after a fast-forward back */
	w->base = theirs->f.head;
	memset(w->in_base, 0, sizeof(w->in_base));
	for (int i = 0; i < theirs->count; i++)
		w->in_base[theirs->order[i]] = true;
	merge_result_release(&result);
	free(before);
}

/* ---- the test ---- */

static void step(struct world *w)
{
	struct side *s = &w->sides[pick(2)], *other = &w->sides[s == w->sides];

	switch (pick(40)) {
	case 0:
		remount(s);
		break;
	case 1: case 2:
		merge(w, s, other);
		break;
	case 3: case 4: case 5:
		if (cut(&s->f))
			check_stored(s);
		break;
	case 6:
		while (s->count > 3)
			pop(s, pick(s->count), pick(2));
		break;
	case 7: case 8: case 9: case 10:
		if (s->count)
			rename_inside(s, pick(s->count));
		break;
	default:
		if (s->count > 60 || (s->count && pick(5) < 2))
			pop(s, pick(2) ? 0 : pick(s->count), pick(2));
		else
			push(w, s, pick(2));
	}
	if (pick(7) == 0)
		check(s);
}

static void queues_follow_the_model(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct worktree_options options;

	seed = 4711;
	fixture_open(&w->sides[0].f, ".gitattributes=/jobs irmin=queue\n");
	w->sides[0].f.w->options.random = random_bits;
	w->sides[1].f = w->sides[0].f;
	options = w->sides[0].f.w->options;
	options.incarnation = 6;
	assert_int_equal(worktree_new(&options, &w->sides[1].f.w), 0);
	w->base = w->sides[0].f.head;
	for (int i = 0; i < ROUNDS && w->next < MOST; i++)
		step(w);
	for (int i = 0; i < 2; i++)
		remount(&w->sides[i]);
	worktree_unref(w->sides[1].f.w);
	fixture_close(&w->sides[0].f);
	free(w);
}

static int setup(void **state)
{
	return structures_register();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(queues_follow_the_model),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
