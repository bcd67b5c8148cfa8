/* SPDX-License-Identifier: ISC */
#include "store/engine_local.h"
#include "store/message.h"

#include <errno.h>

static const struct oid no_local;

/* One pass over the cuts of a batch. */
struct pass {
	struct engine *engine;
	struct table *table;
	char *head;		/* branch that HEAD names, once it was asked */
	bool head_asked;
	uint64_t commits;
	struct odb *stage;	/* of local faces, or NULL */
	uint64_t *blocked;	/* branches whose next cuts are held back */
	size_t blocked_count;
};

/* ---- commits ---- */

/* Time never runs backwards along a branch. */
static int latest_time(struct pass *pass, const struct commit *commit,
		       int64_t *time)
{
	for (size_t i = 0; i < commit->parent_count; i++) {
		scoped_commit struct commit *parent = NULL;
		int r = commit_read(pass->engine->odb, &commit->parents[i],
				    &parent);

		if (r < 0)
			return r;
		if (parent->committer.time > *time)
			*time = parent->committer.time;
	}
	return 0;
}

/* Writes the record's commit with that tree; parents are head (NULL: a root) and
 * then its own.  A message made of the delta is not kept: more may be folded into
 * the delta before the batch is repeated. */
static int write_commit(struct pass *pass, const struct record *record,
			const struct oid *tree, const struct oid *head,
			struct oid *ret_oid)
{
	struct commit commit = *record->commit;
	size_t own = commit.parent_count, count = own + (head ? 1 : 0);
	scoped_free struct oid *parents = calloc(count + 1, sizeof(*parents));
	scoped_free char *message = NULL;
	int r;

	if (!parents)
		return -ENOMEM;
	if (head)
		parents[0] = *head;
	if (own)
		memcpy(parents + (head ? 1 : 0), commit.parents,
		       own * sizeof(*parents));
	commit.tree = *tree;
	commit.parents = parents;
	commit.parent_count = count;
	if (!commit.message) {
		r = message_compose(NULL, record->delta, record->trailers,
				    &message);
		if (r < 0)
			return r;
		commit.message = message;
	}
	r = latest_time(pass, &commit, &commit.committer.time);
	if (r < 0)
		return r;
	commit.author.time = commit.committer.time;
	r = commit_write(pass->engine->odb, &commit, ret_oid);
	if (r == 0)
		pass->commits++;
	return r;
}

/* When the record's changes were made, as far as it is known. */
static struct timespec time_of(struct pass *pass, const struct record *record)
{
	struct timespec time = record->time;

	if (!time.tv_sec && !time.tv_nsec && record->commit)
		time.tv_sec = record->commit->committer.time;
	else if (!time.tv_sec && !time.tv_nsec)
		pass->engine->clock(&time);
	return time;
}

static int follow_local(struct pass *pass, struct record *record,
			struct table_branch *branch, int64_t head_time)
{
	struct timespec now = time_of(pass, record);

	return engine_local_follow(pass->engine, &pass->stage, branch,
				   record->delta, record->direct, head_time,
				   &now);
}

/* What was merged is an ancestor of merges to come. */
static int remember(struct pass *pass, const struct record *record,
		    struct table_branch *branch)
{
	const struct local_base base = {
		.origin = record->from, .commit = record->oid,
		.face = record->face,
	};
	struct timespec now = time_of(pass, record);

	return engine_local_remember(pass->engine, &pass->stage, branch, &base,
				     &now);
}

static int apply_commit(struct pass *pass, struct record *record,
			struct table_branch *branch)
{
	struct odb *odb = pass->engine->odb;
	scoped_commit struct commit *head = NULL;
	const struct oid *tree;
	int r;

	if (!record->commit)
		return -EINVAL;
	r = commit_read(odb, &branch->head, &head);
	if (r < 0)
		return r;
	tree = &head->tree;
	if (record->delta) {
		if (pass->engine->local)
			r = delta_store_own(record->delta, pass->engine->local);
		if (r == 0)
			r = delta_store(record->delta, odb, &head->tree);
		if (r < 0)
			return r;
		tree = &record->delta->oid;
		r = follow_local(pass, record, branch, head->committer.time);
		if (r == 0)
			r = remember(pass, record, branch);
		if (r < 0)
			return r;
	}
	if (oid_equal(tree, &head->tree) && !record->commit->parent_count)
		return 0;
	return write_commit(pass, record, tree, &branch->head, &branch->head);
}

