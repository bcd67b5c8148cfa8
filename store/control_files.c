/* SPDX-License-Identifier: ISC */
#include "store/control_private.h"
#include "store/inside.h"

#include <errno.h>

#define LOG_COMMITS 1000

/* ---- reading ---- */

static int print_id(const struct oid *oid, struct buffer *out)
{
	char hex[OID_HEX_SIZE];

	return buffer_printf(out, "%s\n", oid_hex(oid, hex));
}

static int print_path(void *context, char status, const char *path)
{
	struct buffer *out = context;
	int r = buffer_printf(out, "%c ", status);

	if (!r)
		r = quote_path(path, out);
	return r ? r : buffer_puts(out, "\n");
}

static int print_status(struct branch *b, struct buffer *out)
{
	if (!b->worktree)
		return 0;
	return worktree_each_changed(b->worktree, print_path, out);
}

static int print_set_message(struct branch *b, struct buffer *out)
{
	scoped_free char *message = branch_message(b);

	return message ? buffer_printf(out, "%s\n", message) : 0;
}

static int print_log(struct branch *b, struct buffer *out)
{
	struct oid head;
	int r = branch_head(b, &head);

	return r ? r : history_text(b->store, &head, LOG_COMMITS, out);
}

static int read_branch(struct branch *b, const char *file,
		       const struct caller *caller, struct buffer *out)
{
	struct oid head;
	int r;

	if (!strcmp(file, "head")) {
		r = branch_publish(b, caller, NULL, &head);
		if (!r) {
			inside_settle(b);
			r = branch_head(b, &head);
		}
		return r ? r : print_id(&head, out);
	}
	if (!strcmp(file, "log"))
		return print_log(b, out);
	if (!strcmp(file, "status"))
		return print_status(b, out);
	if (!strcmp(file, "message"))
		return print_set_message(b, out);
	return -ENOENT;
}

int control_read(struct store *store, struct branch *branch,
		 const struct oid *commit, const char *file,
		 const struct caller *caller, struct buffer *ret)
{
	if (branch)
		return read_branch(branch, file, caller, ret);
	if (!strcmp(file, "head"))
		return print_id(commit, ret);
	if (!strcmp(file, "log"))
		return history_text(store, commit, LOG_COMMITS, ret);
	return -ENOENT;
}

/* ---- writing ---- */

static int merge_named(struct store *store, struct branch *into,
		       const char *name, const struct caller *caller)
{
	struct report report = { 0 };
	struct branch *from;
	int r = store_branch_anew(store, name, &from);

	if (r)
		return r;
	r = store_merge(store, from, into, false, caller, &report);
	branch_unref(from);
	/* A write has only a number for an answer. */
	if (r)
		log_info("Merging %s: %s", name, *report.text ? report.text :
			 strerror(-r));
	return r;
}

int control_write(struct store *store, struct branch *branch, const char *file,
		  const char *text, size_t size, const struct caller *caller)
{
	scoped_free char *line = NULL;

	if (size && text[size - 1] == '\n')
		size--;
	if (size > MESSAGE_MAX)
		return -EMSGSIZE;
	if (size && memchr(text, '\0', size))
		return -EINVAL;
	line = strndup(text, size);
	if (!line)
		return -ENOMEM;
	if (!strcmp(file, "message"))
		return branch_set_message(branch, line);
	if (!strcmp(file, "commit"))
		return branch_commit(branch, caller, line, NULL);
	if (!strcmp(file, "merge"))
		return merge_named(store, branch, line, caller);
	return -EINVAL;
}
