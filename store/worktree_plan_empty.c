/* SPDX-License-Identifier: ISC */
#include "store/attribute_lines.h"
#include "store/worktree_plan.h"

#include <errno.h>
#include <string.h>

/* Queues that come with lines of .gitattributes and are empty: Git does not have
 * them, but they are to be seen, in what is loaded.  (What is not is given them
 * when it is loaded.) */

static bool is_planned(const struct plan *plan, const struct node *dir,
		       const char *name)
{
	for (size_t i = 0; i < plan->step_count; i++)
		if (plan->steps[i].dir == dir &&
		    strcmp(plan->steps[i].name, name) == 0)
			return true;
	return false;
}

/* Its place among what changes; only for this, if need be. */
static int find_touched(struct plan *plan, struct node *dir, size_t *ret_at)
{
	int r;

	for (size_t i = 0; i < plan->touched_count; i++) {
		if (plan->touched[i].dir != dir)
			continue;
		*ret_at = i;
		return plan->touched[i].gone ? -ENOENT : 0;
	}
	r = plan_touch(plan, dir, &dir->oid, false, ret_at);
	if (r == 0)
		plan->touched[*ret_at].aside = true;
	return r;
}

static int add_directory(struct plan *plan, struct node *dir, const char *name)
{
	const struct tree_entry empty = {
		.mode = MODE_TREE, .oid = oid_empty_tree,
	};
	size_t at;
	int r;

	if (is_planned(plan, dir, name) || node_check_new_name(name) < 0)
		return 0;
	r = find_touched(plan, dir, &at);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	return plan_put_entry(plan, at, NULL, name, NULL, &empty, NULL);
}

/* 1: a queue, by all that the attributes say. */
static int is_queue(struct plan *plan, const char *path)
{
	char type[IRMIN_TYPE_SIZE];
	int r = tree_irmin_type(plan->worktree->irmin,
				plan->worktree->options.odb, &plan->tree, path,
				type);

	return r < 0 ? r : directory_type_find(type) != NULL;
}

static int add_missing(void *context, const char *path, const char *type)
{
	struct plan *plan = context;
	struct node *dir = plan->worktree->root;
	int r = is_queue(plan, path);

	while (r == 1 && dir && node_is_directory(dir) && dir->directory &&
	       !dir->directory->places) {
		size_t length = strcspn(path, "/");
		scoped_free char *name = strndup(path, length);
		struct entry *e;

		if (!name)
			return -ENOMEM;
		e = directory_find_live(dir->directory, name);
		if (!e)
			return add_directory(plan, dir, name);
		path += length + (path[length] == '/');
		dir = *path ? e->node : NULL;
	}
	return r < 0 ? r : 0;
}

int plan_add_empty(struct plan *plan)
{
	struct odb *odb = plan->worktree->options.odb;
	scoped_free void *data = NULL;
	struct tree_entry e;
	size_t size;
	int r;

	if (!plan->attributes)
		return 0;
	r = tree_resolve(odb, &plan->tree, ATTRIBUTES_NAME, &e);
	if (r == -ENOENT || (r == 0 && node_kind_of(e.mode) != KIND_FILE))
		return 0;
	if (r == 0)
		r = odb_read(odb, &e.oid, OBJECT_BLOB, &data, &size);
	return r < 0 ? r : attribute_lines_each(data, size, add_missing, plan);
}
