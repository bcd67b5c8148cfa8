/* SPDX-License-Identifier: ISC */
#include "store/contents.h"
#include "store/directory_places.h"
#include "store/directory_private.h"
#include "store/util.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- what is below a tree ---- */

/* Trees may share what is below them: a push of some KiB can stand for more files
 * than fit in memory.  Elements cannot, as each has its key: they bring room for the
 * folders that they are in.  All else is bounded, in bytes that it takes in memory,
 * and in time. */
#define STRANGE_MAX ((int64_t)1 << 29)
#define FOLDER_COST 512
#define FOREIGN_COST 128
#define ELEMENT_GIVES ((int64_t)16 * FOLDER_COST)

struct walk {
	const struct directory_type *type;
	struct odb *odb;
	struct buffer path;
	place_visit *visit;
	void *context;
	int64_t room;			/* of STRANGE_MAX */
};

static int visit_file(struct walk *walk, const struct tree_entry *e)
{
	char key[DIRECTORY_KEY_SIZE];
	const char *name;

	if (walk->type->parse(walk->path.data, key, &name) == 0)
		walk->room += ELEMENT_GIVES;
	else
		walk->room -= FOREIGN_COST + (int64_t)walk->path.length;
	return walk->room < 0 ? -EFBIG :
				walk->visit(walk->context, walk->path.data, e);
}

static int walk_folder(struct walk *walk, const struct tree_entry *folder,
		       unsigned int depth);

static int walk_tree(struct walk *walk, const struct tree *tree,
		     unsigned int depth)
{
	size_t length = walk->path.length;
	int r = 0;

	for (size_t i = 0; i < tree->count && r == 0; i++) {
		const struct tree_entry *e = &tree->entries[i];

		r = buffer_puts(&walk->path, e->name);
		if (r == 0)
			r = e->mode == MODE_TREE ?
				walk_folder(walk, e, depth + 1) :
				visit_file(walk, e);
		walk->path.length = length;
	}
	return r;
}

/* Or a file that is stored as one. */
static int walk_folder(struct walk *walk, const struct tree_entry *folder,
		       unsigned int depth)
{
	struct tree_entry e = *folder;
	struct tree *tree;
	int r;

	walk->room -= FOLDER_COST;
	if (walk->room < 0)
		return -EFBIG;
	r = depth > TREE_DEPTH_MAX ? -EUCLEAN :
				     tree_read(walk->odb, &e.oid, &tree);
	if (r < 0)
		return r;
	if (contents_may_be_rope(tree))
		r = contents_recognise(walk->odb, &e.oid, &e.mode, NULL);
	if (r == 0 && mode_is_rope(e.mode))
		r = visit_file(walk, &e);
	else if (r == 0)
		r = buffer_puts(&walk->path, "/") ?:
			walk_tree(walk, tree, depth);
	tree_free(tree);
	return r;
}

int places_walk(const struct directory_type *type, struct odb *odb,
		const struct oid *oid, const char *prefix, place_visit *visit,
		void *context)
{
	struct walk walk = {
		.type = type, .odb = odb, .visit = visit, .context = context,
		.room = STRANGE_MAX,
	};
	struct tree *tree;
	int r = buffer_puts(&walk.path, prefix);

	if (r == 0)
		r = tree_read(odb, oid, &tree);
	if (r < 0) {
		buffer_release(&walk.path);
		return r;
	}
	r = walk_tree(&walk, tree, 0);
	tree_free(tree);
	buffer_release(&walk.path);
	return r;
}

/* ---- loading a directory of a type ---- */

struct loaded {
	struct entry entry;
	size_t place;			/* offset in the text */
	bool foreign;
};

struct loading {
	const struct directory_type *type;
	struct loaded *entries;
	size_t count, capacity;
	struct buffer text;
};

static void loading_release(struct loading *l)
{
	free(l->entries);
	buffer_release(&l->text);
}

static int load_entry(void *context, const char *place,
		      const struct tree_entry *e)
{
	struct loading *l = context;
	char key[DIRECTORY_KEY_SIZE];
	const char *name;

	if (l->count == DIRECTORY_ENTRIES_MAX)
		return -ENOSPC;
	if (l->count == l->capacity) {
		size_t capacity = l->capacity ? 2 * l->capacity : 64;
		struct loaded *more = reallocarray(l->entries, capacity,
						   sizeof(*more));

		if (!more)
			return -ENOMEM;
		l->entries = more;
		l->capacity = capacity;
	}
	l->entries[l->count++] = (struct loaded){
		.entry = { .oid = e->oid, .mode = e->mode },
		.place = l->text.length,
		.foreign = e->mode == MODE_SUBMODULE ||
			   l->type->parse(place, key, &name) < 0,
	};
	return buffer_append(&l->text, place, strlen(place) + 1);
}

/* The name that it is shown by; owned unless it is part of the place. */
static int name_entry(struct directory *d, struct entry *e, const char *place,
		      bool foreign)
{
	char key[DIRECTORY_KEY_SIZE], free_name[NAME_LENGTH_MAX + 1];
	const char *name = place;

	if (!foreign)
		d->places->type->parse(place, key, &name);
	places_free_name(d, name, NAME_LENGTH_MAX, free_name);
	e->owned = strcmp(name, free_name) != 0;
	e->name = e->owned ? strdup(free_name) : (char *)name;
	return e->name ? 0 : -ENOMEM;
}

static int add_entry(struct directory *d, const struct loaded *from,
		     unsigned int epoch)
{
	struct directory_places *p = d->places;
	struct entry *e = &d->entries[d->count];
	int r;

	*e = from->entry;
	p->at[d->count] = p->text + from->place;
	r = name_entry(d, e, p->at[d->count], from->foreign);
	if (r < 0)
		return r;
	e->seq = d->next_seq++;
	e->number = directory_number_of(d, p->at[d->count]);
	e->epoch = epoch;
	e->live = e->stored = 1;
	directory_add_loaded(d);
	places_index_add(p, d->count - 1);
	places_note_key(p, p->at[d->count - 1]);
	return 0;
}

static int add_entries(struct directory *d, const struct loading *l,
		       unsigned int epoch)
{
	int r = directory_reserve(d, l->count);

	for (int foreign = 0; foreign < 2; foreign++)
		for (size_t i = 0; i < l->count && r == 0; i++)
			if (l->entries[i].foreign == foreign)
				r = add_entry(d, &l->entries[i], epoch);
	return r;
}

int places_load(struct directory *d, const struct directory_type *type,
		struct odb *odb, const struct oid *oid, unsigned int epoch)
{
	scoped(loading_release) struct loading l = { .type = type };
	int r = places_walk(type, odb, oid, "", load_entry, &l);

	if (r == 0)
		r = places_new(d, type);
	if (r < 0)
		return r;
	d->places->text_size = l.text.length;
	d->places->text = STEAL(l.text.data);
	r = add_entries(d, &l, epoch);
	d->places->ordered = d->count;
	return r;
}
