/* SPDX-License-Identifier: ISC */
#include "store/node.h"

#include <errno.h>
#include <string.h>

/* A listing that is under way is not sorted. */
static bool is_listable(const struct node *dir, uint64_t cookie)
{
	const struct directory *d = dir->directory;

	return dir->removed ||
	       (d && (cookie || !d->places || !places_wait_for_sort(d)));
}

static int make_listable(struct node *dir, uint64_t cookie)
{
	int r;

	{
		SCOPED_READ(&dir->worktree->lock);
		if (is_listable(dir, cookie))
			return 0;
	}
	SCOPED_WRITE(&dir->worktree->lock);
	r = dir->removed ? 0 : node_open_directory_locked(dir);
	if (r == 0 && node_is_typed(dir))
		places_sort_foreign(dir->directory);
	return r;
}

int node_list(struct node *dir, uint64_t cookie, node_visit *visit,
	      void *context)
{
	const struct directory *d;
	int r;

	if (dir->kind == KIND_SUBMODULE)
		return 0;
	if (!node_is_directory(dir))
		return -ENOTDIR;
	r = make_listable(dir, cookie);
	if (r < 0)
		return r;
	SCOPED_READ(&dir->worktree->lock);
	d = dir->removed ? NULL : dir->directory;
	for (uint32_t i = d ? directory_after(d, cookie) : 0;
	     d && i < d->count; i++) {
		const struct entry *e = &d->entries[i];
		struct listed listed = {
			.name = e->name, .cookie = e->seq + 1,
			.number = e->node ? e->node->number : e->number,
			.type = node_type_of(e->mode),
		};

		if (e->live && strcmp(e->name, CONTROL_NAME) != 0 &&
		    visit(context, &listed))
			break;
	}
	return 0;
}
