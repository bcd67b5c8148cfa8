/* SPDX-License-Identifier: ISC */
#include "tests/random.h"
#include "tests/test.h"
#include "structures/queue.h"
#include "structures/structures.h"
#include "store/merge.h"
#include "store/tree.h"
#include "store/util.h"

#include <stdio.h>
#include <stdlib.h>

/* Random histories of several branches that push, take, rename and change
 * elements, remove the queue and make it again, and merge each other, criss-cross
 * too.  What must live in a commit follows from its history: all that an ancestor
 * pushed and none took.  Several merge bases are merged first, as `git merge` does.
 * Trees in which the queue is a directory, with its line in .gitattributes, must
 * merge to the same, and it is a queue wherever there are elements. */

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) ||           \
	__has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HISTORIES 30
#else
#define HISTORIES 300
#endif
#define BRANCHES_MOST 5
#define COMMITS_MOST 400
#define ELEMENTS_MOST 1024
#define WORDS_COMMITS (COMMITS_MOST / 64 + 1)
#define WORDS_ELEMENTS (ELEMENTS_MOST / 64)

struct commit_node {
	struct oid queue;
	bool has_line;
	uint64_t ancestors[WORDS_COMMITS];	/* and itself */
	uint64_t pushed[WORDS_ELEMENTS], taken[WORDS_ELEMENTS];
};

static struct commit_node commits[COMMITS_MOST];
static unsigned int commit_count;
static struct queue_key keys[ELEMENTS_MOST];
static unsigned int element_count;
static unsigned int heads[BRANCHES_MOST];
static unsigned int crossed;		/* merges with several bases */
static unsigned int revived;		/* merges that bring the queue back */
static struct odb *odb;
static struct timespec now;

static bool has(const uint64_t *set, unsigned int at)
{
	return set[at / 64] >> at % 64 & 1;
}

static void add(uint64_t *set, unsigned int at)
{
	set[at / 64] |= UINT64_C(1) << at % 64;
}

static void add_all(uint64_t *set, const uint64_t *other, size_t words)
{
	while (words--)
		set[words] |= other[words];
}

/* ---- what a commit's queue holds ---- */

struct listed {
	struct queue_element elements[ELEMENTS_MOST];
	char names[ELEMENTS_MOST][16];
	unsigned int count;
};

static int list_element(void *context, const struct queue_element *e)
{
	struct listed *l = context;

	assert_true(l->count < ELEMENTS_MOST);
	assert_false(e->foreign);
	assert_true(l->count == 0 ||
		    strcmp(l->elements[l->count - 1].key.text, e->key.text) < 0);
	l->elements[l->count] = *e;
	snprintf(l->names[l->count], sizeof(l->names[0]), "%s", e->name);
	l->elements[l->count].name = l->names[l->count];
	l->count++;
	return 0;
}

static void list(const struct oid *queue, struct listed *ret)
{
	ret->count = 0;
	assert_int_equal(queue_each(odb, queue, list_element, ret), 0);
}

static unsigned int element_of(const struct queue_key *key)
{
	for (unsigned int i = 0; i < element_count; i++)
		if (strcmp(keys[i].text, key->text) == 0)
			return i;
	fail_msg("%s was never pushed", key->text);
	return 0;
}

/* Nothing is lost, nothing revived. */
static void check(const struct commit_node *c)
{
	static struct listed l;
	unsigned int live = 0;

	list(&c->queue, &l);
	for (unsigned int i = 0; i < element_count; i++)
		live += has(c->pushed, i) && !has(c->taken, i);
	assert_int_equal(l.count, live);
	for (unsigned int i = 0; i < l.count; i++) {
		unsigned int e = element_of(&l.elements[i].key);

		assert_true(has(c->pushed, e) && !has(c->taken, e));
	}
}

/* ---- changing one branch ---- */

static struct queue_element new_element(const struct oid *queue)
{
	struct queue_element last, e = { .mode = MODE_FILE, .name = "new" };
	char *name;
	int r = queue_last(odb, queue, &last, &name);

	now.tv_nsec += roll(4) ? 1000 : 0;
	now.tv_sec += roll(30) == 0 ? roll(100000) : 0;
	if (now.tv_nsec >= 1000000000)
		now.tv_nsec = 0;
	queue_key_next(r ? NULL : &last.key, &now, roll(1u << 31), &e.key);
	if (r == 0)
		free(name);
	memset(&e.oid, 1, sizeof(e.oid));
	return e;
}

