/* SPDX-License-Identifier: ISC */
#ifndef TESTS_FAILING_WORLD_H
#define TESTS_FAILING_WORLD_H

#include "tests/failing.h"
#include "tests/local_text.h"
#include "tests/worktree_test.h"
#include "store/pool.h"

/* A work tree with a local face over objects in memory, and allocations that fail:
 * for model_memory.c. */

#define HELD 4

struct world {
	struct fixture fixture;
	struct odb *local;
	struct oid face;
	struct delta *held[HELD];	/* captured, not stored yet, in order */
	size_t held_count;
	unsigned int fail;		/* this allocation of the step */
};

/* Keys are the same in all worlds. */
static inline uint32_t no_random(void)
{
	return 7;
}

static inline void load(struct world *w, const struct worktree_options *like)
{
	struct worktree_options options = *like;

	options.local = w->local;
	options.face = w->face;
	options.tree = w->fixture.head;
	options.random = no_random;
	assert_int_equal(worktree_new(&options, &w->fixture.w), 0);
}

static inline void world_open(struct world *w)
{
	struct worktree_options options;
	struct pool_options pool;

	*w = (struct world){ 0 };
	fixture_open(&w->fixture, "");
	assert_int_equal(memory_odb_new(&w->local), 0);
	/* the same with a local face */
	options = w->fixture.w->options;
	pool = w->fixture.pool->options;
	worktree_unref(w->fixture.w);
	pool_free(w->fixture.pool);
	pool.local = w->local;
	assert_int_equal(pool_new(&pool, &w->fixture.pool), 0);
	options.pool = w->fixture.pool;
	w->fixture.w = NULL;
	load(w, &options);
}

static inline void world_close(struct world *w)
{
	for (size_t i = 0; i < w->held_count; i++)
		delta_free(w->held[i]);
	fixture_close(&w->fixture);
	odb_free(w->local);
}

static inline char *seen(struct world *w)
{
	return local_text(w->fixture.w);
}

/* What is stored, as another mount sees it. */
static inline char *stored(struct world *w)
{
	struct worktree *mine = w->fixture.w;
	char *text;

	w->fixture.w = NULL;
	load(w, &mine->options);
	text = seen(w);
	worktree_unref(w->fixture.w);
	w->fixture.w = mine;
	return text;
}

#endif
