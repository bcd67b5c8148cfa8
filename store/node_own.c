/* SPDX-License-Identifier: ISC */
#include "store/node.h"

#include <errno.h>
#include <string.h>

bool node_is_in_git(const struct node *dir)
{
	for (; dir->parent; dir = dir->parent)
		if (!dir->unlinked &&
		    strcmp(node_entry(dir)->name, GIT_NAME) == 0)
			return true;
	return false;
}

static bool is_in_git(const struct node *dir, const char *name)
{
	return strcmp(name, GIT_NAME) == 0 || node_is_in_git(dir);
}

int node_check_into_git_locked(struct node *n, const struct node *dir,
			       const char *name)
{
	int r;

	if (!is_in_git(dir, name) || node_is_in_git(n))
		return 0;
	r = node_open_directory_locked(n);
	if (r < 0)
		return r;
	return n->directory->live ? -EXDEV : 0;
}

int node_is_own_name_locked(struct node *dir, const char *name,
			    bool is_directory)
{
	/* elements of queues are stored as the queue says */
	if (!dir->worktree->options.local || node_is_typed(dir))
		return 0;
	return is_in_git(dir, name);
}

int node_prepare_own_locked(struct node *n, bool own)
{
	return n->own == own ? 0 : node_open_contents_locked(n);
}

bool node_set_own_locked(struct node *n, bool own)
{
	if (node_type(n) == S_IFDIR || n->own == own)
		return false;
	n->own = own;
	if (n->parent && !n->unlinked)
		node_entry(n)->own = own;
	return true;
}
