/* SPDX-License-Identifier: ISC */
#include "store/store_private.h"

#include <errno.h>

struct branch *branch_new(struct store *store, uint64_t incarnation,
			  const char *name)
{
	struct branch *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->entry = name_new(name);
	if (!b->entry) {
		free(b);
		return NULL;
	}
	b->name = b->entry->text;
	b->store = store;
	b->incarnation = incarnation;
	b->users = 1;
	pthread_mutex_init(&b->message_lock, NULL);
	gate_init(&b->gate);
	return b;
}

static void branch_free(struct branch *b)
{
	for (size_t i = 0; i < b->report_count; i++)
		conflict_report_free(b->reports[i]);
	free(b->reports);
	name_free(b->entry);
	free(b->readonly);
	free(b->message);
	pthread_mutex_destroy(&b->message_lock);
	gate_release(&b->gate);
	free(b);
}

struct branch *branch_ref(struct branch *b)
{
	atomic_fetch_add(&b->users, 1);
	return b;
}

void branch_unref(struct branch *b)
{
	if (!b || atomic_fetch_sub(&b->users, 1) != 1)
		return;
	worktree_unref(b->worktree);
	branch_free(b);
}

char *branch_name(struct branch *b)
{
	SCOPED_LOCK(&b->store->lock);
	return strdup(b->name);
}

/* ---- the work tree ---- */

/* Files are worth more than what is known of them besides. */
static int new_worktree(struct branch *b, struct worktree_options *options,
			struct worktree **ret)
{
	int r = worktree_new(options, ret);

	if (r != -EIO && r != -EUCLEAN)
		return r;
	log_error("What Git does not hold of branch %s (times, owners and the "
		  "like) cannot be read: %s; it is left out.", b->name,
		  strerror(-r));
	options->face = (struct oid){ 0 };
	return worktree_new(options, ret);
}

static int make_worktree(struct branch *b, const struct commit *commit,
			 const struct oid *face, const char *readonly,
			 struct worktree **ret)
{
	struct store *store = b->store;
	struct worktree_options options = {
		.odb = store->odb,
		.pool = store->pool,
		.clock = store->options.clock,
		.incarnation = b->incarnation,
		.tree = commit->tree,
		.local = store->local_odb,
		.face = *face,
		.track_ignored = store->options.track_ignored,
		.rules_unsure = b->loaded,
		.exclude = store->exclude,
		.time = { .tv_sec = commit->committer.time },
		.uid = store->options.uid,
		.gid = store->options.gid,
		.readonly = readonly != NULL,
	};
	struct worktree *w;
	int r;

	SCOPED_LOCK(&store->lock);
	if (b->worktree) {
		*ret = b->worktree;
		return 0;
	}
	if (b->dropped || b->gone)
		return -ENOENT;
	r = new_worktree(b, &options, &w);
	if (r)
		return r;
	b->time = commit->committer.time;
	/* nobody else has it yet */
	worktree_empty_shelf(w);
	b->worktree = w;
	*ret = w;
	return 0;
}

/* A head that is not known yet is that of a fork whose source had changes. */
static void known_head(struct branch *b, struct oid *ret_head,
		       struct oid *ret_face)
{
	SCOPED_LOCK(&b->store->lock);
	*ret_head = b->head;
	*ret_face = b->local;
}

static int find_head(struct branch *b, struct oid *ret_head,
		     struct oid *ret_face)
{
	struct oid same;
	int r;

	known_head(b, ret_head, ret_face);
	if (!oid_is_zero(ret_head))
		return 0;
	r = branch_head(b, ret_head);
	/* it was told of before that returned */
	if (r == 0)
		known_head(b, &same, ret_face);
	return r;
}

/* Nothing changes the head of a branch whose tree is not loaded, so the head
 * read here is still right when the tree is made. */
int branch_worktree(struct branch *b, struct worktree **ret)
{
	struct commit *commit;
	struct oid head, face;
	int r;

	if (b->worktree) {
		*ret = b->worktree;
		return 0;
	}
	r = find_head(b, &head, &face);
	if (r)
		return r;
	r = commit_read(b->store->odb, &head, &commit);
	if (r) {
		char hex[OID_HEX_SIZE];

		log_error("Commit %s, head of a branch, cannot be read: %s; "
			  "the branch cannot be used.", oid_hex(&head, hex),
			  strerror(-r));
		return r;
	}
	r = make_worktree(b, commit, &face, branch_readonly(b), ret);
	commit_free(commit);
	return r;
}

void branch_refuse(struct branch *b, int error)
{
	struct worktree *w = b->worktree;

	if (!w)
		return;
	if (!error && (b->store->readonly || b->readonly))
		error = -EROFS;
	worktree_refuse(w, error);
}

/* ---- read-only branches ---- */

static char *checked_out_reason(const char *folder)
{
	scoped_buffer struct buffer text = { 0 };

	if (buffer_printf(&text, "It is checked out in %s, where plain Git "
			  "would undo what is changed here; mount with "
			  "-o force to write to it all the same.", folder))
		return NULL;
	return STEAL(text.data);
}

const char *branch_readonly(struct branch *b)
{
	struct store *store = b->store;
	scoped_free char *name = NULL, *folder = NULL;

	if (store->readonly)
		return store->readonly;
	pthread_mutex_lock(&store->lock);
	name = b->checked ? NULL : strdup(b->name);
	pthread_mutex_unlock(&store->lock);
	if (name && !store->options.force)
		folder = git_branch_checked_out(store->repo, name);

	SCOPED_LOCK(&store->lock);
	if (name && !b->checked) {
		b->readonly = folder ? checked_out_reason(folder) : NULL;
		/* Without memory for the words, look again next time. */
		b->checked = !folder || b->readonly;
		if (!b->checked)
			return "It is checked out elsewhere.";
	}
	return b->readonly;
}

int branch_check_writable(struct branch *b, struct report *report)
{
	const char *why = branch_readonly(b);
	scoped_free char *name = NULL;

	if (!why)
		return 0;
	name = branch_name(b);
	return report_set(report, -EROFS, "Branch %s is read-only. %s",
			  name ? name : "", why);
}

/* ---- message ---- */

int branch_set_message(struct branch *b, const char *message)
{
	char *copy = NULL;

	if (strlen(message) > MESSAGE_MAX)
		return -EMSGSIZE;
	if (*message) {
		copy = strdup(message);
		if (!copy)
			return -ENOMEM;
	}
	SCOPED_LOCK(&b->message_lock);
	free(b->message);
	b->message = copy;
	return 0;
}

char *branch_message(struct branch *b)
{
	SCOPED_LOCK(&b->message_lock);
	return b->message ? strdup(b->message) : NULL;
}

/* ---- reports of conflicts ---- */

static struct conflict_report **find_report(struct branch *b, uint64_t target)
{
	for (size_t i = 0; i < b->report_count; i++)
		if (b->reports[i]->target == target)
			return &b->reports[i];
	return NULL;
}

struct conflict_report *branch_report_locked(struct branch *b, uint64_t target)
{
	struct conflict_report **found = find_report(b, target);

	return found ? *found : NULL;
}

int branch_set_report_locked(struct branch *b, uint64_t target,
			     struct conflict_report *report)
{
	struct conflict_report **found = find_report(b, target), **grown;

	if (found) {
		conflict_report_free(*found);
		*found = report ? report : b->reports[--b->report_count];
		return 0;
	}
	if (!report)
		return 0;
	grown = reallocarray(b->reports, b->report_count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	b->reports = grown;
	b->reports[b->report_count++] = report;
	return 0;
}
