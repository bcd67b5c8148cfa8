/* SPDX-License-Identifier: ISC */
#include "store/node.h"
#include "store/attribute_lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What this program writes into the root's .gitattributes.  The file becomes
 * another one, as if an editor had written it beside and renamed it: who has the
 * old one open keeps that. */

int attribute_edit_reserve_locked(struct worktree *w)
{
	scoped_free struct attributes *spare = NULL;

	return node_open_for_change_locked(w->root, CHANGES_WITH_EDIT, &spare);
}

/* ---- reading ---- */

static int read_blob(struct odb *odb, const struct oid *oid,
		     struct buffer *ret)
{
	scoped_free void *data = NULL;
	size_t size;
	int r = odb_read(odb, oid, OBJECT_BLOB, &data, &size);

	if (r < 0)
		return r;
	return size > ATTRIBUTES_MAX ? -EFBIG : buffer_append(ret, data, size);
}

static int read_contents(struct contents *c, struct buffer *ret)
{
	uint64_t size = contents_size(c);
	ssize_t got;
	int r = size > ATTRIBUTES_MAX ? -EFBIG : buffer_reserve(ret, size + 1);

	if (r < 0)
		return r;
	got = contents_read(c, ret->data, size, 0);
	if (got < 0)
		return got;
	ret->length = got;
	ret->data[got] = '\0';
	return 0;
}

/* Git does not read what it has as a tree. */
static bool is_stored_rope(const struct entry *e)
{
	const struct node *n = node_target(e->node);

	return mode_is_rope(n ? node_git_mode(n) : e->mode) &&
	       (!n || node_is_clean(n));
}

static struct entry *find_file(struct worktree *w)
{
	struct entry *e = directory_find_live(w->root->directory,
					      ATTRIBUTES_NAME);

	return e && node_kind_of(e->mode) == KIND_FILE && !is_stored_rope(e) ?
		e : NULL;
}

int node_text_locked(struct node *dir, const char *name, struct buffer *ret)
{
	const struct entry *e = directory_find_live(dir->directory, name);
	const struct node *n = node_target(e->node);

	if (is_stored_rope(e))
		return -EUCLEAN;
	if (n && n->contents)
		return read_contents(n->contents, ret);
	return read_blob(node_odb(dir->worktree, e->own), n ? &n->oid : &e->oid,
			 ret);
}

int attribute_text_locked(struct worktree *w, struct buffer *ret)
{
	return find_file(w) ? node_text_locked(w->root, ATTRIBUTES_NAME, ret) :
			      0;
}

/* ---- preparing ---- */

static int fill(struct worktree *w, const struct buffer *text,
		struct contents **ret)
{
	ssize_t r = overlay_new(w->options.pool, ret);

	if (r < 0)
		return r;
	r = contents_write(*ret, text->data, text->length, 0);
	if (r < 0) {
		contents_unref(*ret);
		return r;
	}
	return 0;
}

/* The new file has the owner and mode of the old one, or of the root. */
static int make_file(struct attribute_edit *edit, struct worktree *w,
		     const struct buffer *text)
{
	struct attributes a = node_attributes(edit->old.node ? edit->old.node :
							       w->root);
	struct contents *contents;
	int r = fill(w, text, &contents);

	if (r < 0)
		return r;
	r = node_prepare(w, S_IFREG | 0644, &contents, &edit->fresh);
	if (r < 0) {
		contents_unref(contents);
		return r;
	}
	if (!edit->old.node)
		a.permissions &= 0666;
	if (edit->old.node)
		edit->fresh->executable = edit->old.node->executable;
	a.known = LOCAL_ATTRIBUTES | LOCAL_TIMES;
	a.local = NULL;		/* is the old one's */
	*edit->fresh->attributes = a;
	return 0;
}

static int prepare(struct attribute_edit *edit, struct worktree *w,
		   const struct buffer *text)
{
	struct entry *e = directory_find_live(w->root->directory,
					      ATTRIBUTES_NAME);
	int r = attributes_reserve(w->root, &edit->spare);

	if (r == 0 && e)
		r = leaving_init_locked(&edit->old, w->root, e);
	if (r == 0 && e)
		r = leaving_check_locked(&edit->old, e);
	if (r == 0 && !e) {
		edit->old.name = strdup(ATTRIBUTES_NAME);
		r = edit->old.name ? 0 : -ENOMEM;
	}
	if (r == 0 && text->length)
		r = make_file(edit, w, text);
	edit->needed = r == 0;
	return r;
}

