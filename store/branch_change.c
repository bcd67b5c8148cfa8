/* SPDX-License-Identifier: ISC */
#include "store/store_private.h"

#include <errno.h>

/* Branches made, forked, renamed, swapped, dropped and restored.  Each is one
 * durable cut, queued under store->lock together with the change in memory;
 * whatever can fail in memory is done before the cut is queued. */

/* ---- checks before the lock ---- */

/* A name that a work tree outside has checked out (HEAD may name a branch that
 * does not exist yet) is not ours to fill. */
static int check_not_checked_out(struct store *store, const char *name,
				 struct report *report)
{
	scoped_free char *folder = NULL;

	if (store->options.force || git_branch_check_name(name))
		return 0;
	folder = git_branch_checked_out(store->repo, name);
	if (!folder)
		return 0;
	return report_set(report, -EROFS, "The name %s is checked out in %s; "
			  "mount with -o force to use it all the same.", name,
			  folder);
}

static int check_new(struct store *store, const char *name,
		     struct report *report)
{
	int r = store_check_writable(store, report);

	return r ? r : check_not_checked_out(store, name, report);
}

static int check_live_locked(struct branch *b, struct report *report)
{
	if (!b->dropped && !b->gone)
		return 0;
	return report_set(report, -ENOENT, "Branch %s was dropped.", b->name);
}

/* After the lock: tell who looks at the names, wait for the disk. */
static int finish(struct store *store, const char *name, uint64_t sequence,
		  struct report *report)
{
	int r;

	store_names_changed(store, name);
	r = engine_wait(store->engine, sequence);
	if (!r)
		return 0;
	store_notice_death(store);
	return report_set(report, r, "The change of %s is not yet on disk and "
			  "is tried again: %s.", name, strerror(-r));
}

/* ---- new branches ---- */

static int insert_new_locked(struct store *store, const char *name,
			     struct branch **ret, struct report *report)
{
	struct branch *b;
	int r = store_check_name_locked(store, name, NULL, report);

	if (r)
		return r;
	b = branch_new(store, engine_new_incarnation(store->engine), name);
	if (!b)
		return -ENOMEM;
	r = store_insert_locked(store, b);
	if (r) {
		branch_unref(b);
		return r;
	}
	*ret = b;
	return 0;
}

/* The fork of a branch that is as it is in Git begins with that head, so that
 * its files can be read without waiting for anything to be published. */
static int fork_locked(struct branch *from, struct branch *b,
		       const struct identity *identity, struct record *record,
		       uint64_t *ret_sequence)
{
	bool captured, is_known = branch_is_published(from, &b->head);
	int r;

	b->time = from->time;
	b->local = from->local;
	r = branch_cut(from, identity, NULL, record, b, ret_sequence,
		       &captured);
	if (r || !is_known || captured)
		b->head = (struct oid){ 0 };
	return r;
}

/* The record's kind and source are set; the branch and its name come here. */
static int new_branch_locked(struct store *store, struct branch *from,
			     const char *name, const struct identity *identity,
			     struct record *record, uint64_t *ret_sequence,
			     struct report *report)
{
	struct branch *b;
	int r = insert_new_locked(store, name, &b, report);

	if (r) {
		records_release(record, 1);
		return r;
	}
	record->branch = b->incarnation;
	record->name = strdup(name);
	if (!record->name) {
		records_release(record, 1);
		r = -ENOMEM;
	} else if (from) {
		r = fork_locked(from, b, identity, record, ret_sequence);
	} else {
		r = store_queue(store, record, 1, &b, 1, ret_sequence);
	}
	if (r) {
		store_remove_locked(store, b, 0);
		/* nobody saw it: nothing to free but memory */
		branch_unref(b);
	}
	return r;
}

