/* SPDX-License-Identifier: ISC */
#include "store/engine_local.h"
#include "store/engine_ref_list.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The table and the refs may differ when a store is opened: because we were
 * killed between the table and the refs, or because others changed refs while
 * nobody had the store.  `outside` tells which: it is what a ref was when we
 * last saw or wrote it.
 *
 * Doing this twice, or dying anywhere and doing it again, gives the same: only
 * the table changes here, and what is decided from refs is what the table then
 * expects of them. */

/* ---- branches of the table ---- */

struct work {
	struct engine *engine;
	struct table *table;
	struct ref_list refs;
	struct odb *stage;	/* of local faces, or NULL */
	bool changed;
};

static void set_outside(struct work *work, struct table_branch *b,
			const struct oid *outside)
{
	if (oid_equal(&b->outside, outside))
		return;
	b->outside = *outside;
	work->changed = true;
}

/* What fails here is found out when the face is read: its rows know what they
 * are about. */
static void follow_local(struct work *work, struct table_branch *b,
			 const struct oid *head, struct delta *delta)
{
	struct engine *e = work->engine;
	struct oid before = b->local;
	struct timespec now;

	e->clock(&now);
	if (!e->readonly &&
	    engine_local_move(e, &work->stage, b, head, delta, &now) < 0)
		b->local = before;
}

static void adopt_with(struct work *work, struct table_branch *b,
		       const struct oid *head, struct delta *delta)
{
	follow_local(work, b, head, delta);
	b->head = b->outside = *head;
	work->changed = true;
}

static void adopt(struct work *work, struct table_branch *b,
		  const struct oid *head)
{
	adopt_with(work, b, head, NULL);
}

/* The branch becomes what its ref was moved to.  Where that would cover something
 * that Git does not have, or nobody can tell, nothing changes, as if it had moved
 * just now: who mounts the store gives what was pushed a name (store/outside.c).
 * must: there is nothing else that the branch could be. */
static int move_on(struct work *work, struct table_branch *b,
		   const struct oid *head, bool must)
{
	scoped_delta struct delta *delta = NULL;
	struct engine *e = work->engine;
	int r = engine_local_meet(e, b, head, &delta);

	if (r == -EEXIST && !must && e->readonly)
		log_warning("branch %s was moved by another program to what is "
			    "in the way of files that Git does not have, and "
			    "shows what it was before: mount it writable once",
			    b->name);
	if (r < 0 && !must)
		return 0;
	if (r == -EEXIST)
		log_error("in branch %s files that Git has replace some that it "
			  "did not have", b->name);
	else if (r < 0)
		return r;
	adopt_with(work, b, head, delta);
	return 0;
}

/* Whether no branch and no ref has that name, or one that clashes with it. */
static bool is_free(const struct work *work, const char *name)
{
	for (size_t i = 0; i < work->table->branch_count; i++) {
		const struct table_branch *b = &work->table->branches[i];

		if (!b->dropped && (strcmp(b->name, name) == 0 ||
				    table_names_clash(b->name, name)))
			return false;
	}
	for (size_t i = 0; i < work->refs.count; i++) {
		const char *other = work->refs.refs[i].name;

		if (strcmp(other, name) == 0 || table_names_clash(other, name))
			return false;
	}
	return true;
}

/* NAME.mine-N, the first that is free; flat: with dashes for NAME's slashes,
 * because one of its folders is in the way.  NULL: no memory. */
static char *name_of_mine(const struct work *work, const char *name, bool flat)
{
	scoped_free char *stem = strdup(name);

	if (!stem)
		return NULL;
	for (char *p = stem; flat && *p; p++)
		if (*p == '/')
			*p = '-';
	for (unsigned int n = 1;; n++) {
		char *mine;

		if (asprintf(&mine, "%s.mine-%u", stem, n) < 0)
			return NULL;
		if (is_free(work, mine))
			return mine;
		free(mine);
	}
}

/* Both sides went their own way, and nobody can merge them: we are read-only, or
 * history is damaged.  The name goes to the other side, which clones and pushes
 * know by it; ours gets a name beside it. */
