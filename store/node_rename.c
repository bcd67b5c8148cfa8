/* SPDX-License-Identifier: ISC */
#include "store/node.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct rename {
	struct node *from_dir, *to_dir;
	struct entry *from, *to;	/* to: NULL if there is none */
	struct leaving moved;
	struct leaving other;		/* what stands at `to`, if anything */
	struct attributes *from_spare, *to_spare;	/* of the directories */
	struct newcomer newcomer;	/* how it will be called */
	struct attribute_edit edit;	/* queues stay queues */
	bool exchange;
	bool in_place;			/* an element that keeps its key */
	bool moved_own, other_own;	/* what they will be */
};

static void cleanup_rename(struct rename *rename)
{
	leaving_release_locked(&rename->moved);
	leaving_release_locked(&rename->other);
	free(rename->from_spare);
	free(rename->to_spare);
	newcomer_release(&rename->newcomer);
	attribute_edit_release_locked(&rename->edit);
}

/* Levels of loaded directories below n, which cannot be too deep yet. */
static unsigned int height(const struct node *n)
{
	const struct directory *d = node_is_directory(n) ? n->directory : NULL;
	unsigned int most = 0;

	for (uint32_t i = 0; d && i < d->count; i++) {
		const struct node *child = d->entries[i].node;
		unsigned int below = child && node_is_directory(child) ?
				1 + height(child) : 0;

		if (below > most)
			most = below;
	}
	return most;
}

/* Whether n, of directory old, may be moved to dir and be called name. */
static int check_move(struct node *n, const struct node *old,
		      const struct node *dir, const char *name)
{
	unsigned int depth = node_depth(dir);

	if (node_type(n) == S_IFLNK)
		return tree_check_symlink(name);
	if (!node_is_directory(n))
		return 0;
	if (node_is_within(dir, n))
		return -EINVAL;
	if (depth > node_depth(old) && depth + 1 + height(n) > TREE_DEPTH_MAX)
		return -ENAMETOOLONG;
	return node_check_into_git_locked(n, dir, name);
}

/* What a directory is, loaded or not. */
static int find_type_locked(struct node *n, const char **ret)
{
	const struct directory_type *type = NULL;
	int r = 0;

	if (node_is_directory(n) && n->directory && n->directory->places)
		type = n->directory->places->type;
	else if (node_is_directory(n) && !n->directory)
		r = node_directory_type(n->parent, node_entry(n)->name, &type);
	*ret = type ? type->name : NULL;
	return r;
}

/* Lines of .gitattributes follow the directory. */
static int move_types_locked(struct rename *rename, const char *name)
{
	struct node *moved = rename->moved.node;
	scoped_free char *from = NULL, *folder = NULL;
	scoped_buffer struct buffer to = { 0 };
	const char *type;
	int r;

	if (node_type(moved) != S_IFDIR)
		return 0;
	r = find_type_locked(moved, &type);
	if (r < 0)
		return r;
	from = node_make_path(moved);
	folder = node_make_path(rename->to_dir);
	if (!from || !folder)
		return -ENOMEM;
	r = buffer_printf(&to, "%s%s%s", folder, *folder ? "/" : "", name);
	return r < 0 ? r : attribute_edit_move_locked(&rename->edit,
			moved->worktree, from, to.data, type,
			rename->exchange);
}

static int check_replace_locked(struct rename *rename)
{
	bool moved = node_type(rename->moved.node) == S_IFDIR;
	bool other = node_type(rename->other.node) == S_IFDIR;
	int r;

	if (moved != other)
		return moved ? -ENOTDIR : -EISDIR;
	r = leaving_check_locked(&rename->other, rename->to);
	/* it would not be a queue any more */
	if (r == 0 && moved && node_is_typed(rename->other.node))
		r = -EEXIST;
	return r;
}

/* Into a queue. */
static int prepare_push_locked(struct rename *rename, const char *name)
{
	struct node *dir = rename->to_dir;

	/* elements are files */
	if (!node_has_contents(rename->moved.node) ||
	    rename->moved.node->linked)
		return -EPERM;
	/* who renames has opened it, unless it was another one then */
	if (rename->moved.node->structured && !rename->moved.node->contents)
		return -EBUSY;
	rename->in_place = dir == rename->from_dir &&
			   node_entry_has_key(dir, rename->from);
	if (rename->in_place)
		return newcomer_rename_locked(&rename->newcomer, dir,
					      rename->from, name);
	return newcomer_init_locked(&rename->newcomer, dir, name, true);
}

