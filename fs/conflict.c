/* SPDX-License-Identifier: ISC */
#include "fs/irmin.h"
#include "store/node_xattr.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

void conflict_found_release(struct conflict_found *found)
{
	for (size_t i = 0; i < found->count; i++)
		conflict_report_free(found->reports[i]);
	free(found->reports);
}

/* ---- which there are ---- */

static void find_number(struct conflict_found *found, uint32_t number)
{
	const struct conflict_report *report;

	for (size_t i = 0; i < found->count; i++) {
		report = found->reports[i];
		for (size_t j = 0; j < report->count; j++) {
			if (report->conflicts[j].number != number ||
			    report->conflicts[j].resolved)
				continue;
			found->report = report;
			found->conflict = &report->conflicts[j];
		}
	}
}

int conflict_find(struct branch *b, uint32_t number, struct conflict_found *ret)
{
	struct conflict_found found = { 0 };
	int r = branch_conflicts(b, &found.reports, &found.count);

	if (r < 0)
		return r;
	find_number(&found, number);
	if (!found.conflict) {
		conflict_found_release(&found);
		return -ENOENT;
	}
	*ret = found;
	return 0;
}

static int visit_report(const struct conflict_report *report,
			irmin_visit *visit, void *context)
{
	char name[16];
	int r = 0;

	for (size_t i = 0; i < report->count && r == 0; i++) {
		if (report->conflicts[i].resolved)
			continue;
		snprintf(name, sizeof(name), "%" PRIu32,
			 report->conflicts[i].number);
		r = visit(context, name, S_IFDIR);
	}
	return r;
}

int conflict_list(struct branch *b, irmin_visit *visit, void *context)
{
	scoped(conflict_found_release) struct conflict_found found = { 0 };
	int r = branch_conflicts(b, &found.reports, &found.count);

	for (size_t i = 0; i < found.count && r == 0; i++)
		r = visit_report(found.reports[i], visit, context);
	return r;
}

/* ---- files of one ---- */

struct side {
	uint32_t mode;		/* 0: absent */
	struct oid oid;
};

static struct side side_of(const struct conflict *c, enum control file)
{
	switch (file) {
	case CONTROL_BASE:
		return (struct side){ c->base.mode, c->base.oid };
	case CONTROL_OURS:
		return (struct side){ c->ours.mode, c->ours.oid };
	case CONTROL_THEIRS:
		return (struct side){ c->theirs.mode, c->theirs.oid };
	case CONTROL_MERGED:
		return (struct side){ c->merged.mode, c->merged.oid };
	case CONTROL_SUGGESTED:
		return (struct side){ c->suggested.mode, c->suggested.oid };
	default:
		return (struct side){ 0 };
	}
}

static bool is_text(enum control file)
{
	return file == CONTROL_PATH || file == CONTROL_WITH;
}

bool conflict_has(const struct conflict_found *found, enum control file)
{
	return is_text(file) || side_of(found->conflict, file).mode != 0;
}

/* A side that is no file (a directory, a submodule) is shown by its id. */
static bool is_file(const struct side *side)
{
	return side->mode != MODE_TREE && side->mode != MODE_SUBMODULE;
}

static int write_text(const struct conflict_found *found, enum control file,
		      struct buffer *text)
{
	struct side side = side_of(found->conflict, file);
	char hex[OID_HEX_SIZE];

	if (file == CONTROL_PATH)
		return buffer_printf(text, "%s\n", found->conflict->path);
	if (file == CONTROL_WITH)
		return buffer_printf(text, "%s %s\n",
				     found->report->target_name,
				     oid_hex(&found->report->ours, hex));
	return buffer_printf(text, "%s %s\n", side.mode == MODE_TREE ?
			     "tree" : "commit", oid_hex(&side.oid, hex));
}

static int file_size(struct fs *fs, const struct side *side, uint64_t *ret)
{
	return contents_stored_size(git_repo_odb(store_repo(fs->store)),
				    &side->oid, side->mode, ret);
}

int conflict_size(struct fs *fs, const struct conflict_found *found,
		  enum control file, uint64_t *ret)
{
	scoped_buffer struct buffer text = { 0 };
	struct side side = side_of(found->conflict, file);
	int r;

	if (!is_text(file) && is_file(&side))
		return file_size(fs, &side, ret);
	r = write_text(found, file, &text);
	if (r == 0)
		*ret = text.length;
	return r;
}

static int file_contents(struct fs *fs, const struct side *side,
			 struct contents **ret)
{
	uint64_t size;
	int r = file_size(fs, side, &size);

	if (r < 0)
		return r;
	return contents_open(store_pool(fs->store), &side->oid, size, ret);
}

/* ---- who may read them ---- */

static int file_stat(struct branch *b, const char *path, struct stat *ret)
{
	struct worktree *w;
	struct node *n;
	int r = branch_worktree(b, &w);

	if (r == 0)
		r = worktree_lookup(w, path, &n);
	if (r < 0)
		return r;
	r = node_stat(n, ret);
	if (r == 0)
		ret->st_mode = node_least_mode(n, ret);
	node_unref(n);
	return r < 0 || S_ISREG(ret->st_mode) ? r : -ENOENT;
}

static int target_stat(struct fs *fs, const struct conflict_found *found,
		       struct stat *ret)
{
	struct branch *b;
	int r = store_branch(fs->store, found->report->target_name, &b);

	if (r)
		return r < 0 ? r : -ENOENT;
	r = file_stat(b, found->conflict->path, ret);
	branch_unref(b);
	return r;
}

void conflict_stat(struct fs *fs, struct branch *b,
		   const struct conflict_found *found, enum control file,
		   struct stat *st)
{
	struct side side = side_of(found->conflict, file);
	struct stat like;

	if (is_text(file) || !is_file(&side) ||
	    (file_stat(b, found->conflict->path, &like) < 0 &&
	     target_stat(fs, found, &like) < 0))
		return;
	st->st_uid = like.st_uid;
	st->st_gid = like.st_gid;
	st->st_mode = S_IFREG | (like.st_mode & 0444);
	if (mode_is_executable(side.mode))
		st->st_mode |= (st->st_mode & 0444) >> 2;
}

int conflict_read(struct fs *fs, const struct conflict_found *found,
		  enum control file, struct buffer *text,
		  struct contents **ret_contents)
{
	struct side side = side_of(found->conflict, file);

	if (!is_text(file) && is_file(&side))
		return file_contents(fs, &side, ret_contents);
	return write_text(found, file, text);
}