static int split(struct work *work, uint64_t incarnation, const struct oid *seen)
{
	struct table_branch *b = table_find(work->table, incarnation);
	scoped_free char *mine = name_of_mine(work, b->name, false);
	struct oid ours = b->head, local = b->local;

	if (!mine)
		return -ENOMEM;
	log_warning("branch %s was changed here and outside while it was not "
		    "mounted: it is what the other program made of it, and the "
		    "commits made here are branch %s; merge them", b->name, mine);
	adopt(work, b, seen);
	b = table_add(work->table, work->table->next_incarnation, mine, &ours);
	if (!b)
		return -ENOMEM;
	b->local = local;
	work->table->next_incarnation++;
	return 0;
}

/* The ref is gone. */
static void lose_ref(struct work *work, struct table_branch *b)
{
	static const struct oid none;
	struct timespec now;

	if (!oid_equal(&b->head, &b->outside)) {
		if (!oid_is_zero(&b->outside))
			log_warning("branch %s was deleted outside, but has "
				    "commits of this store: it is made again",
				    b->name);
		set_outside(work, b, &none);
		return;
	}
	log_warning("branch %s was deleted outside: it counts as dropped and "
		    "can be restored", b->name);
	work->engine->clock(&now);
	b->dropped = now.tv_sec > 0 ? now.tv_sec : 1;
	set_outside(work, b, &none);
}

/* 0, or why the commit cannot be read. */
static int check_commit(struct engine *e, const struct oid *oid)
{
	enum object_type type;
	int r = odb_read_header(e->odb, oid, &type, NULL);

	return r == 0 && type != OBJECT_COMMIT ? -EUCLEAN : r;
}

static bool has_same_tree(struct engine *e, const struct oid *a,
			  const struct oid *b)
{
	struct commit *x = NULL, *y = NULL;
	bool same = commit_read(e->odb, a, &x) == 0 &&
		    commit_read(e->odb, b, &y) == 0 &&
		    oid_equal(&x->tree, &y->tree);

	commit_free(x);
	commit_free(y);
	return same;
}

/* 1: our head is lost, but not what its ref has: somebody collected garbage after
 * we were killed between table and refs, or the disk is damaged.  Going back is
 * all that is left.  Otherwise 0, or why it cannot be found out. */
static int must_go_back(struct work *work, const struct table_branch *b,
			const struct oid *seen)
{
	char hex[OID_HEX_SIZE], seen_hex[OID_HEX_SIZE];
	int r = check_commit(work->engine, &b->head);

	if (r == 0 || engine_is_transient(r))
		return r;
	r = check_commit(work->engine, seen);
	if (r < 0)
		return engine_is_transient(r) ? r : 0;
	log_error("the newest commit %s of branch %s is lost: the branch is what "
		  "refs/heads/%s has, %s", oid_hex(&b->head, hex), b->name,
		  b->name, oid_hex(seen, seen_hex));
	return 1;
}

/* Whether git in the branch's folder led its ref there from what we wrote last: that
 * may be the head, as the table is recorded before its refs are written. */
static bool is_from_inside(struct engine *e, struct table_branch *b,
			   const struct oid *seen)
{
	const struct engine_insider *insider = &e->insider;

	if (!insider->moved)
		return false;
	if (insider->moved(insider->context, b->incarnation, &b->outside, seen))
		return true;
	if (!insider->moved(insider->context, b->incarnation, &b->head, seen))
		return false;
	b->outside = b->head;
	return true;
}

/* What git made of the branch in its folder, when we died before we followed: it
 * never takes files away by itself, so going back to an older commit does not
 * count, and a commit of the files that we committed too is the one to keep.
 * Otherwise who opens the store finds out which files are newer
 * (store/inside_recover.c).  True: that settles it. */
static bool settle_inside(struct work *work, struct table_branch *b,
			  const struct oid *seen)
{
	struct engine_storage *s = work->engine->storage;
	struct oid before = b->outside;

	if (!is_from_inside(work->engine, b, seen))
		return false;
	work->changed |= !oid_equal(&before, &b->outside);
	if (has_same_tree(work->engine, seen, &b->head)) {
		adopt(work, b, seen);
		return true;
	}
	if (s->ops->is_ancestor(s, seen, &b->head) != 1)
		return !work->engine->readonly;
	log_warning("git set branch %s back in its folder, and was not followed "
		    "before the store was closed: the branch stays", b->name);
	set_outside(work, b, seen);
	return true;
}

