/* SPDX-License-Identifier: ISC */
#include "store/control_private.h"

/* ---- lists ---- */

struct listing {
	struct store *store;
	json_t *array;
	bool no_heads;			/* of live ones */
};

/* What is queued is waited for, since no other head may be shown; but a store
 * that cannot save at present, or a branch that went meanwhile, does not keep
 * the list from being shown. */
static void published_head(struct store *store,
			   const struct branch_facts *facts, struct oid *ret)
{
	struct branch *b;

	*ret = facts->head;
	if (store_branch(store, facts->name, &b))
		return;
	branch_head(b, ret);
	branch_unref(b);
}

static int set_head(const struct listing *l, const struct branch_facts *facts,
		    json_t *entry)
{
	struct oid head;

	if (l->no_heads)
		return 0;
	published_head(l->store, facts, &head);
	return reply_set(entry, "head", json_oid(&head));
}

static int add_live(void *context, const struct branch_facts *facts)
{
	struct listing *l = context;
	json_t *entry = json_object();
	int r = reply_set(entry, "name", json_text(facts->name));

	if (!r)
		r = set_head(l, facts, entry);
	if (!r)
		r = reply_set(entry, "changed", json_boolean(facts->changed));
	if (!r)
		r = reply_set(entry, "conflicts",
			      json_integer(facts->conflicts));
	if (!r && facts->readonly)
		r = reply_set(entry, "readonly", json_text(facts->readonly));
	if (!r && facts->stuck)
		r = reply_set(entry, "stuck", json_text(facts->stuck));
	if (r) {
		json_decref(entry);
		return r;
	}
	return reply_append(l->array, entry);
}

static int add_dropped(void *context, const struct branch_facts *facts)
{
	struct listing *l = context;
	json_t *entry = json_object();
	int r = reply_set(entry, "name", json_text(facts->name));

	if (!r)
		r = reply_set(entry, "head", json_oid(&facts->head));
	if (!r)
		r = reply_set(entry, "dropped", json_integer(facts->dropped));
	if (r) {
		json_decref(entry);
		return r;
	}
	return reply_append(l->array, entry);
}

static int list(struct control *c, bool dropped, json_t *reply)
{
	struct listing l = {
		.store = c->store, .array = json_array(),
		.no_heads = json_is_false(json_object_get(c->request, "heads")),
	};
	int r = store_each(c->store, dropped, dropped ? add_dropped : add_live,
			   &l);

	if (r) {
		json_decref(l.array);
		return r;
	}
	return reply_set(reply, "branches", l.array);
}

int control_branches(struct control *c, json_t *reply)
{
	return list(c, false, reply);
}

int control_dropped(struct control *c, json_t *reply)
{
	return list(c, true, reply);
}

/* ---- changes ---- */

int control_make(struct control *c, json_t *reply)
{
	const char *name;
	int r = request_text(c, "branch", &name);

	return r ? r : store_make(c->store, name, c->caller, &c->report);
}

int control_fork(struct control *c, json_t *reply)
{
	const char *from, *name;
	struct branch *b;
	struct oid commit;
	int r = request_text(c, "from", &from);

	if (!r)
		r = request_text(c, "branch", &name);
	if (r)
		return r;
	if (!store_branch_anew(c->store, from, &b)) {
		r = store_fork(c->store, b, name, c->caller, &c->report);
		branch_unref(b);
		return r;
	}
	r = control_resolve(c, from, &commit);
	return r ? r : store_fork_commit(c->store, &commit, name, c->caller,
					 &c->report);
}

int control_rename(struct control *c, json_t *reply)
{
	const char *to;
	struct branch *b;
	int r = request_text(c, "to", &to);

	if (!r)
		r = request_branch(c, "branch", &b);
	if (r)
		return r;
	r = store_rename(c->store, b, to, c->caller, &c->report);
	branch_unref(b);
	return r;
}

int control_swap(struct control *c, json_t *reply)
{
	struct branch *a, *b;
	int r = request_branch(c, "branch", &a);

	if (r)
		return r;
	r = request_branch(c, "with", &b);
	if (!r) {
		r = store_swap(c->store, a, b, c->caller, &c->report);
		branch_unref(b);
	}
	branch_unref(a);
	return r;
}

int control_drop(struct control *c, json_t *reply)
{
	struct branch *b;
	int r = request_branch(c, "branch", &b);

	if (r)
		return r;
	r = store_drop(c->store, b, c->caller, &c->report);
	branch_unref(b);
	return r;
}

int control_restore(struct control *c, json_t *reply)
{
	const char *name, *as;
	int r = request_text(c, "branch", &name);

	if (!r)
		r = request_optional(c, "as", &as);
	return r ? r : store_restore(c->store, name, as, c->caller, &c->report);
}

static int merge_into(struct control *c, struct branch *from,
		      struct branch *into, json_t *reply)
{
	bool keep = json_is_true(json_object_get(c->request, "keep"));
	struct oid head;
	int r = store_merge(c->store, from, into, !keep, c->caller, &c->report);

	if (!r)
		r = branch_head(into, &head);
	return r ? r : reply_set(reply, "head", json_oid(&head));
}

int control_merge(struct control *c, json_t *reply)
{
	struct branch *from, *into;
	int r = request_branch(c, "from", &from);

	if (r)
		return r;
	r = request_branch(c, "into", &into);
	if (!r) {
		r = merge_into(c, from, into, reply);
		branch_unref(into);
	}
	branch_unref(from);
	return r;
}