/* -EUCLEAN: something else than a commit. */
static int check_commit(struct pass *pass, const struct oid *oid)
{
	enum object_type type;
	int r = odb_read_header(pass->engine->odb, oid, &type, NULL);

	return r == 0 && type != OBJECT_COMMIT ? -EUCLEAN : r;
}

static int apply_move(struct pass *pass, struct record *record,
		      struct table_branch *branch)
{
	struct timespec now = time_of(pass, record);
	int r = check_commit(pass, &record->oid);

	if (r == 0)
		r = engine_local_move(pass->engine, &pass->stage, branch,
				      &record->oid, record->delta, &now);
	if (r == 0)
		r = remember(pass, record, branch);
	if (r == 0)
		branch->head = record->oid;
	return r;
}

/* ---- names ---- */

/* Gives the branch a name, and the ref that may still have that name. */
static int take_name(struct pass *pass, struct table_branch *branch,
		     const char *name)
{
	struct table_ref *ref = table_find_gone(pass->table, name);
	char *copy = strdup(name);

	if (!copy)
		return -ENOMEM;
	branch->outside = (struct oid){ 0 };
	if (ref) {
		if (engine_ref_is(pass->engine, name, &ref->outside))
			branch->outside = ref->outside;
		table_remove_gone(pass->table, ref);
	}
	free(branch->name);
	branch->name = copy;
	return 0;
}

/* The ref that the branch had is to be deleted, if there is one. */
static int leave_name(struct table *table, struct table_branch *branch)
{
	int r;

	if (oid_is_zero(&branch->outside))
		return 0;
	r = table_add_gone(table, branch->name, &branch->outside);
	if (r == 0)
		branch->outside = (struct oid){ 0 };
	return r;
}

static int check_free(struct table *table, const char *name)
{
	if (!name)
		return -EINVAL;
	return table_find_name(table, name) ? -EEXIST : 0;
}

static int add_branch(struct pass *pass, const struct record *record,
		      const struct oid *head, const struct oid *local)
{
	struct table_branch *branch;
	int r = check_free(pass->table, record->name);

	if (r < 0)
		return r;
	if (!record->branch || table_find(pass->table, record->branch))
		return -EINVAL;
	branch = table_add(pass->table, record->branch, record->name, head);
	if (!branch)
		return -ENOMEM;
	branch->local = *local;
	/* the journal may bring back one that the table does not know of */
	if (pass->table->next_incarnation <= record->branch)
		pass->table->next_incarnation = record->branch + 1;
	return take_name(pass, branch, record->name);
}

static int apply_make(struct pass *pass, struct record *record)
{
	struct oid tree, head;
	int r;

	if (!record->commit)
		return -EINVAL;
	r = odb_write(pass->engine->odb, OBJECT_TREE, "", 0, &tree);
	if (r == 0)
		r = write_commit(pass, record, &tree, NULL, &head);
	return r < 0 ? r : add_branch(pass, record, &head, &no_local);
}

static int apply_fork(struct pass *pass, struct record *record)
{
	const struct table_branch *from;
	struct oid head = record->oid;
	struct local_base base;
	struct timespec now;
	int r;

	if (!record->from) {
		r = check_commit(pass, &head);
		return r < 0 ? r : add_branch(pass, record, &head, &no_local);
	}
	from = table_find(pass->table, record->from);
	if (!from)
		return -ENOENT;
	base = (struct local_base){
		.origin = record->from, .commit = from->head,
		.face = from->local,
	};
	now = time_of(pass, record);
	/* adding moves the array */
	r = add_branch(pass, record, &base.commit, &base.face);
	return r < 0 ? r :
	       engine_local_remember(pass->engine, &pass->stage,
				     table_find(pass->table, record->branch),
				     &base, &now);
}