static int reconcile_branch(struct work *work, uint64_t incarnation)
{
	struct table_branch *b = table_find(work->table, incarnation);
	struct engine_storage *s = work->engine->storage;
	const struct listed_ref *ref = ref_list_find(&work->refs, b->name);
	int r;

	if (!ref) {
		lose_ref(work, b);
		return 0;
	}
	/* broken: engine_write_refs finds out and says so, if it must write */
	if (oid_is_zero(&ref->oid))
		return 0;
	if (oid_equal(&ref->oid, &b->head)) {
		set_outside(work, b, &ref->oid);
		return 0;
	}
	r = must_go_back(work, b, &ref->oid);
	if (r < 0)
		return r;
	if (r)
		return move_on(work, b, &ref->oid, true);
	if (oid_equal(&ref->oid, &b->outside) ||
	    settle_inside(work, b, &ref->oid))
		return 0;
	r = oid_equal(&b->head, &b->outside) ? 1 :
		s->ops->is_ancestor(s, &b->head, &ref->oid);
	if (r == 1)
		return move_on(work, b, &ref->oid, false);
	if (!engine_is_transient(r)) {
		int back = s->ops->is_ancestor(s, &ref->oid, &b->head);

		r = back ? back : r;
	}
	if (engine_is_transient(r))
		return r;
	if (r == 1) {
		set_outside(work, b, &ref->oid);
		return 0;
	}
	/* As if it had moved just now: who mounts the store merges both
	 * (store/outside.c).  Until then the ref stays what it is and the pin
	 * keeps ours, however often we die. */
	if (r == 0 && !work->engine->readonly)
		return 0;
	return split(work, incarnation, &ref->oid);
}

/* Incarnations of branches that are live now: the loop below adds some. */
static int live_branches(const struct table *table, uint64_t **ret,
			 size_t *ret_count)
{
	uint64_t *live = calloc(table->branch_count + 1, sizeof(*live));
	size_t n = 0;

	if (!live)
		return -ENOMEM;
	for (size_t i = 0; i < table->branch_count; i++)
		if (!table->branches[i].dropped)
			live[n++] = table->branches[i].incarnation;
	*ret = live;
	*ret_count = n;
	return 0;
}

static int reconcile_branches(struct work *work)
{
	scoped_free uint64_t *live = NULL;
	size_t count;
	int r = live_branches(work->table, &live, &count);

	for (size_t i = 0; r == 0 && i < count; i++)
		r = reconcile_branch(work, live[i]);
	return r;
}

/* ---- refs that no branch has ---- */

/* A branch dropped here or outside, whose ref is back as it was. */
static struct table_branch *find_dropped(struct table *table,
					 const struct listed_ref *ref)
{
	for (size_t i = table->branch_count; i-- > 0;) {
		struct table_branch *b = &table->branches[i];

		if (b->dropped && strcmp(b->name, ref->name) == 0 &&
		    oid_equal(&b->head, &ref->oid))
			return b;
	}
	return NULL;
}

