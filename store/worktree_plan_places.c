/* SPDX-License-Identifier: ISC */
#include "store/local_table.h"
#include "store/worktree_plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

/* Following stored trees in a directory of a type, whose entries are stored at
 * places in folders: first it is gathered which places get an object and which
 * files or whole folders go, then both become steps for entries. */

struct wanted {
	char *place;
	uint32_t mode;
	struct oid oid;
	struct plan_facts facts;	/* merged 0: none */
	struct local *local;		/* of facts, if it is ours to free */
};

/* Memory for texts, which all live as long as the gathering.  For a merge of few
 * changes that on the stack is enough: pieces from the heap of a daemon with a long
 * queue are far apart, and in no cache. */
#define TEXT_SIZE 2048

struct text {
	struct text *next;
	size_t used;
	_Alignas(max_align_t) char bytes[TEXT_SIZE];
};

/* A name that the plan takes or frees. */
struct named {
	bool taken;
	UT_hash_handle hh;
	char name[];
};

struct gathering {
	struct plan *plan;
	struct directory *d;
	size_t at;			/* its place among plan->touched */
	struct wanted *wanted;
	size_t count, capacity;
	char **gone;			/* files, or folders with all in them */
	size_t gone_count, gone_capacity;
	bool all;			/* what is not wanted goes */
	struct named *names;
	struct buffer path;
	struct text *texts;		/* NULL: `text` is enough so far */
	struct text text;
};

static void gathering_release(struct gathering *g)
{
	HASH_CLEAR(hh, g->names);
	for (size_t i = 0; i < g->count; i++)
		local_free(g->wanted[i].local);
	free(g->wanted);
	free(g->gone);
	buffer_release(&g->path);
	while (g->texts) {
		struct text *next = g->texts->next;

		free(g->texts);
		g->texts = next;
	}
}

/* NULL: no memory. */
static void *take_memory(struct gathering *g, size_t size)
{
	struct text *t = g->texts ?: &g->text;
	size_t rounded = (size + 15) / 16 * 16;

	if (rounded > TEXT_SIZE - t->used) {
		/* what it is asked for stands behind it, of any size */
		t = malloc(sizeof(*t) + rounded);
		if (!t)
			return NULL;
		t->next = g->texts;
		t->used = 0;
		g->texts = t;
		return t + 1;
	}
	t->used += rounded;
	return t->bytes + t->used - rounded;
}

static char *copy_text(struct gathering *g, const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = take_memory(g, size);

	return copy ? memcpy(copy, text, size) : NULL;
}

/* ---- gathering ---- */

static int want(void *context, const char *place, const struct tree_entry *e)
{
	struct gathering *g = context;
	struct wanted *grown = plan_grow(g->wanted, g->count, &g->capacity,
					 sizeof(*grown));
	char *copy;

	if (!grown)
		return -ENOMEM;
	g->wanted = grown;
	copy = copy_text(g, place);
	if (!copy)
		return -ENOMEM;
	grown[g->count++] = (struct wanted){
		.place = copy, .mode = e->mode, .oid = e->oid,
	};
	return 0;
}

