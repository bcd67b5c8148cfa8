/* SPDX-License-Identifier: ISC */
#include "store/control_private.h"
#include "store/local_bases.h"
#include "store/tree.h"

#include <errno.h>
#include <stdio.h>

/* Checks the local faces: every table that is reached from the roots in the branch
 * table is read and decoded, and all that it names is looked for.  Nothing is
 * repaired; mounting begins a face anew where it cannot be read, and says so. */

#define OBJECTS_MAX ((size_t)1 << 20)
#define PROBLEMS_MAX 1000

struct checking {
	struct store *store;
	json_t *problems;
	struct oid_set seen;
	const struct table_branch *branch;
	const char *when;		/* a face that it remembers, or "" */
	struct buffer path;
	unsigned int depth;
};

static bool is_full(const struct checking *c)
{
	return c->seen.count >= OBJECTS_MAX ||
	       json_array_size(c->problems) >= PROBLEMS_MAX;
}

static int add_problem(struct checking *c, const char *what,
		       const struct oid *oid, int error)
{
	scoped_buffer struct buffer text = { 0 };
	char hex[OID_HEX_SIZE];
	int r;

	if (error == -ENOMEM)
		return error;
	r = buffer_printf(&text, "%s %s%s: what Git does not hold of \"%s\" "
			  "(times, owners and the like): %s %s %s.",
			  c->branch->dropped ? "Dropped branch" : "Branch",
			  c->branch->name, c->when,
			  c->path.length ? c->path.data : ".", what,
			  oid_hex(oid, hex),
			  error == -EUCLEAN ? "is damaged" :
			  error == -ENOTSUP ? "is of a newer version" :
			  "is missing or cannot be read");
	return r ? r : reply_append(c->problems, json_text(text.data));
}

static int table_problem(void *context, const struct oid *oid, int error)
{
	return add_problem(context, "table", oid, error);
}

/* ---- what rows name ---- */

static int check_object(struct checking *c, const struct oid *oid)
{
	enum object_type type;
	int r = oid_set_add(&c->seen, oid);

	if (r <= 0)
		return r;
	r = odb_read_header(c->store->local_odb, oid, &type, NULL);
	if (!r && type != OBJECT_BLOB)
		r = -EUCLEAN;
	return r ? add_problem(c, "contents", oid, r) : 0;
}

static int check_xattrs(struct checking *c, const struct oid *oid)
{
	scoped_free void *data = NULL;
	size_t size;
	int r = oid_set_add(&c->seen, oid);

	if (r <= 0)
		return r;
	r = odb_read(c->store->local_odb, oid, OBJECT_BLOB, &data, &size);
	if (!r && !local_is_xattrs(data, size))
		r = -EUCLEAN;
	return r ? add_problem(c, "extended attributes", oid, r) : 0;
}

static int check_table(struct checking *c, const struct local_ref *table);

static int check_row(struct checking *c, const struct local *local)
{
	int r = 0;

	if (local->bits & LOCAL_OBJECT)
		r = check_object(c, &local->object);
	if (!r && (local->bits & LOCAL_FAR))
		r = check_xattrs(c, &local->far);
	if (!r && (local->bits & LOCAL_TABLE))
		r = check_table(c, &local->table);
	return r;
}

/* ---- tables ---- */

static int visit_row(void *context, const char *name, struct local *row)
{
	struct checking *c = context;
	scoped_local struct local *local = row;
	size_t length = c->path.length;
	int r = buffer_printf(&c->path, "%s%s", length ? "/" : "", name);

	if (!r)
		r = check_row(c, local);
	c->path.length = length;
	if (c->path.data)
		c->path.data[length] = '\0';
	return r;
}

/* Depth is bounded, so that a made-up table cannot use up the stack. */
static int check_table(struct checking *c, const struct local_ref *table)
{
	int r = oid_set_add(&c->seen, &table->oid);

	if (r <= 0 || is_full(c))
		return r < 0 ? r : 0;
	if (c->depth > TREE_DEPTH_MAX)
		return add_problem(c, "table", &table->oid, -EUCLEAN);
	c->depth++;
	r = local_table_check(c->store->local_odb, table, visit_row,
			      table_problem, c);
	c->depth--;
	return r;
}

/* ---- roots ---- */

static int check_root(struct checking *c, const struct oid *root)
{
	scoped_local struct local *local = NULL;
	int r = oid_set_add(&c->seen, root);

	if (r <= 0)
		return r;
	r = local_root_read(c->store->local_odb, root, &local);
	return r ? add_problem(c, "root", root, r) : check_row(c, local);
}

static int check_base(struct checking *c, const struct local_base *base)
{
	char hex[OID_HEX_SIZE], when[OID_HEX_SIZE + 64];
	int r;

	snprintf(when, sizeof(when), " (as merged at commit %s)",
		 oid_hex(&base->commit, hex));
	c->when = when;
	r = check_root(c, &base->face);
	c->when = "";
	return r;
}

static int check_face(struct checking *c, const struct oid *root)
{
	struct local_bases bases;
	int r = oid_is_zero(root) ? 1 : check_root(c, root);

	if (r)
		return r < 0 ? r : 0;
	/* without its root nothing of it can be read, which has been said */
	r = local_bases_read(c->store->local_odb, root, &bases);
	if (r == -EUCLEAN)
		return add_problem(c, "root", root, r);
	for (size_t i = 0; !r && i < bases.count; i++)
		r = check_base(c, &bases.base[i]);
	return r == -ENOMEM ? r : 0;
}

int control_fsck_local(struct store *store, json_t *problems)
{
	struct checking c = {
		.store = store, .problems = problems, .when = "",
	};
	struct table *table;
	int r = store->local_odb ? engine_table(store->engine, &table) : 1;

	if (r)
		return r < 0 ? r : 0;
	for (size_t i = 0; !r && i < table->branch_count; i++) {
		c.branch = &table->branches[i];
		r = check_face(&c, &c.branch->local);
	}
	oid_set_release(&c.seen);
	buffer_release(&c.path);
	table_free(table);
	return r;
}
