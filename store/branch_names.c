/* SPDX-License-Identifier: ISC */
#include "store/store_private.h"

#include <errno.h>

/* ---- spaces: folders of names ---- */

static struct space *space_find(struct store *store, const char *name,
				size_t length)
{
	struct space *s;

	HASH_FIND(hh, store->spaces, name, length, s);
	return s;
}

static int space_count(struct store *store, const char *name, size_t length)
{
	struct space *s = space_find(store, name, length);

	if (s) {
		s->branches++;
		return 0;
	}
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->name = strndup(name, length);
	if (s->name) {
		s->branches = 1;
		HASH_ADD_KEYPTR(hh, store->spaces, s->name, length, s);
		if (s->hh.tbl)
			return 0;
	}
	free(s->name);
	free(s);
	return -ENOMEM;
}

static void space_discount(struct store *store, const char *name, size_t length)
{
	struct space *s = space_find(store, name, length);

	if (!s || --s->branches)
		return;
	HASH_DEL(store->spaces, s);
	free(s->name);
	free(s);
}

/* Undoes spaces_add for the folders of name up to (not including) end. */
static void spaces_remove(struct store *store, const char *name,
			  const char *end)
{
	for (const char *p = strchr(name, '/'); p && p != end;
	     p = strchr(p + 1, '/'))
		space_discount(store, name, p - name);
}

static int spaces_add(struct store *store, const char *name)
{
	for (const char *p = strchr(name, '/'); p; p = strchr(p + 1, '/')) {
		int r = space_count(store, name, p - name);

		if (r) {
			spaces_remove(store, name, p);
			return r;
		}
	}
	return 0;
}

bool store_is_space(struct store *store, const char *name)
{
	SCOPED_LOCK(&store->lock);
	return space_find(store, name, strlen(name)) != NULL;
}

/* ---- names ---- */

struct name *name_new(const char *text)
{
	struct name *name = calloc(1, sizeof(*name));

	if (!name)
		return NULL;
	name->text = strdup(text);
	if (!name->text) {
		free(name);
		return NULL;
	}
	return name;
}

void name_free(struct name *name)
{
	if (!name)
		return;
	free(name->text);
	free(name);
}

int name_insert_locked(struct store *store, struct name *name,
		       struct branch *b)
{
	int r = spaces_add(store, name->text);

	if (r)
		return r;
	name->branch = b;
	HASH_ADD_KEYPTR(hh, store->names, name->text, strlen(name->text), name);
	if (!name->hh.tbl) {
		spaces_remove(store, name->text, NULL);
		return -ENOMEM;
	}
	return 0;
}

void name_remove_locked(struct store *store, struct name *name)
{
	HASH_DEL(store->names, name);
	spaces_remove(store, name->text, NULL);
}

struct branch *store_find_locked(struct store *store, const char *name)
{
	struct name *found;

	HASH_FIND_STR(store->names, name, found);
	return found ? found->branch : NULL;
}

struct branch *store_find_incarnation_locked(struct store *store,
					     uint64_t incarnation)
{
	struct branch *b;

	HASH_FIND(hh, store->branches, &incarnation, sizeof(incarnation), b);
	return b;
}

/* ---- checks ---- */

static int check_form(const char *name, struct report *report)
{
	scoped_buffer struct buffer quoted = { 0 };
	int r = git_branch_check_name(name);

	if (!r)
		return 0;
	if (quote_path(name, &quoted) || !quoted.data)
		return report_set(report, r, "The name is not valid.");
	if (r == -ENAMETOOLONG)
		return report_set(report, r, "The name %.60s... is too long "
				  "for a branch.", quoted.data);
	return report_set(report, r, "%.200s is not a valid name for a branch "
			  "(see git-check-ref-format).", quoted.data);
}

/* Whether the branch `except` is all that is below the folder `name`. */
static bool is_only_below(const struct space *s, const struct branch *except)
{
	size_t length = strlen(s->name);

	return s->branches == 1 && except && !except->dropped &&
	       !strncmp(except->name, s->name, length) &&
	       except->name[length] == '/';
}

static int check_prefixes(struct store *store, const char *name,
			  struct branch *except, struct report *report)
{
	for (const char *p = strchr(name, '/'); p; p = strchr(p + 1, '/')) {
		struct name *found;

		HASH_FIND(hh, store->names, name, (size_t)(p - name), found);
		if (found && found->branch != except)
			return report_set(report, -EEXIST, "%s is a branch, so "
					  "there cannot be a branch %s.",
					  found->text, name);
	}
	return 0;
}