/* 1: as open_locked. */
static int prepare_locked(struct rename *rename, const char *name)
{
	int r = leaving_init_locked(&rename->moved, rename->from_dir,
				    rename->from);

	if (r == 0)
		r = check_move(rename->moved.node, rename->from_dir,
			       rename->to_dir, name);
	if (r == 0 && node_is_typed(rename->to_dir))
		return prepare_push_locked(rename, name);
	if (r == 0)
		r = newcomer_init_locked(&rename->newcomer, rename->to_dir,
					 name, true);
	if (r == 0)
		r = move_types_locked(rename, name);
	if (r < 0 || !rename->to)
		return r;
	r = leaving_init_locked(&rename->other, rename->to_dir, rename->to);
	if (r < 0)
		return r;
	if (rename->moved.node == rename->other.node)
		return 1;
	return rename->exchange ?
		check_move(rename->other.node, rename->to_dir,
			   rename->from_dir, rename->from->name) :
		check_replace_locked(rename);
}

/* Of a directory: what is below is seen to later. */
static int prepare_own_locked(struct node *n, struct node *dir,
			      const char *name, bool *ret)
{
	int r;

	if (node_type(n) == S_IFDIR || node_is_special(n))
		return 0;
	r = node_is_own_name_locked(dir, name);
	if (r < 0)
		return r;
	*ret = r;
	/* other names would be what they are not */
	if (n->linked && n->own != r)
		return -EXDEV;
	r = node_prepare_own_locked(n, r);
	return r < 0 ? r : node_prepare_name_locked(n, name);
}

static int prepare_places_locked(struct rename *rename, const char *name)
{
	int r = prepare_own_locked(rename->moved.node, rename->to_dir, name,
				   &rename->moved_own);

	if (r == 0 && rename->exchange)
		r = prepare_own_locked(rename->other.node, rename->from_dir,
				       rename->from->name, &rename->other_own);
	return r;
}

static int displace_locked(struct rename *rename)
{
	int r;

	if (rename->from_dir == rename->to_dir && !node_is_typed(rename->to_dir))
		return 0;
	r = node_displace_locked(rename->moved.node);
	if (r == 0 && rename->exchange)
		r = node_displace_locked(rename->other.node);
	return r;
}

static void exchange_locked(struct rename *rename)
{
	struct node *moved = rename->moved.at, *other = rename->other.at;

	bool anew = node_set_own_locked(moved, rename->moved_own);
	bool other_anew = node_set_own_locked(other, rename->other_own);

	node_unmark(moved);
	node_unmark(other);
	directory_supersede(rename->from_dir->directory, rename->from, true);
	directory_supersede(rename->to_dir->directory, rename->to, true);
	node_place_locked(moved, rename->to_dir, rename->to);
	node_place_locked(other, rename->from_dir, rename->from);
	node_mark_name(moved, anew);
	node_mark_name(other, other_anew);
}

/* A new name of an element, which keeps its position. */
static void move_in_place_locked(struct rename *rename)
{
	places_move(rename->to_dir->directory, rename->from,
		    STEAL(rename->newcomer.name),
		    STEAL(rename->newcomer.place));
	node_mark(rename->moved.node, false);
}

static void move_locked(struct rename *rename, const struct timespec *now)
{
	struct node *moved = rename->moved.at;
	struct entry *to = rename->to;
	bool anew = node_set_own_locked(moved, rename->moved_own);

	node_unmark(moved);
	directory_remove(rename->from_dir->directory, rename->from, true);
	if (to) {
		directory_supersede(rename->to_dir->directory, to, true);
		leaving_done_locked(&rename->other, now);
	} else {
		to = newcomer_put_locked(&rename->newcomer, rename->to_dir);
	}
	node_place_locked(moved, rename->to_dir, to);
	/* elements are stored as blobs */
	node_mark_name(moved, anew || (moved->structured &&
				       node_is_typed(rename->to_dir)));
	node_mark(rename->from_dir, true);
}

/* What is ignored may be something else now. */
static void renamed_locked(struct rename *rename, unsigned int rules)
{
	struct node *moved = rename->moved.node, *other = rename->other.node;

	rules |= moved->rules;
	node_rules_changed(rename->from_dir, rules);
	node_rules_changed(rename->to_dir, rules);
	if (node_is_directory(moved))
		node_directory_moved_locked(moved);
	if (rename->exchange && node_is_directory(other))
		node_directory_moved_locked(other);
}

static void named_locked(const struct leaving *leaving)
{
	node_named_locked(leaving->node, node_entry(leaving->at)->name);
}

static void execute_locked(struct rename *rename)
{
	unsigned int rules = rename->moved.node->rules;
	struct timespec now;

	rename->from_dir->worktree->options.clock(&now);
	attributes_touch_inode(rename->moved.node, &rename->moved.spare, &now);
	attributes_touch(rename->from_dir, &rename->from_spare, &now);
	attributes_touch(rename->to_dir, &rename->to_spare, &now);
	/* all its names have the new time */
	node_mark_attributes(rename->moved.node);
	if (rename->exchange) {
		attributes_touch_inode(rename->other.node, &rename->other.spare,
				       &now);
		node_mark_attributes(rename->other.node);
		exchange_locked(rename);
	} else if (rename->in_place) {
		move_in_place_locked(rename);
	} else {
		move_locked(rename, &now);
	}
	named_locked(&rename->moved);
	if (rename->exchange)
		named_locked(&rename->other);
	renamed_locked(rename, rules);
	attribute_edit_execute_locked(&rename->edit,
				      rename->moved.node->worktree, &now);
}

