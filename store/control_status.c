/* SPDX-License-Identifier: ISC */
#include "store/control_private.h"

#include <errno.h>

static int add_path(void *context, char status, const char *path)
{
	char letter[2] = { status, '\0' };
	json_t *entry = json_object();
	int r = reply_set(entry, "status", json_text(letter));

	if (!r)
		r = reply_set(entry, "path", json_text(path));
	if (r) {
		json_decref(entry);
		return r;
	}
	return reply_append(context, entry);
}

static int fill(struct branch *b, json_t *entry)
{
	scoped_free char *name = branch_name(b);
	json_t *paths = json_array();
	struct oid head = { 0 };
	int r = name && paths ? 0 : -ENOMEM;

	/* what cannot be saved has no head, and is what one wants to see */
	if (!r)
		branch_head(b, &head);
	if (!r && b->worktree)
		r = worktree_each_changed(b->worktree, add_path, paths);
	if (!r)
		r = reply_set(entry, "name", json_text(name));
	if (!r)
		r = reply_set(entry, "head", json_oid(&head));
	if (r) {
		json_decref(paths);
		return r;
	}
	return reply_set(entry, "paths", paths);
}

static int add_branch(struct branch *b, json_t *array)
{
	json_t *entry = json_object();
	int r = fill(b, entry);

	if (r) {
		json_decref(entry);
		return r;
	}
	return reply_append(array, entry);
}

int control_status(struct control *c, json_t *reply)
{
	return reply_branches(c, add_branch, "branches", reply);
}

static int commit_in(struct control *c, struct branch *b, json_t *reply)
{
	const char *message;
	struct oid head;
	int r = request_optional(c, "message", &message);

	if (!r)
		r = branch_commit(b, c->caller, message, &head);
	if (r == -EMSGSIZE)
		report_set(&c->report, r, "The message is longer than "
			   "64 KiB.");
	return r ? r : reply_set(reply, "head", json_oid(&head));
}

int control_commit(struct control *c, json_t *reply)
{
	struct branch *b;
	int r = request_branch(c, "branch", &b);

	if (r)
		return r;
	r = commit_in(c, b, reply);
	branch_unref(b);
	return r;
}
