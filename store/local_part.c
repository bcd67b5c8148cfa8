/* SPDX-License-Identifier: ISC */
#include "store/local_table.h"
#include "store/tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Tables without hard links. */

struct parting {
	struct odb *odb;
	unsigned int depth;
	struct local_change *changes;
	size_t count, capacity;
};

static void parting_release(struct parting *p)
{
	for (size_t i = 0; i < p->count; i++) {
		free((char *)p->changes[i].name);
		local_free((struct local *)p->changes[i].local);
	}
	free(p->changes);
}

static int part(struct odb *odb, struct local_ref *table, unsigned int depth);

static int part_row(void *context, const char *name, struct local *row)
{
	scoped_local struct local *local = row;
	struct parting *p = context;
	size_t more = p->capacity ? 2 * p->capacity : 16;
	struct local_change *grown;
	int r = 0;

	if (!(local->bits & (LOCAL_GROUP | LOCAL_LINKS_BELOW)))
		return 0;
	if ((local->bits & LOCAL_LINKS_BELOW) && (local->bits & LOCAL_TABLE))
		r = part(p->odb, &local->table, p->depth + 1);
	local->bits &= ~(LOCAL_GROUP | LOCAL_LINKS_BELOW);
	if (r == 0 && p->count == p->capacity) {
		grown = reallocarray(p->changes, more, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		p->changes = grown;
		p->capacity = more;
	}
	name = r == 0 ? strdup(name) : NULL;
	if (!name)
		return r < 0 ? r : -ENOMEM;
	p->changes[p->count++] = (struct local_change){
		name, local->bits ? STEAL(local) : NULL,
	};
	return 0;
}

static int part(struct odb *odb, struct local_ref *table, unsigned int depth)
{
	scoped(parting_release) struct parting p = {
		.odb = odb, .depth = depth,
	};
	uint64_t own;
	int r = depth > TREE_DEPTH_MAX ? -EUCLEAN :
		local_table_each(odb, table, part_row, &p);

	return r < 0 || !p.count ? r :
	       local_table_change(odb, table, p.changes, p.count, table, &own);
}

int local_table_part(struct odb *odb, struct local_ref *table)
{
	return part(odb, table, 0);
}
