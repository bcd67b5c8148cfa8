/* SPDX-License-Identifier: ISC */
#include "structures/queue_private.h"

#include <errno.h>
#include <stdio.h>

struct foreign {
	char *path;
	uint32_t mode;
	struct oid oid;
};

struct walk {
	struct odb *odb;
	queue_visit *visit;
	void *context;
	struct buffer path;		/* of the directory, "" or "a/b/" */
	struct foreign *foreign;	/* to be shown at the end */
	size_t count, capacity;
};

static void walk_release(struct walk *w)
{
	for (size_t i = 0; i < w->count; i++)
		free(w->foreign[i].path);
	free(w->foreign);
	buffer_release(&w->path);
}

static int add_foreign(struct walk *w, const struct tree_entry *entry)
{
	char *path;

	if (w->count == w->capacity) {
		size_t capacity = w->capacity ? w->capacity * 2 : 16;
		struct foreign *more = reallocarray(w->foreign, capacity,
						    sizeof(*more));

		if (!more)
			return -ENOMEM;
		w->foreign = more;
		w->capacity = capacity;
	}
	if (asprintf(&path, "%s%s", w->path.data ? w->path.data : "",
		     entry->name) < 0)
		return -ENOMEM;
	w->foreign[w->count++] = (struct foreign){
		.path = path, .mode = entry->mode, .oid = entry->oid,
	};
	return 0;
}

static int walk_directory(struct walk *w, const struct oid *oid,
			  const struct queue_place *place);

static int walk_below(struct walk *w, const struct tree_entry *entry,
		      const struct queue_place *inner)
{
	size_t length = w->path.length;
	int r = buffer_printf(&w->path, "%s/", entry->name);

	if (r == 0)
		r = walk_directory(w, &entry->oid, inner);
	if (w->path.data) {
		w->path.length = length;
		w->path.data[length] = '\0';
	}
	return r;
}

static int walk_entry(struct walk *w, const struct tree_entry *entry,
		      const struct queue_place *place)
{
	struct queue_element element = { .mode = entry->mode,
					 .oid = entry->oid };
	struct queue_place inner;

	if (queue_place_has(place, entry->name, entry->mode, &element.key,
			    &element.name))
		return w->visit(w->context, &element);
	if (entry->mode == MODE_TREE &&
	    queue_place_enter(place, entry->name, &inner) && inner.keyed)
		return walk_below(w, entry, &inner);
	return add_foreign(w, entry);
}

static int walk_directory(struct walk *w, const struct oid *oid,
			  const struct queue_place *place)
{
	scoped_tree struct tree *tree = NULL;
	int r = tree_read(w->odb, oid, &tree);

	for (size_t i = 0; r == 0 && i < tree->count; i++)
		r = walk_entry(w, &tree->entries[i], place);
	return r;
}

static int visit_foreign(struct walk *w)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < w->count; i++) {
		struct queue_element element = {
			.name = w->foreign[i].path,
			.mode = w->foreign[i].mode,
			.oid = w->foreign[i].oid,
			.foreign = true,
		};

		r = w->visit(w->context, &element);
	}
	return r;
}

int queue_each(struct odb *odb, const struct oid *queue, queue_visit *visit,
	       void *context)
{
	scoped(walk_release) struct walk w = {
		.odb = odb, .visit = visit, .context = context,
	};
	int r = walk_directory(&w, queue, &queue_root_place);

	return r ? r : visit_foreign(&w);
}
