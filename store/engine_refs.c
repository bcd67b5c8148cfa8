/* SPDX-License-Identifier: ISC */
#include "store/engine_private.h"

#include <errno.h>
#include <string.h>

#define TRIES 3			/* each waits for a lock by itself */
#define PAUSE_NANOSECONDS 10000000
#define TURNS 4			/* how often a ref may move under our hands */

struct run {
	struct engine *engine;
	struct table *table;
	struct stuck *stuck;
	size_t stuck_count;
	bool patient, changed, waits;
};

/* ---- one ref ---- */

static const struct stuck *find_stuck(const struct stuck *stuck, size_t count,
				      uint64_t branch)
{
	for (size_t i = 0; i < count; i++)
		if (stuck[i].branch == branch)
			return &stuck[i];
	return NULL;
}

/* git_ref_update, again for a while if another program has it locked. */
static int update(struct run *run, const char *name, const struct oid *old,
		  const struct oid *new, bool patient)
{
	const struct timespec pause = { .tv_nsec = PAUSE_NANOSECONDS };
	struct engine_storage *s = run->engine->storage;
	int r = s->ops->ref_update(s, name, old, new);

	for (int i = 1; r == -EBUSY && patient && i < TRIES; i++) {
		nanosleep(&pause, NULL);
		r = s->ops->ref_update(s, name, old, new);
	}
	return r;
}

bool engine_ref_is(struct engine *e, const char *name, const struct oid *oid)
{
	struct oid seen;

	return e->storage->ops->ref_read(e->storage, name, &seen) == 0 &&
	       oid_equal(&seen, oid);
}

/* What the ref is now; zero: it is not there. */
static int read_ref(struct run *run, const char *name, struct oid *ret)
{
	struct engine_storage *s = run->engine->storage;
	int r = s->ops->ref_read(s, name, ret);

	if (r == -ENOENT) {
		*ret = (struct oid){ 0 };
		return 0;
	}
	return r;
}

static int explain(const struct table_branch *b, int error, struct report *why)
{
	if (error == -EAGAIN)
		return report_set(why, error, "git is at work in the folder of "
			"branch %s: what was committed meanwhile is safe in the "
			"store, and comes to refs/heads/%s when git is done",
			b->name, b->name);
	if (error == -EBUSY)
		return report_set(why, error, "refs/heads/%s is locked by "
			"another program (if none runs, remove %s.lock); its "
			"commits are safe and it is tried again", b->name,
			b->name);
	if (error == -EEXIST)
		return report_set(why, error, "refs/heads/%s cannot be made "
			"beside a ref that another program made: one name is a "
			"folder of the other; rename or delete one of them; "
			"its commits are safe in the store", b->name);
	if (error == -EUCLEAN)
		return report_set(why, error, "refs/heads/%s is damaged; remove "
			"that file and it is written again; its commits are "
			"safe in the store", b->name);
	return report_set(why, error, "refs/heads/%s cannot be written: %s; its "
		"commits are safe in the store and it is tried again", b->name,
		strerror(-error));
}

static bool moved_inside(struct run *run, const struct table_branch *b,
			 const struct oid *seen)
{
	const struct engine_insider *insider = &run->engine->insider;

	return insider->moved && insider->moved(insider->context,
						b->incarnation, &b->outside,
						seen);
}

/* Another program moved the ref of b.  1: to our head, all is well; 0: what it
 * did is part of ours, or it was deleted: to be overwritten; b->outside is what
 * is there.  Negative: not ours to overwrite. */
static int take_over(struct run *run, struct table_branch *b, struct report *why)
{
	struct engine_storage *s = run->engine->storage;
	struct oid seen;
	bool inside;
	int r = read_ref(run, b->name, &seen);

	if (r < 0)
		return explain(b, r, why);
	if (oid_equal(&seen, &b->head)) {
		b->outside = seen;
		return 1;
	}
	/* set back on purpose, which is followed soon */
	inside = moved_inside(run, b, &seen);
	if (inside && s->ops->is_ancestor(s, &seen, &b->outside) == 1)
		return explain(b, -EAGAIN, why);
	if (oid_is_zero(&seen)) {
		log_warning("branch %s was deleted outside while it was changed "
			    "here: it is made again", b->name);
	} else {
		r = s->ops->is_ancestor(s, &seen, &b->head);
		if (r <= 0 && inside)
			return explain(b, -EAGAIN, why);
		if (r <= 0)
			return report_set(why, -ESTALE, "refs/heads/%s was moved "
				"by another program; the commits made here are "
				"safe in the store, and are merged with it as "
				"soon as that is possible", b->name);
	}
	b->outside = seen;
	return 0;
}

/* Makes the ref of b its head.  0 or why not. */
static int write_ref(struct run *run, struct table_branch *b, struct report *why)
{
	const struct engine *e = run->engine;
	bool patient = run->patient &&
		!find_stuck(e->stuck, e->stuck_count, b->incarnation);
	int r = -ESTALE;

	if (e->insider.is_held &&
	    e->insider.is_held(e->insider.context, b->incarnation))
		return explain(b, -EAGAIN, why);
	for (int turn = 0; r == -ESTALE && turn < TURNS; turn++) {
		r = update(run, b->name, &b->outside, &b->head, patient);
		if (r == 0)
			b->outside = b->head;
		if (r != -ESTALE)
			break;
		r = take_over(run, b, why);
		if (r < 0)
			return r;
		r = r ? 0 : -ESTALE;
	}
	/* it moves all the time: as good as locked */
	return r < 0 ? explain(b, r == -ESTALE ? -EBUSY : r, why) : 0;
}