static int adopt_ref(struct work *work, const struct listed_ref *ref)
{
	struct table *table = work->table;
	struct table_ref *gone = table_find_gone(table, ref->name);
	struct table_branch *b;

	/* ours to delete, as long as nobody moved it */
	if (gone && (oid_is_zero(&ref->oid) ||
		     oid_equal(&gone->outside, &ref->oid)))
		return 0;
	if (gone)
		table_remove_gone(table, gone);
	if (oid_is_zero(&ref->oid))
		return 0;
	b = find_dropped(table, ref);
	if (!b) {
		b = table_add(table, table->next_incarnation, ref->name,
			      &ref->oid);
		if (!b)
			return -ENOMEM;
		table->next_incarnation++;
	}
	b->dropped = 0;
	adopt(work, b, &ref->oid);
	return 0;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int adopt_refs(struct work *work)
{
	struct table *table = work->table;
	scoped_free const char **live =
		calloc(table->branch_count + 1, sizeof(*live));
	size_t count = 0;
	int r = 0;

	if (!live)
		return -ENOMEM;
	for (size_t i = 0; i < table->branch_count; i++)
		if (!table->branches[i].dropped)
			live[count++] = table->branches[i].name;
	if (count)
		qsort(live, count, sizeof(*live), by_text);
	for (size_t i = 0; r == 0 && i < work->refs.count; i++) {
		const struct listed_ref *ref = &work->refs.refs[i];

		if (!count || !bsearch(&ref->name, live, count, sizeof(*live),
				       by_text))
			r = adopt_ref(work, ref);
	}
	return r;
}

/* Refs to be deleted that somebody has deleted already. */
static void forget_gone(struct work *work)
{
	struct table *table = work->table;

	for (size_t i = table->gone_count; i-- > 0;) {
		if (ref_list_find(&work->refs, table->gone[i].name))
			continue;
		table_remove_gone(table, &table->gone[i]);
		work->changed = true;
	}
}

/* ---- names that cannot be side by side ---- */

/* A ref that stays and keeps a ref of that name from being made. */
static bool has_clash(const struct work *work, const char *name)
{
	for (size_t i = 0; i < work->refs.count; i++)
		if (table_names_clash(work->refs.refs[i].name, name) &&
		    !table_find_gone(work->table, work->refs.refs[i].name))
			return true;
	return false;
}

/* A branch made here that was not written as a ref yet, and a folder or branch
 * of that name made outside: ours gets another name. */
static int rename_clashing(struct work *work)
{
	for (size_t i = 0; i < work->table->branch_count; i++) {
		struct table_branch *b = &work->table->branches[i];
		char *mine;

		if (b->dropped || !oid_is_zero(&b->outside) ||
		    !has_clash(work, b->name))
			continue;
		mine = name_of_mine(work, b->name, true);
		if (!mine)
			return -ENOMEM;
		log_warning("branch %s cannot be beside a branch that another "
			    "program made: it is now branch %s", b->name, mine);
		free(b->name);
		b->name = mine;
		work->changed = true;
	}
	return 0;
}

/* ---- everything ---- */

static void check_heads(struct engine *e, const struct table *table)
{
	for (size_t i = 0; i < table->branch_count; i++) {
		const struct table_branch *b = &table->branches[i];
		char hex[OID_HEX_SIZE];
		int r = check_commit(e, &b->head);

		if (r < 0)
			log_error("%s %s is damaged: its commit %s cannot be "
				  "read: %s", b->dropped ? "dropped branch"
							 : "branch",
				  b->name, oid_hex(&b->head, hex), strerror(-r));
	}
}

/* HEAD has followed its branch already. */
static void forget_head(struct work *work)
{
	struct engine_storage *s = work->engine->storage;
	struct table *table = work->table;
	scoped_free char *head = NULL;

	if (!table->head_to || s->ops->head_read(s, &head) < 0 ||
	    strcmp(head, table->head_to) != 0)
		return;
	free(table->head_from);
	free(table->head_to);
	table->head_from = table->head_to = NULL;
}

int engine_note_refs(struct engine *e, struct table *table)
{
	struct work work = { .engine = e, .table = table };
	int r = ref_list_read(e->storage, &work.refs);

	if (r < 0)
		return r;
	for (size_t i = 0; i < table->branch_count; i++) {
		struct table_branch *b = &table->branches[i];
		const struct listed_ref *ref = ref_list_find(&work.refs, b->name);

		if (b->dropped || !ref)
			continue;
		if (oid_equal(&ref->oid, &b->head))
			b->outside = b->head;
		else
			is_from_inside(e, b, &ref->oid);
	}
	forget_gone(&work);
	forget_head(&work);
	ref_list_release(&work.refs);
	return 0;
}

int engine_reconcile(struct engine *e, struct table *table, bool *ret_changed)
{
	struct work work = { .engine = e, .table = table };
	int r = ref_list_read(e->storage, &work.refs);

	if (r < 0)
		return r;
	r = reconcile_branches(&work);
	if (r == 0)
		r = adopt_refs(&work);
	if (r == 0) {
		forget_gone(&work);
		r = rename_clashing(&work);
	}
	ref_list_release(&work.refs);
	if (r == 0)
		r = engine_local_keep(e, work.stage, table);
	odb_free(work.stage);
	if (r < 0)
		return r;
	check_heads(e, table);
	*ret_changed = work.changed;
	return 0;
}