static void push(struct commit_node *c)
{
	struct queue_element e = new_element(&c->queue);

	if (element_count == ELEMENTS_MOST)
		return;
	assert_int_equal(queue_push(odb, &c->queue, &e, &c->queue), 0);
	keys[element_count] = e.key;
	add(c->pushed, element_count++);
	c->has_line = true;
}

static void remove_element(struct commit_node *c,
			   const struct queue_element *e)
{
	assert_int_equal(queue_remove(odb, &c->queue, &e->key, e->name,
				      &c->queue), 0);
}

/* Takes one, or gives it another name or contents under its key. */
static void change(struct commit_node *c)
{
	static struct listed l;
	struct queue_element e;
	unsigned int what = roll(6);
	char name[16];

	list(&c->queue, &l);
	if (!l.count)
		return;
	e = l.elements[roll(3) ? 0 : roll(l.count)];
	remove_element(c, &e);
	if (what >= 2) {
		add(c->taken, element_of(&e.key));
		return;
	}
	if (what == 0) {
		snprintf(name, sizeof(name), "renamed%u", roll(4));
		e.name = name;
	} else {
		e.oid.id[0] = 1 + roll(4);
	}
	assert_int_equal(queue_push(odb, &c->queue, &e, &c->queue), 0);
}

static void remove_queue(struct commit_node *c)
{
	static struct listed l;

	list(&c->queue, &l);
	for (unsigned int i = 0; i < l.count; i++)
		add(c->taken, element_of(&l.elements[i].key));
	c->queue = (struct oid){ 0 };
	c->has_line = false;
}

static unsigned int new_commit(unsigned int first)
{
	unsigned int at = commit_count++;

	assert_true(at < COMMITS_MOST);
	commits[at] = commits[first];
	add(commits[at].ancestors, at);
	return at;
}

static void work(unsigned int branch)
{
	unsigned int at = new_commit(heads[branch]);

	if (roll(12) == 0)
		remove_queue(&commits[at]);
	for (unsigned int i = roll(4); i-- > 0;) {
		if (roll(2))
			push(&commits[at]);
		else
			change(&commits[at]);
	}
	check(&commits[at]);
	heads[branch] = at;
}

/* ---- merging ---- */

/* Common ancestors that no other one has as an ancestor. */
static unsigned int find_bases(const uint64_t *a, const uint64_t *b,
			       unsigned int ret[COMMITS_MOST])
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < commit_count; i++) {
		bool best = has(a, i) && has(b, i);

		for (unsigned int j = 0; best && j < commit_count; j++)
			best = j == i || !has(a, j) || !has(b, j) ||
			       !has(commits[j].ancestors, i);
		if (best)
			ret[n++] = i;
	}
	return n;
}

static struct oid merge_queues(const struct oid *base, const struct oid *ours,
			       const struct oid *theirs)
{
	struct oid merged, other;

	assert_int_equal(queue_merge(odb, base, ours, theirs, &merged), 0);
	assert_int_equal(queue_merge(odb, base, theirs, ours, &other), 0);
	assert_true(oid_equal(&merged, &other));
	/* idempotence and identity */
	assert_int_equal(queue_merge(odb, base, &merged, &merged, &other), 0);
	assert_true(oid_equal(&merged, &other));
	assert_int_equal(queue_merge(odb, base, &merged, base, &other), 0);
	assert_true(oid_equal(&merged, &other));
	return merged;
}

#define LINE "/queue irmin=queue\n"

static struct oid root_of(const struct commit_node *c)
{
	struct tree_entry entries[2] = { 0 };
	size_t n = 0;
	struct oid root;

	if (c->has_line) {
		entries[n].mode = MODE_FILE;
		entries[n].name = ".gitattributes";
		assert_int_equal(odb_write(odb, OBJECT_BLOB, LINE, strlen(LINE),
					   &entries[n++].oid), 0);
	}
	if (!oid_is_zero(&c->queue))
		entries[n++] = (struct tree_entry){ MODE_TREE, c->queue,
						    "queue" };
	assert_int_equal(tree_write(odb, entries, n, &root), 0);
	return root;
}

