/* SPDX-License-Identifier: ISC */
#include "store/engine_private.h"

#include <errno.h>
#include <string.h>

#define HEADS "refs/heads/"
#define TRIES 32

/* What refs are, and then how that differs from the table: both without the
 * thread changing refs in between. */

struct ref {
	char *name;
	struct oid oid;		/* zero: it is gone, or broken */
	bool broken;
};

struct look {
	struct ref *refs;
	size_t count, capacity;
	struct outside_change *changes;	/* their names are the refs', or owned */
	size_t change_count;
};

static void look_release(struct look *look)
{
	for (size_t i = 0; i < look->count; i++)
		free(look->refs[i].name);
	for (size_t i = 0; i < look->change_count; i++)
		free((char *)look->changes[i].name);
	free(look->refs);
	free(look->changes);
}

/* ---- refs ---- */

static int add_ref(struct look *look, const char *name, const struct oid *oid,
		   bool broken)
{
	size_t capacity = look->capacity ? 2 * look->capacity : 16;
	struct ref *refs;

	if (look->count == look->capacity) {
		refs = reallocarray(look->refs, capacity, sizeof(*refs));
		if (!refs)
			return -ENOMEM;
		look->refs = refs;
		look->capacity = capacity;
	}
	refs = &look->refs[look->count];
	*refs = (struct ref){ strdup(name), *oid, broken };
	if (!refs->name)
		return -ENOMEM;
	look->count++;
	return 0;
}

static int list_ref(void *context, const char *name, const struct oid *oid,
		    const struct oid *peeled)
{
	if (strncmp(name, HEADS, strlen(HEADS)) != 0)
		return 0;
	return add_ref(context, name + strlen(HEADS), peeled,
		       oid_is_zero(peeled) || !oid_equal(oid, peeled));
}

static int read_refs(struct engine *e, const char *name, struct look *look)
{
	struct engine_storage *s = e->storage;
	struct oid oid = { { 0 } };
	int r;

	if (!name)
		return s->ops->refs_each(s, list_ref, look);
	r = s->ops->ref_read(s, name, &oid);
	if (r == -ENOENT)
		return 0;
	return add_ref(look, name, &oid, r < 0);
}

static const struct ref *find_ref(const struct look *look, const char *name)
{
	for (size_t i = 0; i < look->count; i++)
		if (strcmp(look->refs[i].name, name) == 0)
			return &look->refs[i];
	return NULL;
}

/* ---- differences ---- */

static int add_change(struct look *look, const char *name, uint64_t branch,
		      const struct oid *seen, const struct oid *before)
{
	struct outside_change *more = reallocarray(look->changes,
			look->change_count + 1, sizeof(*more));

	if (!more)
		return -ENOMEM;
	look->changes = more;
	more[look->change_count] = (struct outside_change){
		.name = strdup(name), .branch = branch, .seen = *seen,
		.before = *before,
	};
	if (!more[look->change_count].name)
		return -ENOMEM;
	look->change_count++;
	return 0;
}

static bool has_end(const struct cut *cut, uint64_t branch)
{
	for (size_t i = 0; i < cut->count; i++)
		if (cut->records[i].branch == branch &&
		    (cut->records[i].kind == RECORD_DROP ||
		     cut->records[i].kind == RECORD_RESTORE))
			return true;
	return false;
}

/* The table does not know yet that it was dropped, and perhaps restored, for which
 * its ref is made again. */
static bool is_going(const struct engine *e, uint64_t branch)
{
	for (const struct cut *cut = e->first; cut; cut = cut->next)
		if (has_end(cut, branch))
			return true;
	return false;
}

static int compare_branch(const struct engine *e, struct look *look,
			  const struct table_branch *b)
{
	static const struct oid none;
	const struct ref *ref = find_ref(look, b->name);
	const struct oid *seen = ref ? &ref->oid : &none;

	if ((ref && ref->broken) || oid_equal(seen, &b->outside) ||
	    oid_equal(seen, &b->head) || (!ref && is_going(e, b->incarnation)))
		return 0;
	return add_change(look, b->name, b->incarnation, seen, &b->outside);
}

/* One that no branch has; ours to delete if it is as we left it. */
static int compare_ref(struct look *look, struct table *table,
		       const struct ref *ref)
{
	static const struct oid none;
	const struct table_ref *gone = table_find_gone(table, ref->name);

	if (ref->broken || table_find_name(table, ref->name) ||
	    (gone && oid_equal(&gone->outside, &ref->oid)))
		return 0;
	return add_change(look, ref->name, 0, &ref->oid, &none);
}

static int compare_locked(struct engine *e, const char *name, struct look *look)
{
	struct table *table = e->table;
	int r = 0;

	for (size_t i = 0; r == 0 && i < table->branch_count; i++) {
		const struct table_branch *b = &table->branches[i];

		if (!b->dropped && (!name || strcmp(b->name, name) == 0))
			r = compare_branch(e, look, b);
	}
	for (size_t i = 0; r == 0 && i < look->count; i++)
		r = compare_ref(look, table, &look->refs[i]);
	return r;
}

/* 1: the thread was at work meanwhile. */
static int try_look(struct engine *e, const char *name, struct look *look)
{
	uint64_t turns;
	int r;

	pthread_mutex_lock(&e->lock);
	while (e->busy && e->running)
		pthread_cond_wait(&e->done, &e->lock);
	turns = e->turns;
	pthread_mutex_unlock(&e->lock);
	r = read_refs(e, name, look);
	if (r < 0)
		return r;
	SCOPED_LOCK(&e->lock);
	if (e->turns != turns)
		return 1;
	return compare_locked(e, name, look);
}

int engine_look_outside(struct engine *engine, const char *name,
			engine_outside_visit *visit, void *context)
{
	int r = 1;

	for (int i = 0; i < TRIES && r == 1; i++) {
		scoped(look_release) struct look look = { 0 };

		r = try_look(engine, name, &look);
		for (size_t j = 0; r == 0 && j < look.change_count; j++)
			r = visit(context, &look.changes[j]);
		if (r != 1)
			return r;
	}
	return -EAGAIN;
}

bool engine_may_have_news(struct engine *e, const char *name)
{
	struct engine_storage *s = e->storage;
	const struct table_branch *b;
	const struct table_ref *gone;
	struct oid oid;

	if (s->ops->ref_read(s, name, &oid) < 0)
		return false;
	SCOPED_LOCK(&e->lock);
	b = table_find_name(e->table, name);
	gone = table_find_gone(e->table, name);
	if (b)
		return !oid_equal(&b->outside, &oid) &&
		       !oid_equal(&b->head, &oid);
	return !(gone && oid_equal(&gone->outside, &oid));
}

static bool is_busy_locked(const struct engine *e)
{
	return e->busy && e->running && !e->dead;
}

void engine_settle_refs(struct engine *engine)
{
	struct timespec until;
	uint64_t turns;
	int r = 0;
	SCOPED_LOCK(&engine->lock);

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec++;
	/* what it does now may have passed the ref already */
	while (r == 0 && is_busy_locked(engine))
		r = pthread_cond_timedwait(&engine->done, &engine->lock,
					   &until);
	turns = engine->turns;
	clock_gettime(CLOCK_MONOTONIC, &engine->tend_at);
	pthread_cond_signal(&engine->work);
	while (r == 0 && engine->running && !engine->dead &&
	       (engine->turns == turns || engine->busy))
		r = pthread_cond_timedwait(&engine->done, &engine->lock,
					   &until);
}