/* from: NULL for the first element. */
static struct entry *find_source(struct node *dir, const char *from)
{
	if (!from)
		return node_is_typed(dir) ? node_first_entry_locked(dir) : NULL;
	return strcmp(from, CONTROL_NAME) == 0 ? NULL :
		directory_find_live(dir->directory, from);
}

/* 1: both are the same file, so that there is nothing to do. */
static int open_locked(struct rename *rename, const char *from, const char *to,
		       unsigned int flags)
{
	struct node *from_dir = rename->from_dir, *to_dir = rename->to_dir;
	int r = attribute_edit_reserve_locked(from_dir->worktree);

	if (r == 0)
		r = node_open_for_change_locked(from_dir, CHANGES_WITH_EDIT,
						&rename->from_spare);
	if (r == 0)
		r = node_open_for_change_locked(to_dir, CHANGES_WITH_EDIT,
						&rename->to_spare);
	if (r < 0)
		return r;
	if (rename->exchange && (node_is_typed(from_dir) || node_is_typed(to_dir)))
		return -EINVAL;
	rename->from = find_source(from_dir, from);
	rename->to = directory_find_live(to_dir->directory, to);
	if (!rename->from)
		return -ENOENT;
	if (rename->to && (flags & RENAME_NOREPLACE))
		return -EEXIST;
	if (!rename->to && rename->exchange)
		return -ENOENT;
	if (rename->to == rename->from)
		return 1;
	/* no element replaces another one */
	if (node_is_typed(to_dir))
		rename->to = NULL;
	return 0;
}

/* The name that it got, if that is another one. */
static int note_name(const struct rename *rename, const char *to,
		     char **ret_name)
{
	const char *name = rename->newcomer.name;

	if (strcmp(name, to) == 0)
		return 0;
	*ret_name = strdup(name);
	return *ret_name ? 0 : -ENOMEM;
}

/* A file that is stored as a structure is stored anew in a queue, for which it
 * must be open; that cannot be done with the lock. */
static struct node *open_structured(struct node *from_dir, const char *from,
				    struct node *to_dir)
{
	struct contents *contents;
	struct node *n;

	if (!node_is_queue(to_dir) || node_lookup(from_dir, from, &n) < 0)
		return NULL;
	if (node_is_structured(n) && node_contents(n, &contents) == 0)
		contents_unref(contents);
	return n;
}

int node_rename(struct node *from_dir, const char *from, struct node *to_dir,
		const char *to, unsigned int flags)
{
	scoped_free char *name = NULL;

	return node_rename_named(from_dir, from, to_dir, to, flags, &name);
}

static int rename_node(struct node *from_dir, const char *from,
		       struct node *to_dir, const char *to, unsigned int flags,
		       char **ret_name)
{
	SCOPED_WRITE(&from_dir->worktree->lock);
	scoped(cleanup_rename) struct rename rename = {
		.from_dir = from_dir, .to_dir = to_dir,
		.exchange = flags == RENAME_EXCHANGE,
	};
	int r = open_locked(&rename, from, to, flags);

	if (r == 0)
		r = prepare_locked(&rename, to);
	if (r == 0)
		r = prepare_places_locked(&rename, to);
	if (r == 0)
		r = displace_locked(&rename);
	if (r == 0)
		r = note_name(&rename, to, ret_name);
	if (r)
		return r < 0 ? r : 0;
	execute_locked(&rename);
	return 0;
}

static int check(struct node *from_dir, struct node *to_dir, const char *to,
		 unsigned int flags)
{
	if (from_dir->worktree != to_dir->worktree)
		return -EXDEV;
	if (flags && flags != RENAME_NOREPLACE && flags != RENAME_EXCHANGE)
		return -EINVAL;
	return node_check_name(from_dir->worktree, to);
}

int node_rename_named(struct node *from_dir, const char *from,
		      struct node *to_dir, const char *to, unsigned int flags,
		      char **ret_name)
{
	int r = check(from_dir, to_dir, to, flags);
	struct node *held;

	*ret_name = NULL;
	if (r < 0)
		return r;
	held = open_structured(from_dir, from, to_dir);
	r = rename_node(from_dir, from, to_dir, to, flags, ret_name);
	node_unref(held);
	return r;
}

int node_rename_first(struct node *queue, struct node *to_dir, const char *to,
		      unsigned int flags, char **ret_name)
{
	int r = check(queue, to_dir, to, flags);

	*ret_name = NULL;
	return r < 0 ? r : rename_node(queue, NULL, to_dir, to, flags,
				       ret_name);
}