/* HEAD follows the branch that it names to another name. */
static int follow_head(struct pass *pass, const char *from, const char *to)
{
	struct engine_storage *storage = pass->engine->storage;
	struct table *table = pass->table;
	char *copy, *first = NULL;

	if (!pass->head_asked && storage->ops->head_read(storage, &pass->head) < 0)
		pass->head = NULL;	/* detached, or damaged: left alone */
	pass->head_asked = true;
	if (table->head_to ? strcmp(table->head_to, from) != 0
			   : !pass->head || strcmp(pass->head, from) != 0)
		return 0;
	copy = strdup(to);
	if (!table->head_from)
		first = strdup(from);
	if (!copy || (!table->head_from && !first)) {
		free(copy);
		free(first);
		return -ENOMEM;
	}
	if (first)
		table->head_from = first;
	free(table->head_to);
	table->head_to = copy;
	return 0;
}

/* Conflict reports say the target's name. */
static int rename_in_reports(struct table *table,
			     const struct table_branch *branch)
{
	for (size_t i = 0; i < table->report_count; i++) {
		struct conflict_report *report = table->reports[i];
		char *copy;

		if (report->target != branch->incarnation)
			continue;
		copy = strdup(branch->name);
		if (!copy)
			return -ENOMEM;
		free(report->target_name);
		report->target_name = copy;
	}
	return 0;
}

static int apply_rename(struct pass *pass, struct record *record,
			struct table_branch *branch)
{
	int r;

	if (record->name && strcmp(record->name, branch->name) == 0)
		return 0;
	r = check_free(pass->table, record->name);
	if (r == 0)
		r = follow_head(pass, branch->name, record->name);
	if (r == 0)
		r = leave_name(pass->table, branch);
	if (r == 0)
		r = take_name(pass, branch, record->name);
	if (r == 0)
		r = rename_in_reports(pass->table, branch);
	return r;
}

/* Refs stay with their names. */
static int apply_swap(struct pass *pass, struct record *record,
		      struct table_branch *branch)
{
	struct table_branch *other = table_find(pass->table, record->from);
	struct oid outside = branch->outside;
	char *name = branch->name;
	int r;

	if (!other || other->dropped)
		return -ENOENT;
	branch->name = other->name;
	branch->outside = other->outside;
	other->name = name;
	other->outside = outside;
	r = rename_in_reports(pass->table, branch);
	return r < 0 ? r : rename_in_reports(pass->table, other);
}

/* ---- the end of branches ---- */

static int apply_drop(struct pass *pass, struct table_branch *branch)
{
	struct timespec now;
	int r = leave_name(pass->table, branch);

	if (r < 0)
		return r;
	pass->engine->clock(&now);
	branch->dropped = now.tv_sec > 0 ? now.tv_sec : 1;
	return 0;
}

static int apply_restore(struct pass *pass, struct record *record)
{
	struct table_branch *branch = table_find(pass->table, record->branch);
	const char *name;
	int r;

	if (!branch || !branch->dropped)
		return -ENOENT;
	name = record->name ? record->name : branch->name;
	r = check_free(pass->table, name);
	if (r == 0)
		r = take_name(pass, branch, name);
	if (r == 0)
		branch->dropped = 0;
	return r;
}

static int apply_expire(struct pass *pass, struct record *record)
{
	const struct table_branch *branch =
		table_find(pass->table, record->branch);

	if (!branch || !branch->dropped)
		return -ENOENT;
	record->head = branch->head;
	table_remove(pass->table, record->branch);
	return 0;
}

static int apply_conflicts(struct pass *pass, struct record *record)
{
	struct conflict_report *copy = NULL;

	if (record->conflicts) {
		/* a copy: the batch may have to be repeated */
		copy = conflict_report_copy(record->conflicts);
		if (!copy)
			return -ENOMEM;
	}
	return table_set_report(pass->table, record->branch, record->from, copy);
}

/* ---- records ---- */

/* Records about a live branch. */
static int apply_to_live(struct pass *pass, struct record *record)
{
	struct table_branch *branch = table_find(pass->table, record->branch);

	if (!branch || branch->dropped)
		return -ENOENT;
	switch (record->kind) {
	case RECORD_COMMIT:
		return apply_commit(pass, record, branch);
	case RECORD_MOVE:
		return apply_move(pass, record, branch);
	case RECORD_OUTSIDE:
		branch->outside = record->oid;
		return 0;
	case RECORD_RENAME:
		return apply_rename(pass, record, branch);
	case RECORD_SWAP:
		return apply_swap(pass, record, branch);
	case RECORD_DROP:
		return apply_drop(pass, branch);
	default:
		return -EINVAL;
	}
}