/* Something that is no file stands there: Git would not read it. */
static int check_file(struct worktree *w)
{
	return find_file(w) || !directory_find_live(w->root->directory,
						    ATTRIBUTES_NAME) ?
		0 : -EEXIST;
}

int attribute_edit_add_locked(struct attribute_edit *edit, struct worktree *w,
			      const char *path, const char *type)
{
	scoped_buffer struct buffer text = { 0 };
	int r = check_file(w);

	if (r == 0)
		r = attribute_text_locked(w, &text);
	if (r == 0)
		r = attribute_lines_add(&text, path, type);
	return r < 0 ? r : prepare(edit, w, &text);
}

int attribute_edit_remove_locked(struct attribute_edit *edit,
				 struct worktree *w, const char *path)
{
	scoped_buffer struct buffer text = { 0 }, changed = { 0 };
	int r = attribute_text_locked(w, &text);

	if (r < 0 || !text.length)
		return r;
	r = attribute_lines_change(text.data, text.length, path, NULL,
				   &changed);
	return r <= 0 ? r : prepare(edit, w, &changed);
}

/* ---- moving ---- */

/* No path is that, which begins with a slash. */
#define NOWHERE "/ "

static int change(struct buffer *text, const char *from, const char *to)
{
	struct buffer changed = { 0 };
	int r = text->length ? attribute_lines_change(text->data, text->length,
						      from, to, &changed) : 0;

	if (r <= 0) {
		buffer_release(&changed);
		return r;
	}
	buffer_release(text);
	*text = changed;
	return r;
}

static int exchange(struct buffer *text, const char *a, const char *b)
{
	int first = change(text, a, NOWHERE), second, r = first;

	if (r < 0)
		return r;
	second = change(text, b, a);
	if (second < 0)
		return second;
	r = first ? change(text, NOWHERE, b) : 0;
	return r < 0 ? r : first + second;
}

int attribute_edit_move_locked(struct attribute_edit *edit, struct worktree *w,
			       const char *from, const char *to,
			       const char *type, bool swap)
{
	scoped_buffer struct buffer text = { 0 };
	int r;

	if (!type && !find_file(w))
		return 0;
	r = attribute_text_locked(w, &text);
	if (r == 0)
		r = swap ? exchange(&text, from, to) : change(&text, from, to);
	if (r < 0 || (r == 0 && !type))
		return r;
	/* what gave the type is no line of its own: it gets one */
	if (r == 0)
		r = check_file(w) ?: attribute_lines_add(&text, to, type);
	return r < 0 ? r : prepare(edit, w, &text);
}

/* ---- carrying out ---- */

static void put_file(struct attribute_edit *edit, struct worktree *w,
		     const struct timespec *now)
{
	struct directory *d = w->root->directory;
	struct entry *e = directory_find_live(d, ATTRIBUTES_NAME);
	struct node *fresh = STEAL(edit->fresh);

	if (e) {
		directory_supersede(d, e, true);
		leaving_done_locked(&edit->old, now);
	} else {
		e = directory_put(d, &edit->old.name);
	}
	fresh->attributes->mtime = fresh->attributes->ctime = *now;
	node_place_locked(fresh, w->root, e);
	node_mark(fresh, true);
	node_put_locked(fresh);
}

void attribute_edit_execute_locked(struct attribute_edit *edit,
				   struct worktree *w,
				   const struct timespec *now)
{
	if (!edit->needed)
		return;
	if (edit->fresh) {
		put_file(edit, w, now);
	} else {
		directory_remove(w->root->directory,
				 directory_find_live(w->root->directory,
						     ATTRIBUTES_NAME), true);
		leaving_done_locked(&edit->old, now);
	}
	attributes_touch(w->root, &edit->spare, now);
	node_mark(w->root, true);
	w->rewritten = true;
}

void attribute_edit_release_locked(struct attribute_edit *edit)
{
	node_discard(edit->fresh);
	leaving_release_locked(&edit->old);
	free(edit->spare);
}

bool worktree_took_attributes(struct worktree *w)
{
	return w->rewritten && atomic_exchange(&w->rewritten, false);
}