static int give_up(struct gathering *g, const char *path)
{
	char **grown = plan_grow(g->gone, g->gone_count, &g->gone_capacity,
				 sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	g->gone = grown;
	grown[g->gone_count] = copy_text(g, path);
	return grown[g->gone_count] ? (g->gone_count++, 0) : -ENOMEM;
}

/* Facts at a path below a table; NULL: none. */
static int find_facts(struct odb *odb, const struct local_ref *table,
		      const char *path, struct local **ret)
{
	const char *slash = strchr(path, '/');
	scoped_free char *name = slash ? strndup(path, slash - path) :
					 strdup(path);
	scoped_local struct local *local = NULL;
	int r = name ? local_table_find(odb, table, name, &local) : -ENOMEM;

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (!slash)
		*ret = STEAL(local);
	else if (local->bits & LOCAL_TABLE)
		r = find_facts(odb, &local->table, slash + 1, ret);
	return r;
}

/* A folder comes with its facts: those of the files in it. */
static int add_facts(struct gathering *g, size_t from, size_t prefix,
		     const struct local *folder)
{
	struct odb *odb = g->plan->worktree->options.local;
	int r = 0;

	if (!odb || !(folder->bits & LOCAL_TABLE))
		return 0;
	for (size_t i = from; r == 0 && i < g->count; i++) {
		struct wanted *wanted = &g->wanted[i];

		r = find_facts(odb, &folder->table, wanted->place + prefix,
			       &wanted->local);
		if (r == 0 && wanted->local)
			wanted->facts = (struct plan_facts){
				wanted->local, DELTA_MERGED,
			};
	}
	return r;
}

static int gather_tree(struct gathering *g, const struct oid *oid,
		       const struct delta_entry *entry)
{
	scoped_buffer struct buffer prefix = { 0 };
	size_t from = g->count;
	int r = buffer_printf(&prefix, "%s/", g->path.data);

	if (r == 0)
		r = give_up(g, g->path.data);
	if (r == 0)
		r = places_walk(g->d->places->type,
				g->plan->worktree->options.odb, oid,
				prefix.data, want, g);
	return r == 0 && entry->merged && entry->local ?
		add_facts(g, from, prefix.length, entry->local) : r;
}

static bool is_element(const struct gathering *g, const char *place)
{
	char key[DIRECTORY_KEY_SIZE];
	const char *name;

	return g->d->places->type->parse(place, key, &name) == 0;
}

static int gather_object(struct gathering *g, const struct delta_entry *entry)
{
	const struct tree_entry e = { .mode = entry->mode, .oid = entry->oid };
	int r = 0;

	if (e.mode == MODE_TREE)
		return gather_tree(g, &e.oid, entry);
	/* it may be where a folder was, which elements never are */
	if (!is_element(g, g->path.data) && !(entry->merged & DELTA_SET))
		r = give_up(g, g->path.data);
	if (r == 0)
		r = want(g, g->path.data, &e);
	if (r == 0 && entry->local)
		g->wanted[g->count - 1].facts = (struct plan_facts){
			entry->local, entry->merged,
		};
	return r;
}

static int gather(struct gathering *g, const struct delta *delta)
{
	size_t length = g->path.length;
	int r = length ? buffer_puts(&g->path, "/") : 0;
	size_t begin = g->path.length;

	for (size_t i = 0; i < delta->count && r == 0; i++) {
		const struct delta_entry *e = &delta->entries[i];

		r = buffer_puts(&g->path, e->name);
		if (r < 0)
			break;
		if (e->kind == DELTA_REMOVED)
			r = give_up(g, g->path.data);
		else if (e->kind != DELTA_DIRECTORY)
			r = gather_object(g, e);
		else if (e->directory->complete)
			r = gather_tree(g, plan_oid_of(e), e);
		else
			r = gather(g, e->directory);
		g->path.length = begin;
	}
	g->path.length = length;
	if (g->path.data)
		g->path.data[length] = '\0';
	return r;
}

static int compare_wanted(const void *a, const void *b)
{
	const struct wanted *x = a, *y = b;

	return strcmp(x->place, y->place);
}

static int compare_texts(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

static bool is_wanted(const struct gathering *g, const char *place)
{
	struct wanted key = { .place = (char *)place };

	return g->count && bsearch(&key, g->wanted, g->count, sizeof(key),
				   compare_wanted);
}

/* ---- names ---- */

static int note_name(struct gathering *g, const char *name, bool taken)
{
	struct named *named;

	HASH_FIND_STR(g->names, name, named);
	if (!named) {
		size_t length = strlen(name);

		named = take_memory(g, sizeof(*named) + length + 1);
		if (!named)
			return -ENOMEM;
		memcpy(named->name, name, length + 1);
		HASH_ADD_KEYPTR(hh, g->names, named->name, length, named);
		if (!named->hh.tbl)
			return -ENOMEM;
	}
	named->taken = taken;
	return 0;
}

static bool is_free(const void *context, const char *name)
{
	const struct gathering *g = context;
	struct named *named;

	HASH_FIND_STR(g->names, name, named);
	return named ? !named->taken : places_is_free(g->d, name);
}

/* ---- what goes ---- */

static int blame(struct gathering *g, const char *place)
{
	return buffer_printf(&g->plan->path, "/%s", place) ?: -EAGAIN;
}

static int take_away(struct gathering *g, struct entry *e)
{
	size_t steps = g->plan->step_count;
	int r = plan_remove_entry(g->plan, g->at, e, false);

	if (r == -EAGAIN)
		return blame(g, places_of(g->d, e));
	return r == 0 && g->plan->step_count > steps ?
		note_name(g, e->name, false) : r;
}

/* Whether a path is one of those, or in one of those folders. */
static bool is_in(char *const *folders, size_t count, const char *place)
{
	scoped_free char *copy = strdup(place);
	const char *key = copy;

	if (!copy)
		return false;
	for (size_t i = 0;; i++) {
		char c = copy[i];

		if (c && c != '/')
			continue;
		copy[i] = '\0';
		if (bsearch(&key, folders, count, sizeof(*folders),
			    compare_texts))
			return true;
		if (!c)
			return false;
		copy[i] = c;
	}
}

/* Files that are known by their places need no look at all the others. */
static int remove_files(struct gathering *g)
{
	size_t left = 0;
	int r = 0;

	for (size_t i = 0; i < g->gone_count && r == 0; i++) {
		char *place = g->gone[i];
		struct entry *e = places_find(g->d, place);

		if (e && !is_wanted(g, place))
			r = take_away(g, e);
		else if (places_is_gone(g->d, place))
			r = blame(g, place);
		if (!e && !is_element(g, place))
			g->gone[left++] = place;
	}
	g->gone_count = left;
	return r;
}

static int remove_unwanted(void *context, struct entry *e)
{
	struct gathering *g = context;

	return is_wanted(g, places_of(g->d, e)) ? 0 : take_away(g, e);
}

/* Whether one before it, in their order, is the same or has it in it. */
static bool is_done(const struct gathering *g, size_t i)
{
	scoped_free char *above = strdup(g->gone[i]);
	char *slash = above ? strrchr(above, '/') : NULL;

	if (i && strcmp(g->gone[i - 1], g->gone[i]) == 0)
		return true;
	if (slash)
		*slash = '\0';
	return slash && is_in(g->gone, g->gone_count, above);
}

static int remove_folders(struct gathering *g)
{
	struct directory *d = g->d;
	int r = 0;

	if (!g->gone_count && !g->all)
		return 0;
	if (g->gone_count)
		qsort(g->gone, g->gone_count, sizeof(*g->gone), compare_texts);
	for (uint32_t i = 0; i < d->places->gone_count && r == 0; i++)
		if (g->all || is_in(g->gone, g->gone_count,
				    d->places->gone[i]))
			r = blame(g, d->places->gone[i]);
	for (uint32_t i = 0; i < d->count && g->all && r == 0; i++)
		if (d->entries[i].live)
			r = remove_unwanted(g, &d->entries[i]);
	for (size_t i = 0; i < g->gone_count && !g->all && r == 0; i++)
		if (!is_done(g, i))
			r = places_each_in(d, g->gone[i], remove_unwanted, g);
	return r;
}

/* ---- what comes ---- */

static const struct plan_facts *facts_of(const struct wanted *wanted)
{
	return wanted->facts.merged ? &wanted->facts : NULL;
}

static int add(struct gathering *g, const struct wanted *wanted)
{
	const struct tree_entry object = {
		.mode = wanted->mode, .oid = wanted->oid,
	};
	char key[DIRECTORY_KEY_SIZE], shown[NAME_LENGTH_MAX + 1];
	const char *name = wanted->place;
	int r;

	if (places_is_gone(g->d, wanted->place))
		return blame(g, wanted->place);
	if (wanted->mode != MODE_SUBMODULE)
		g->d->places->type->parse(wanted->place, key, &name);
	places_free_name_by(is_free, g, name, NAME_LENGTH_MAX, shown);
	r = plan_put_entry(g->plan, g->at, NULL, shown, wanted->place, &object,
			   facts_of(wanted));
	return r < 0 ? r : note_name(g, shown, true);
}

static int add_or_change(struct gathering *g, const struct wanted *wanted)
{
	struct entry *e = places_find(g->d, wanted->place);
	const struct tree_entry stored = {
		.mode = wanted->mode, .oid = wanted->oid,
	};
	int r;

	if (!e)
		return add(g, wanted);
	if (!e->stored)
		return blame(g, wanted->place);
	if (plan_is_same_entry(e, &stored)) {
		r = wanted->facts.merged & DELTA_SET ?
			plan_set_facts(g->plan, g->at, e, &wanted->facts) : 0;
		return r == -EAGAIN ? blame(g, wanted->place) : r;
	}
	r = plan_put_entry(g->plan, g->at, e, e->name, NULL, &stored,
			   facts_of(wanted));
	return r == -EAGAIN ? blame(g, wanted->place) : r;
}

/* Names in the order of keys, as when it is loaded; foreign files last. */
static int add_all(struct gathering *g)
{
	int r = 0;

	for (int foreign = 0; foreign < 2; foreign++)
		for (size_t i = 0; i < g->count && r == 0; i++)
			if (is_element(g, g->wanted[i].place) != foreign)
				r = add_or_change(g, &g->wanted[i]);
	return r;
}

static int make_steps(struct gathering *g)
{
	int r;

	if (g->count)
		qsort(g->wanted, g->count, sizeof(*g->wanted), compare_wanted);
	r = remove_files(g);
	if (r == 0)
		r = remove_folders(g);
	return r < 0 ? r : add_all(g);
}

int plan_follow_places(struct plan *plan, struct node *dir,
		       const struct delta *delta, const struct oid *oid)
{
	scoped(gathering_release) struct gathering g = {
		.plan = plan, .d = dir->directory, .all = !delta,
	};
	int r = plan_touch(plan, dir, oid, false, &g.at);

	if (r == 0)
		r = delta ? gather(&g, delta) :
			    places_walk(g.d->places->type,
					plan->worktree->options.odb, oid, "",
					want, &g);
	return r < 0 ? r : make_steps(&g);
}
