/* SPDX-License-Identifier: ISC */
#include "store/ignore.h"
#include "store/node.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Which names of a work tree are ignored, by its .gitignore files as they are
 * now.  A loaded directory keeps its file as parsed, and what those above say of
 * it, until worktree->rules says that some file, or the name of a directory, is
 * another one. */

#define LEVELS_FEW 16

/* ---- rules of a directory ---- */

/* Git does not follow a file that is a symbolic link; one that cannot be read has
 * no rules. */
static int read_file_locked(struct node *dir, struct ignore_file **ret)
{
	const struct entry *e = directory_find_live(dir->directory, IGNORE_NAME);
	scoped_buffer struct buffer text = { 0 };
	int r;

	*ret = NULL;
	if (!e || node_kind_of(e->mode) != KIND_FILE || node_is_typed(dir))
		return 0;
	r = node_text_locked(dir, IGNORE_NAME, &text);
	if (r < 0 && r != -ENOMEM) {
		log_warning("rules in a " IGNORE_NAME " cannot be read: %s",
			    strerror(-r));
		return 0;
	}
	return r < 0 || !text.length ? r :
	       ignore_file_parse(text.data, text.length, ret);
}

static int is_ignored_locked(const struct node *dir, const char *name,
			     bool is_directory);

static int refresh_locked(struct node *dir)
{
	struct worktree *w = dir->worktree;
	struct directory *d = dir->directory;
	struct ignore_file *rules = NULL;
	bool ignored = false, ruled = w->options.exclude != NULL;
	uint32_t now = w->rules;
	int r = 0;

	if (d->rules_seen == now)
		return 0;
	if (dir->parent) {
		const char *name = node_entry(dir)->name;

		r = refresh_locked(dir->parent);
		if (r == 0)
			r = is_ignored_locked(dir->parent, name, true);
		if (r < 0)
			return r;
		ignored = r || strcmp(name, GIT_NAME) == 0 ||
			  strcmp(name, CONTROL_NAME) == 0;
		ruled |= dir->parent->directory->ruled;
	}
	r = w->options.track_ignored ? 0 : read_file_locked(dir, &rules);
	if (r < 0)
		return r;
	ignore_file_free(d->rules);
	d->rules = rules;
	d->ruled = !w->options.track_ignored && (ruled || d->rules);
	d->ignored = ignored;
	d->rules_seen = now;
	return 0;
}

/* ---- asking ---- */

/* Files that are asked, the nearest first. */
struct levels {
	struct ignore_level few[LEVELS_FEW], *level;
	size_t count;
};

static int collect_locked(const struct node *dir, const char *path,
			  struct levels *ret)
{
	const struct ignore_file *exclude = dir->worktree->options.exclude;
	unsigned int depth = node_depth(dir);
	const char *at = path + strlen(path);

	ret->level = ret->few;
	if (depth + 2 > LEVELS_FEW)
		ret->level = calloc(depth + 2, sizeof(*ret->level));
	if (!ret->level)
		return -ENOMEM;
	for (; dir; dir = dir->parent) {
		/* one component more for each folder */
		while (at > path && at[-1] != '/')
			at--;
		if (dir->directory->rules)
			ret->level[ret->count++] = (struct ignore_level){
				dir->directory->rules, at,
			};
		at -= at > path;
	}
	if (exclude)
		ret->level[ret->count++] = (struct ignore_level){
			exclude, path,
		};
	return 0;
}

/* dir is refreshed. */
static int is_ignored_locked(const struct node *dir, const char *name,
			     bool is_directory)
{
	scoped_buffer struct buffer path = { 0 };
	scoped_free char *folder = NULL;
	struct levels levels = { 0 };
	int r;

	if (dir->directory->ignored || !dir->directory->ruled)
		return dir->directory->ignored;
	folder = node_make_path(dir);
	if (!folder)
		return -ENOMEM;
	r = buffer_printf(&path, "%s%s%s", folder, *folder ? "/" : "", name);
	if (r == 0)
		r = collect_locked(dir, path.data, &levels);
	if (r < 0)
		return r;
	r = ignore_find(levels.level, levels.count, is_directory);
	if (levels.level != levels.few)
		free(levels.level);
	return r;
}

int node_is_ignored_folder_locked(struct node *dir, const char *name)
{
	int r = refresh_locked(dir);

	if (r == 0 && strcmp(name, GIT_NAME) == 0)
		return 1;
	return r < 0 ? r : is_ignored_locked(dir, name, true);
}

/* What Git tracks stays tracked, also when another file takes the name. */
static bool is_tracked(const struct node *dir, const char *name)
{
	const struct entry *e = directory_find(dir->directory, name);

	return e && ((e->live && e->stored && e->mode != MODE_TREE) ||
		     (e->replaced && e->git_had && e->git_file));
}

/* Whether dir came, since the last capture, to where Git has another directory. */
static bool is_remade(const struct node *dir)
{
	for (; dir->parent; dir = dir->parent) {
		const struct entry *e = node_entry(dir);

		if (e->stored || e->captured)
			return false;
		if (e->replaced)
			return e->git_had && !e->git_file;
	}
	return false;
}

/* 1: there is a file of that name in such another one. */
static int was_tracked_locked(const struct node *dir, const char *name)
{
	const struct worktree *w = dir->worktree;
	scoped_buffer struct buffer path = { 0 };
	scoped_free char *folder = NULL;
	struct tree_entry e;
	int r;

	if (!is_remade(dir))
		return 0;
	folder = node_make_path(dir);
	r = folder ? buffer_printf(&path, "%s/%s", folder, name) : -ENOMEM;
	if (r < 0)
		return r;
	r = tree_resolve(w->options.odb, &w->root->oid, path.data, &e);
	return r == -ENOMEM ? r : r == 0 && e.mode != MODE_TREE;
}

int node_is_ignored_name_locked(struct node *dir, const char *name)
{
	int r;

	if (!dir->worktree->options.local || node_is_typed(dir))
		return 0;
	r = refresh_locked(dir);
	return r < 0 ? r : is_ignored_locked(dir, name, false);
}

int node_is_own_name_locked(struct node *dir, const char *name)
{
	int r;

	/* elements of queues are stored as the queue says */
	if (!dir->worktree->options.local || node_is_typed(dir))
		return 0;
	if (strcmp(name, GIT_NAME) == 0)
		return 1;
	if (is_tracked(dir, name))
		return 0;
	r = refresh_locked(dir);
	if (r == 0)
		r = is_ignored_locked(dir, name, false);
	if (r != 1 || node_is_in_git(dir))
		return r;
	r = was_tracked_locked(dir, name);
	return r < 0 ? r : !r;
}