int store_make(struct store *store, const char *name,
	       const struct caller *caller, struct report *report)
{
	scoped(identity_release) struct identity identity = { 0 };
	struct record record = { .kind = RECORD_MAKE };
	uint64_t sequence;
	int r = check_new(store, name, report);

	if (!r)
		r = identity_init(&identity, store, caller);
	if (!r)
		r = commit_compose(NULL, &identity, "Make an empty branch",
				   NULL, &record.commit);
	if (r)
		return r;
	pthread_mutex_lock(&store->lock);
	r = new_branch_locked(store, NULL, name, &identity, &record, &sequence,
			      report);
	pthread_mutex_unlock(&store->lock);
	return r ? r : finish(store, name, sequence, report);
}

int store_fork(struct store *store, struct branch *from, const char *name,
	       const struct caller *caller, struct report *report)
{
	scoped(identity_release) struct identity identity = { 0 };
	struct record record = {
		.kind = RECORD_FORK,
		.from = from->incarnation,
	};
	uint64_t sequence;
	int r = check_new(store, name, report);

	if (!r)
		r = identity_init(&identity, store, caller);
	if (r)
		return r;
	outside_catch_up(store, from);
	store_flush_mappings(store, from);
	pthread_mutex_lock(&store->lock);
	r = check_live_locked(from, report);
	if (!r)
		r = new_branch_locked(store, from, name, &identity, &record,
				      &sequence, report);
	pthread_mutex_unlock(&store->lock);
	return r ? r : finish(store, name, sequence, report);
}

int store_fork_commit(struct store *store, const struct oid *commit,
		      const char *name, const struct caller *caller,
		      struct report *report)
{
	int r = check_not_checked_out(store, name, report);

	return r ? r : store_adopt_commit(store, commit, name, report);
}

int store_adopt_commit(struct store *store, const struct oid *commit,
		       const char *name, struct report *report)
{
	struct record record = { .kind = RECORD_FORK, .oid = *commit };
	enum object_type type;
	uint64_t sequence;
	int r = store_check_writable(store, report);

	if (!r)
		r = odb_read_header(store->odb, commit, &type, NULL);
	if (!r && type != OBJECT_COMMIT)
		r = -EUCLEAN;
	if (r)
		return r;
	pthread_mutex_lock(&store->lock);
	r = new_branch_locked(store, NULL, name, NULL, &record, &sequence,
			      report);
	pthread_mutex_unlock(&store->lock);
	return r ? r : finish(store, name, sequence, report);
}

/* ---- rename ---- */

/* Reports of conflicts say their target's name.  Without memory the old one
 * stays: they go by the incarnation. */
static void rename_in_reports_locked(struct branch *target)
{
	struct branch *b, *next;

	HASH_ITER(hh, target->store->branches, b, next) {
		struct conflict_report *report =
			branch_report_locked(b, target->incarnation);
		char *name = report ? strdup(target->name) : NULL;

		if (name) {
			free(report->target_name);
			report->target_name = name;
		}
	}
}

/* The branch has both names until the cut is queued. */
static int rename_locked(struct branch *b, const char *name,
			 const struct identity *identity,
			 uint64_t *ret_sequence, struct report *report)
{
	struct record record = {
		.kind = RECORD_RENAME,
		.branch = b->incarnation,
		.name = strdup(name),
	};
	struct name *entry = name_new(name);
	int r = record.name && entry ?
		name_insert_locked(b->store, entry, b) : -ENOMEM;

	if (r) {
		records_release(&record, 1);
		name_free(entry);
		return r;
	}
	r = branch_cut(b, identity, NULL, &record, NULL, ret_sequence,
		       NULL);
	if (r) {
		name_remove_locked(b->store, entry);
		name_free(entry);
		return r;
	}
	name_remove_locked(b->store, b->entry);
	name_free(b->entry);
	b->entry = entry;
	b->name = entry->text;
	rename_in_reports_locked(b);
	return 0;
}