/* Deletes a ref that no branch has any more; returns whether that is over. */
static bool delete_ref(struct run *run, struct table_ref *ref)
{
	static const struct oid none;
	struct engine_storage *s = run->engine->storage;
	int r = -ESTALE;

	for (int turn = 0; r == -ESTALE && turn < TURNS; turn++) {
		struct oid seen;

		if (oid_is_zero(&ref->outside))
			return true;
		r = update(run, ref->name, &ref->outside, &none, run->patient);
		if (r != -ESTALE)
			break;
		if (read_ref(run, ref->name, &seen) < 0)
			return false;
		/* set back: nothing in it that our branch has not */
		if (!oid_is_zero(&seen) &&
		    s->ops->is_ancestor(s, &seen, &ref->outside) <= 0) {
			log_warning("refs/heads/%s was moved by another program "
				    "when its branch was dropped or renamed "
				    "here: the ref stays, and is a branch again "
				    "at the next mount", ref->name);
			return true;
		}
		ref->outside = seen;
	}
	return r == 0;
}

/* ---- all refs ---- */

/* Notes that b's ref cannot be written, and says so unless it was said. */
static void note_stuck(struct run *run, const struct table_branch *b, int error,
		       const struct report *why)
{
	const struct engine *e = run->engine;
	const struct stuck *before = find_stuck(e->stuck, e->stuck_count,
						b->incarnation);
	struct stuck *more;

	run->waits = true;
	if (error != -EAGAIN && (!before || before->error != error))
		log_warning("%s", why->text);
	more = realloc(run->stuck, (run->stuck_count + 1) * sizeof(*more));
	if (!more)
		return;
	run->stuck = more;
	more[run->stuck_count++] = (struct stuck){
		.branch = b->incarnation, .error = error, .why = *why,
	};
}

static void write_heads(struct run *run)
{
	for (size_t i = 0; i < run->table->branch_count; i++) {
		struct table_branch *b = &run->table->branches[i];
		struct oid before = b->outside;
		struct report why = { "" };
		int r;

		if (b->dropped || oid_equal(&b->head, &b->outside))
			continue;
		r = write_ref(run, b, &why);
		if (r < 0)
			note_stuck(run, b, r, &why);
		if (!oid_equal(&before, &b->outside))
			run->changed = true;
	}
}

/* Whether the ref stands in the way of one that is to be made. */
static bool is_in_the_way(const struct table *table, const char *name)
{
	for (size_t i = 0; i < table->branch_count; i++) {
		const struct table_branch *b = &table->branches[i];

		if (!b->dropped && oid_is_zero(&b->outside) &&
		    table_names_clash(b->name, name))
			return true;
	}
	return false;
}

static void delete_refs(struct run *run, bool only_in_the_way)
{
	struct table *table = run->table;

	for (size_t i = table->gone_count; i-- > 0;) {
		struct table_ref *ref = &table->gone[i];

		if (only_in_the_way && !is_in_the_way(table, ref->name))
			continue;
		if (delete_ref(run, ref)) {
			table_remove_gone(table, ref);
			run->changed = true;
		}
	}
}

/* HEAD follows the branch that it named, unless somebody else changed it. */
static void write_head(struct run *run)
{
	struct engine_storage *s = run->engine->storage;
	struct table *table = run->table;
	scoped_free char *head = NULL;
	int r;

	if (!table->head_from)
		return;
	r = s->ops->head_read(s, &head);
	if (r == 0 && strcmp(head, table->head_from) == 0)
		r = s->ops->head_set(s, table->head_to);
	if (r < 0 && r != -ENOENT) {
		if (!run->engine->head_waits)
			log_warning("HEAD cannot be made to follow branch %s to "
				    "its new name %s yet: %s", table->head_from,
				    table->head_to, strerror(-r));
		run->engine->head_waits = true;
		run->waits = true;
		return;
	}
	free(table->head_from);
	free(table->head_to);
	table->head_from = table->head_to = NULL;
	run->engine->head_waits = false;
	run->changed = true;
}

void engine_write_refs(struct engine *e, struct table *table, bool patient)
{
	struct run run = { .engine = e, .table = table, .patient = patient };
	struct stuck *old;

	delete_refs(&run, true);
	write_heads(&run);
	write_head(&run);
	delete_refs(&run, false);
	if (table->gone_count > e->deletions_wait)
		log_warning("refs/heads/%s cannot be deleted yet: it is tried "
			    "again", table->gone[0].name);
	e->deletions_wait = table->gone_count;
	e->refs_wait = run.waits || table->gone_count;
	if (run.changed)
		e->unrecorded = true;
	if (e->stuck_count)
		e->pins_loose = true;
	pthread_mutex_lock(&e->lock);
	old = e->stuck;
	e->stuck = run.stuck;
	e->stuck_count = run.stuck_count;
	pthread_mutex_unlock(&e->lock);
	free(old);
}