static int apply_record(struct pass *pass, struct record *record)
{
	switch (record->kind) {
	case RECORD_MAKE:
		return apply_make(pass, record);
	case RECORD_FORK:
		return apply_fork(pass, record);
	case RECORD_RESTORE:
		return apply_restore(pass, record);
	case RECORD_EXPIRE:
		return apply_expire(pass, record);
	case RECORD_CONFLICTS:
		return apply_conflicts(pass, record);
	default:
		return apply_to_live(pass, record);
	}
}

static int apply_cut(struct pass *pass, struct cut *cut)
{
	for (size_t i = 0; i < cut->count; i++) {
		struct record *record = &cut->records[i];
		const struct table_branch *branch;
		int r = apply_record(pass, record);

		if (r < 0)
			return r;
		branch = table_find(pass->table, record->branch);
		if (branch) {
			record->head = branch->head;
			record->local = branch->local;
		}
	}
	return 0;
}

/* ---- holding back ---- */

static bool names(const struct record *record, uint64_t branch)
{
	/* the target of a conflict report is only a number */
	return record->branch == branch ||
	       (record->from == branch && record->kind != RECORD_CONFLICTS);
}

bool engine_cut_names(const struct cut *cut, uint64_t branch)
{
	for (size_t i = 0; i < cut->count; i++)
		if (names(&cut->records[i], branch))
			return true;
	return false;
}

static bool is_blocked(const struct pass *pass, const struct cut *cut)
{
	for (size_t i = 0; i < pass->blocked_count; i++)
		if (engine_cut_names(cut, pass->blocked[i]))
			return true;
	return false;
}

/* Later cuts about branches that cut changes shall be held back. */
static int block(struct pass *pass, const struct cut *cut)
{
	uint64_t *more = realloc(pass->blocked,
			(pass->blocked_count + 2 * cut->count + 1) *
				sizeof(*more));

	if (!more)
		return -ENOMEM;
	pass->blocked = more;
	for (size_t i = 0; i < cut->count; i++) {
		const struct record *record = &cut->records[i];

		pass->blocked[pass->blocked_count++] = record->branch;
		if (record->kind == RECORD_SWAP)
			pass->blocked[pass->blocked_count++] = record->from;
	}
	return 0;
}

bool engine_is_transient(int error)
{
	return error == -ENOSPC || error == -EDQUOT || error == -ENOMEM ||
	       error == -EMFILE || error == -ENFILE;
}

/* 0: all cuts that are not held were applied; 1: one more is held, so that the
 * pass must be repeated: the table may have half of it. */
static int try_pass(struct pass *pass, struct cut *cuts, size_t *ret_applied)
{
	int blocked_by = 0;
	size_t applied = 0;

	for (struct cut *cut = cuts; cut; cut = cut->next) {
		int r = 0;

		if (!cut->held && is_blocked(pass, cut))
			cut->held = blocked_by;
		else if (!cut->held)
			r = apply_cut(pass, cut);
		if (engine_is_transient(r) || r == -EROFS)
			return r;
		if (r < 0) {
			cut->held = r;
			return 1;
		}
		if (cut->held) {
			blocked_by = cut->held;
			r = block(pass, cut);
			if (r < 0)
				return r;
		} else {
			applied++;
		}
	}
	*ret_applied = applied;
	return 0;
}

int engine_apply(struct engine *e, struct cut *cuts, struct table **ret_table,
		 size_t *ret_applied, uint64_t *ret_commits)
{
	int r = 1;

	for (struct cut *cut = cuts; cut; cut = cut->next)
		cut->held = 0;
	while (r > 0) {
		struct pass pass = {
			.engine = e, .table = table_copy(e->table),
		};

		r = pass.table ? try_pass(&pass, cuts, ret_applied) : -ENOMEM;
		if (r == 0)
			r = engine_local_keep(e, pass.stage, pass.table);
		if (r == 0) {
			*ret_commits = pass.commits;
			*ret_table = STEAL(pass.table);
		}
		table_free(pass.table);
		odb_free(pass.stage);
		free(pass.blocked);
		free(pass.head);
	}
	return r;
}