static int rename_checked(struct branch *b, const char *name,
			  const struct identity *identity, char **ret_old,
			  uint64_t *ret_sequence, struct report *report)
{
	struct store *store = b->store;
	scoped_free char *old = NULL;
	int r;

	SCOPED_LOCK(&store->lock);
	r = check_live_locked(b, report);
	if (!r)
		r = store_check_name_locked(store, name, b, report);
	if (r)
		return r;
	*ret_sequence = b->sequence;
	if (!strcmp(b->name, name))
		return 0;
	old = strdup(b->name);
	if (!old)
		return -ENOMEM;
	r = rename_locked(b, name, identity, ret_sequence, report);
	if (!r)
		*ret_old = STEAL(old);
	return r;
}

int store_rename(struct store *store, struct branch *b, const char *name,
		 const struct caller *caller, struct report *report)
{
	scoped(identity_release) struct identity identity = { 0 };
	scoped_free char *old = NULL;
	uint64_t sequence;
	int r = branch_check_writable(b, report);

	if (!r)
		r = check_new(store, name, report);
	if (!r)
		r = identity_init(&identity, store, caller);
	if (r)
		return r;
	r = store_lock_merging(store, report);
	if (r)
		return r;
	r = rename_checked(b, name, &identity, &old, &sequence, report);
	pthread_mutex_unlock(&store->merging);
	if (r || !old)
		return r;
	store_names_changed(store, old);
	r = finish(store, name, sequence, report);
	store_branch_moved(store, b, name);
	return r;
}

/* ---- swap ---- */

static void swap_names_locked(struct branch *a, struct branch *b)
{
	struct name *entry = a->entry;

	a->entry = b->entry;
	b->entry = entry;
	a->entry->branch = a;
	b->entry->branch = b;
	a->name = a->entry->text;
	b->name = b->entry->text;
	rename_in_reports_locked(a);
	rename_in_reports_locked(b);
}

static int swap_locked(struct branch *a, struct branch *b,
		       const struct identity *identity, uint64_t *ret_sequence)
{
	struct record record = {
		.kind = RECORD_SWAP,
		.branch = a->incarnation,
		.from = b->incarnation,
	};
	int r = branch_cut(b, identity, NULL, NULL, NULL, ret_sequence, NULL);

	if (!r)
		r = branch_cut(a, identity, NULL, &record, b, ret_sequence,
			       NULL);
	if (!r)
		swap_names_locked(a, b);
	return r;
}

static int swap_checked(struct branch *a, struct branch *b,
			const struct identity *identity, char **ret_names,
			uint64_t *ret_sequence, struct report *report)
{
	int r;

	SCOPED_LOCK(&a->store->lock);
	r = check_live_locked(a, report);
	if (!r)
		r = check_live_locked(b, report);
	if (r)
		return r;
	ret_names[0] = strdup(a->name);
	ret_names[1] = strdup(b->name);
	if (!ret_names[0] || !ret_names[1])
		return -ENOMEM;
	return swap_locked(a, b, identity, ret_sequence);
}

int store_swap(struct store *store, struct branch *a, struct branch *b,
	       const struct caller *caller, struct report *report)
{
	scoped(identity_release) struct identity identity = { 0 };
	char *names[2] = { NULL, NULL };
	uint64_t sequence;
	int r = branch_check_writable(a, report);

	if (!r)
		r = branch_check_writable(b, report);
	if (r || a == b)
		return r;
	r = identity_init(&identity, store, caller);
	if (!r)
		r = store_lock_merging(store, report);
	if (r)
		return r;
	r = swap_checked(a, b, &identity, names, &sequence, report);
	pthread_mutex_unlock(&store->merging);
	if (!r) {
		store_names_changed(store, names[0]);
		r = finish(store, names[1], sequence, report);
		store_branch_moved(store, a, names[1]);
		store_branch_moved(store, b, names[0]);
	}
	free(names[0]);
	free(names[1]);
	return r;
}

/* ---- drop and restore ---- */

/* A branch that HEAD of a work tree outside names would leave that without a
 * commit, so even force does not drop it. */
