/* SPDX-License-Identifier: ISC */
#include "store/store_private.h"

#include <errno.h>

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
