/* SPDX-License-Identifier: ISC */
#include "store/worktree_capture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Directories of a type: their entries go to their places, in folders that are
 * nowhere else. */

struct placed {
	const char *place;
	struct entry *entry;		/* NULL: nothing is there any more */
};

/* Of a place that was given up and taken again, what is there comes first. */
static int compare_places(const void *a, const void *b)
{
	const struct placed *x = a, *y = b;
	int order = strcmp(x->place, y->place);

	return order ? order : !x->entry - !y->entry;
}

static size_t collect_places(struct node *dir, bool complete,
			     struct placed *placed)
{
	struct directory *d = dir->directory;
	size_t n = 0;

	for (uint32_t i = 0; complete && i < d->count; i++)
		if (d->entries[i].live)
			placed[n++].entry = &d->entries[i];
	for (struct node *m = dir->changed; m && !complete; m = m->next)
		placed[n++].entry = node_entry(m);
	for (size_t i = 0; i < n; i++)
		placed[i].place = places_of(d, placed[i].entry);
	for (uint32_t i = 0; i < d->places->gone_count && !complete; i++)
		placed[n++].place = d->places->gone[i];
	return n;
}

static size_t count_places(struct node *dir, bool complete)
{
	struct directory *d = dir->directory;
	size_t n = complete ? d->live : d->places->gone_count;

	for (struct node *m = dir->changed; m && !complete; m = m->next)
		n++;
	return n;
}

static int emit_place(const struct placed *placed, const char *name,
		      const struct node *dir, struct delta *delta)
{
	if (placed->entry)
		return capture_emit(delta, name, dir, placed->entry);
	return delta_add(delta, DELTA_REMOVED, 0, name) ? 0 : -ENOMEM;
}

/* Whether what begins with the name and then c is among those behind it, which
 * is sorted. */
static bool has_with(const struct placed *placed, size_t count, size_t depth,
		     const char *name, size_t length, char c)
{
	for (size_t i = 0; i < count; i++) {
		const char *other = placed[i].place + depth;

		if (strncmp(other, name, length) != 0)
			break;
		if (other[length] == c)
			return true;
	}
	return false;
}

static int emit_folder(const struct placed *placed, size_t count, size_t depth,
		       bool complete, const struct node *dir,
		       struct delta *delta);

/* What is sorted and the same in the first depth bytes. */
static int emit_places(const struct placed *placed, size_t count, size_t depth,
		       const struct node *dir, struct delta *delta)
{
	const char *replaced = NULL;	/* a file that a folder follows */
	size_t end;
	int r = 0;

	for (size_t i = 0; i < count && r == 0; i = end) {
		const char *name = placed[i].place + depth;
		size_t length = strcspn(name, "/") + 1;
		bool complete;

		end = i + 1;
		if (name[length - 1] == '\0') {
			if (has_with(&placed[end], count - end, depth, name,
				     length - 1, '/'))
				replaced = name;
			else
				r = emit_place(&placed[i], name, dir, delta);
			while (end < count &&
			       strcmp(placed[end].place + depth, name) == 0)
				end++;
			continue;
		}
		while (end < count &&
		       strncmp(placed[end].place + depth, name, length) == 0)
			end++;
		complete = replaced && strlen(replaced) == length - 1 &&
			   strncmp(replaced, name, length - 1) == 0;
		r = emit_folder(&placed[i], end - i, depth + length,
				delta->complete || complete, dir, delta);
	}
	return r;
}

static int emit_folder(const struct placed *placed, size_t count, size_t depth,
		       bool complete, const struct node *dir,
		       struct delta *delta)
{
	struct delta *below = delta_new(complete);
	struct delta_entry *entry;
	const char *end = placed->place + depth - 1, *name = end;
	scoped_free char *copy = NULL;
	int r;

	while (name > placed->place && name[-1] != '/')
		name--;
	copy = strndup(name, end - name);
	r = below && copy ? emit_places(placed, count, depth, dir, below) : -ENOMEM;
	entry = r == 0 ? delta_add(delta, DELTA_DIRECTORY, MODE_TREE, copy) :
			 NULL;
	if (entry) {
		entry->directory = below;
		return 0;
	}
	delta_free(below);
	return r < 0 ? r : -ENOMEM;
}

/* A rope that came into a directory of a type is stored again. */
static int reopen_rope(struct node *dir, struct entry *e)
{
	struct node *n;
	int r;

	if (!mode_is_rope(e->node ? node_git_mode(e->node) : e->mode) ||
	    (e->node && !node_is_clean(e->node)))
		return 0;
	r = node_load_locked(dir, e, &n);
	if (r < 0)
		return r;
	if (!n->contents)
		r = contents_kind()->open(dir->worktree->options.pool, &n->oid,
					  &n->contents);
	if (r == 0)
		node_mark(n, true);
	node_put_locked(n);
	return r;
}

static int reopen_ropes(struct node *dir, bool complete)
{
	struct directory *d = dir->directory;
	int r = 0;

	for (uint32_t i = 0; complete && i < d->count && r == 0; i++)
		if (d->entries[i].live)
			r = reopen_rope(dir, &d->entries[i]);
	for (struct node *n = dir->changed; n && !complete && r == 0;
	     n = n->next)
		r = reopen_rope(dir, node_entry(n));
	return r;
}

int capture_places(struct node *dir, struct delta *delta)
{
	int r = reopen_ropes(dir, delta->complete);
	size_t count = count_places(dir, delta->complete);
	scoped_free struct placed *placed = calloc(count + 1, sizeof(*placed));

	if (r < 0)
		return r;
	if (!placed)
		return -ENOMEM;
	collect_places(dir, delta->complete, placed);
	qsort(placed, count, sizeof(*placed), compare_places);
	return emit_places(placed, count, 0, dir, delta);
}
