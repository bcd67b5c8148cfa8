/* SPDX-License-Identifier: ISC */
#include "store/store_private.h"
#include "store/tree.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

/* The repository of local faces, irminfs/local.  One that cannot be written and
 * was never there is not needed: nothing is remembered then. */

static int open_local(struct store *store, struct report *report)
{
	scoped_buffer struct buffer path = { 0 };
	struct report why = { 0 };
	int r = buffer_printf(&path, "%s/irminfs/local",
			      git_repo_path(store->repo));

	if (r == 0)
		r = git_repo_open(path.data, !store->readonly, &store->local,
				  &why);
	if (r < 0 && store->readonly)
		return 0;
	if (r < 0)
		return report_set(report, r, "The folder %s, which holds what "
				  "Git does not (times, owners and the like), "
				  "cannot be opened: %s. To go on without that, "
				  "move the folder away.", path.data ? path.data
				  : "irminfs/local", strerror(-r));
	return store->readonly ? 0 : git_objects_recover(store->local);
}

int store_open_local(struct store *store, struct report *report)
{
	int r = open_local(store, report);

	if (r == 0 && store->local)
		store->local_odb = git_repo_odb(store->local);
	return r;
}

/* ---- what is garbage ---- */

#define FACES "refs/heads/faces"
#define NUMBER_SIZE 24

static void free_table(struct table **table)
{
	table_free(*table);
}

/* A tree of the faces of all branches, live and dropped. */
static int write_faces(struct store *store, const struct table *table,
		       struct oid *ret_tree)
{
	size_t most = table->branch_count + 1, count = 0;
	scoped_free struct tree_entry *entries = calloc(most, sizeof(*entries));
	scoped_free char *names = calloc(most, NUMBER_SIZE);

	if (!entries || !names)
		return -ENOMEM;
	for (size_t i = 0; i < table->branch_count; i++) {
		const struct table_branch *b = &table->branches[i];
		char *name = names + count * NUMBER_SIZE;

		if (oid_is_zero(&b->local))
			continue;
		snprintf(name, NUMBER_SIZE, "%" PRIu64, b->incarnation);
		entries[count++] = (struct tree_entry){
			.mode = MODE_TREE, .oid = b->local, .name = name,
		};
	}
	return tree_write(store->local_odb, entries, count, ret_tree);
}

static int write_commit(struct store *store, const struct oid *tree,
			struct oid *ret_commit)
{
	struct signature nobody = {
		.name = (char *)"irminfs", .email = (char *)"irminfs@localhost",
		.time = store_now(store),
	};
	struct commit commit = {
		.tree = *tree, .author = nobody, .committer = nobody,
		.message = (char *)"What irminfs needs of this repository\n",
	};

	return commit_write(store->local_odb, &commit, ret_commit);
}

/* Names what is needed, for git. */
static int name_faces(void *context)
{
	struct store *store = context;
	scoped(free_table) struct table *table = NULL;
	struct oid tree, commit, before = { 0 };
	int r = engine_table(store->engine, &table);

	if (r == 0)
		r = write_faces(store, table, &tree);
	if (r == 0)
		r = write_commit(store, &tree, &commit);
	if (r == 0)
		r = odb_flush(store->local_odb);
	if (r == 0)
		r = git_ref_read(store->local, FACES, &before);
	if (r == -ENOENT)
		r = 0;
	return r < 0 || oid_equal(&before, &commit) ? r :
	       git_ref_update(store->local, FACES, &before, &commit,
			      "irminfs");
}

void store_start_housekeeping(struct store *store)
{
	housekeeping_new(store->repo, &store->housekeeping);
	if (store->local)
		housekeeping_new_collecting(store->local, name_faces, store,
					    store->options.clock ?
						    store->options.clock :
						    clock_real,
					    &store->local_housekeeping);
}

void store_stop_housekeeping(struct store *store)
{
	housekeeping_free(STEAL(store->housekeeping));
	housekeeping_free(STEAL(store->local_housekeeping));
}