static void assert_trees_merge(const struct commit_node *base,
			       const struct commit_node *ours,
			       const struct commit_node *theirs,
			       const struct commit_node *merged)
{
	const struct merge_context context = {
		.odb = odb, .ours_label = "ours", .theirs_label = "theirs",
	};
	struct oid b = root_of(base), o = root_of(ours), t = root_of(theirs);
	struct oid expected = root_of(merged);
	struct merge_result result;

	assert_int_equal(merge_trees(&context, &b, &o, &t, &result, NULL), 0);
	assert_int_equal(result.conflict_count, 0);
	assert_true(oid_equal(&result.tree, &expected));
	merge_result_release(&result);
}

/* A line is there as any file would be, and where there are elements. */
static void merge_lines(const struct commit_node *base,
			const struct commit_node *a, const struct commit_node *b,
			struct commit_node *merged)
{
	merged->has_line = a->has_line == b->has_line ? a->has_line :
			   !base->has_line;
	if (!merged->has_line && !oid_is_zero(&merged->queue)) {
		merged->has_line = true;
		revived++;
	}
	assert_trees_merge(base, a, b, merged);
	assert_trees_merge(base, b, a, merged);
}

static struct commit_node merge_nodes(const struct commit_node *a,
				      const struct commit_node *b);

/* Merge bases merged one after the other; none: nothing. */
static struct commit_node common_base(const struct commit_node *a,
				      const struct commit_node *b)
{
	unsigned int bases[COMMITS_MOST];
	unsigned int n = find_bases(a->ancestors, b->ancestors, bases);
	struct commit_node base = { 0 };

	if (n)
		base = commits[bases[0]];
	for (unsigned int i = 1; i < n; i++)
		base = merge_nodes(&base, &commits[bases[i]]);
	crossed += n > 1;
	return base;
}

static struct commit_node merge_nodes(const struct commit_node *a,
				      const struct commit_node *b)
{
	struct commit_node base = common_base(a, b), merged = *a;

	merged.queue = merge_queues(&base.queue, &a->queue, &b->queue);
	merge_lines(&base, a, b, &merged);
	add_all(merged.ancestors, b->ancestors, WORDS_COMMITS);
	add_all(merged.pushed, b->pushed, WORDS_ELEMENTS);
	add_all(merged.taken, b->taken, WORDS_ELEMENTS);
	check(&merged);
	return merged;
}

static void merge(unsigned int from, unsigned int to)
{
	struct commit_node merged = merge_nodes(&commits[heads[to]],
						&commits[heads[from]]);
	unsigned int at = new_commit(heads[to]);

	commits[at] = merged;
	add(commits[at].ancestors, at);
	heads[to] = at;
}

/* Both ways from the same heads: the next merge has two bases. */
static void cross(unsigned int a, unsigned int b)
{
	unsigned int before = heads[a];
	struct commit_node merged;
	unsigned int at;

	merge(b, a);
	merged = merge_nodes(&commits[heads[b]], &commits[before]);
	assert_true(oid_equal(&merged.queue, &commits[heads[a]].queue));
	at = new_commit(heads[b]);
	commits[at] = merged;
	add(commits[at].ancestors, at);
	heads[b] = at;
}

static void run_history(unsigned int branches)
{
	commit_count = 1;
	element_count = 0;
	memset(&commits[0], 0, sizeof(commits[0]));
	add(commits[0].ancestors, 0);
	memset(heads, 0, sizeof(heads));
	while (commit_count < COMMITS_MOST / 4 - 2) {
		unsigned int a = roll(branches);
		unsigned int b = (a + 1 + roll(branches - 1)) % branches;

		switch (roll(10)) {
		case 0:
		case 1:
			merge(a, b);
			break;
		case 2:
			cross(a, b);
			break;
		default:
			work(a);
		}
	}
}

static void histories_lose_and_revive_nothing(void **state)
{
	now.tv_sec = 1700000000;
	crossed = revived = 0;
	for (unsigned int i = 0; i < HISTORIES; i++) {
		roll_seed = 1000 + i;
		assert_int_equal(memory_odb_new(&odb), 0);
		run_history(2 + i % (BRANCHES_MOST - 1));
		odb_free(odb);
	}
	print_message("# %u merges with several bases, %u brought the queue "
		      "back\n", crossed, revived);
	assert_true(crossed > HISTORIES * 3);
	assert_true(revived > HISTORIES / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(histories_lose_and_revive_nothing),
	};

	if (structures_register() < 0)
		return 1;
	return cmocka_run_group_tests_name("queue_merge", tests, NULL, NULL);
}