static int check_droppable(struct branch *b, struct report *report)
{
	scoped_free char *name = branch_name(b), *folder = NULL;

	if (!name)
		return -ENOMEM;
	folder = git_branch_checked_out(b->store->repo, name);
	if (!folder)
		return 0;
	return report_set(report, -EBUSY, "Branch %s is checked out in %s; "
			  "check out another branch there first.", name,
			  folder);
}

static int drop_checked(struct branch *b, const struct identity *identity,
			char **ret_name, uint64_t *ret_sequence,
			struct report *report)
{
	struct store *store = b->store;
	struct record record = {
		.kind = RECORD_DROP,
		.branch = b->incarnation,
	};
	int r;

	SCOPED_LOCK(&store->lock);
	r = check_live_locked(b, report);
	if (r)
		return r;
	*ret_name = strdup(b->name);
	if (!*ret_name)
		return -ENOMEM;
	/* From here on nothing can change that the cut would miss. */
	branch_refuse(b, -ENOENT);
	r = branch_cut(b, identity, NULL, &record, NULL, ret_sequence,
		       NULL);
	if (r)
		branch_refuse(b, 0);
	else
		store_remove_locked(store, b, store_now(store));
	return r;
}

int store_drop(struct store *store, struct branch *b,
	       const struct caller *caller, struct report *report)
{
	scoped(identity_release) struct identity identity = { 0 };
	scoped_free char *name = NULL;
	uint64_t sequence;
	int r = store_check_writable(store, report);

	if (!r)
		r = check_droppable(b, report);
	if (!r)
		r = identity_init(&identity, store, caller);
	if (r)
		return r;
	store_flush_mappings(store, b);
	r = store_lock_merging(store, report);
	if (r)
		return r;
	r = drop_checked(b, &identity, &name, &sequence, report);
	pthread_mutex_unlock(&store->merging);
	return r ? r : finish(store, name, sequence, report);
}

struct branch *store_last_dropped_locked(struct store *store, const char *name)
{
	struct branch *b, *next, *last = NULL;

	HASH_ITER(hh, store->branches, b, next) {
		if (!b->dropped || strcmp(b->name, name))
			continue;
		if (!last || b->dropped > last->dropped ||
		    (b->dropped == last->dropped &&
		     b->incarnation > last->incarnation))
			last = b;
	}
	return last;
}

/* The old entry, which is in no hash, gives way to the new one. */
static int restore_locked(struct branch *b, const char *as,
			  uint64_t *ret_sequence)
{
	struct store *store = b->store;
	struct record record = {
		.kind = RECORD_RESTORE,
		.branch = b->incarnation,
		.name = strdup(as),
	};
	struct name *entry = name_new(as);
	int r = record.name && entry ?
		name_insert_locked(store, entry, b) : -ENOMEM;

	if (r) {
		records_release(&record, 1);
		name_free(entry);
		return r;
	}
	r = store_queue(store, &record, 1, &b, 1, ret_sequence);
	if (r) {
		name_remove_locked(store, entry);
		name_free(entry);
		return r;
	}
	name_free(b->entry);
	b->entry = entry;
	b->name = entry->text;
	b->dropped = 0;
	branch_refuse(b, 0);
	return 0;
}

static int restore_checked(struct store *store, const char *name,
			   const char *as, uint64_t *ret_sequence,
			   struct report *report)
{
	struct branch *b;
	int r;

	SCOPED_LOCK(&store->lock);
	b = store_last_dropped_locked(store, name);
	if (!b)
		return report_set(report, -ENOENT, "No branch %.200s was "
				  "dropped in the last 30 days.", name);
	r = store_check_name_locked(store, as, NULL, report);
	return r ? r : restore_locked(b, as, ret_sequence);
}

int store_restore(struct store *store, const char *name, const char *as,
		  const struct caller *caller, struct report *report)
{
	uint64_t sequence;
	int r;

	if (!as)
		as = name;
	r = check_new(store, as, report);
	if (!r)
		r = restore_checked(store, name, as, &sequence, report);
	return r ? r : finish(store, as, sequence, report);
}