int store_check_name_locked(struct store *store, const char *name,
			    struct branch *except, struct report *report)
{
	struct branch *found;
	struct space *s;
	int r = check_form(name, report);

	if (r)
		return r;
	found = store_find_locked(store, name);
	if (found && found != except)
		return report_set(report, -EEXIST,
				  "There is a branch %s already.", name);
	s = space_find(store, name, strlen(name));
	if (s && !is_only_below(s, except))
		return report_set(report, -EEXIST, "There are branches below "
				  "%s/, so %s cannot be a branch.", name, name);
	return check_prefixes(store, name, except, report);
}

/* ---- branches in and out ---- */

int store_insert_locked(struct store *store, struct branch *b)
{
	int r;

	HASH_ADD(hh, store->branches, incarnation, sizeof(b->incarnation), b);
	if (!b->hh.tbl)
		return -ENOMEM;
	if (b->dropped)
		return 0;
	r = name_insert_locked(store, b->entry, b);
	if (r)
		HASH_DEL(store->branches, b);
	return r;
}

void store_remove_locked(struct store *store, struct branch *b, int64_t dropped)
{
	if (!b->dropped)
		name_remove_locked(store, b->entry);
	b->dropped = dropped;
	if (dropped)
		return;
	b->gone = true;
	HASH_DEL(store->branches, b);
}

/* ---- looking ---- */

int store_branch(struct store *store, const char *name,
		 struct branch **ret_branch)
{
	struct branch *b;

	SCOPED_LOCK(&store->lock);
	b = store_find_locked(store, name);
	if (!b)
		return -ENOENT;
	*ret_branch = branch_ref(b);
	return 0;
}

int store_branch_anew(struct store *store, const char *name,
		      struct branch **ret_branch)
{
	int r = store_branch(store, name, ret_branch);

	if (r == -ENOENT && store_find_outside(store, name))
		r = store_branch(store, name, ret_branch);
	return r;
}

struct child {
	char *name;
	bool is_branch;
};

struct children {
	struct child *child;
	size_t count, capacity;
};

static void children_release(struct children *c)
{
	for (size_t i = 0; i < c->count; i++)
		free(c->child[i].name);
	free(c->child);
}

static int children_add(struct children *c, const char *name, size_t length,
			bool is_branch)
{
	if (c->count == c->capacity) {
		size_t more = c->capacity ? 2 * c->capacity : 16;
		struct child *grown = reallocarray(c->child, more,
						   sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		c->child = grown;
		c->capacity = more;
	}
	c->child[c->count].name = strndup(name, length);
	if (!c->child[c->count].name)
		return -ENOMEM;
	c->child[c->count++].is_branch = is_branch;
	return 0;
}

/* Adds what of text is a direct child of space: a branch's name gives the
 * branch, a space's name the folder. */
static int add_direct(struct children *c, const char *space, const char *text,
		      bool is_branch)
{
	size_t length = strlen(space);

	if (length) {
		if (strncmp(text, space, length) || text[length] != '/')
			return 0;
		text += length + 1;
	}
	if (strchr(text, '/'))
		return 0;
	return children_add(c, text, strlen(text), is_branch);
}

static int collect_children(struct store *store, const char *space,
			    struct children *c)
{
	struct name *name, *next_name;
	struct space *s, *next_space;
	int r;

	SCOPED_LOCK(&store->lock);
	if (*space && !space_find(store, space, strlen(space)))
		return -ENOENT;
	HASH_ITER(hh, store->names, name, next_name) {
		r = add_direct(c, space, name->text, true);
		if (r)
			return r;
	}
	HASH_ITER(hh, store->spaces, s, next_space) {
		r = add_direct(c, space, s->name, false);
		if (r)
			return r;
	}
	return 0;
}

static int compare_children(const void *a, const void *b)
{
	const struct child *left = a, *right = b;

	return strcmp(left->name, right->name);
}

int store_list(struct store *store, const char *space, store_visit *visit,
	       void *context)
{
	scoped(children_release) struct children c = { 0 };
	int r = collect_children(store, space, &c);

	if (r)
		return r;
	if (c.count)
		qsort(c.child, c.count, sizeof(*c.child), compare_children);
	for (size_t i = 0; i < c.count; i++) {
		r = visit(context, c.child[i].name, c.child[i].is_branch);
		if (r)
			return r;
	}
	return 0;
}
