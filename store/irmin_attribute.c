/* SPDX-License-Identifier: ISC */
#include "store/irmin_attribute.h"
#include "store/attribute_file.h"
#include "store/git_hash.h"
#include "store/node.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#define ATTRIBUTE "irmin"
#define CACHED_MOST 64

/* ---- parsed files ---- */

struct cached_key {
	struct oid oid;			/* of the bytes */
	unsigned char is_root;		/* macros count */
};

struct cached {
	struct cached_key key;
	struct attribute_file *file;
	UT_hash_handle hh;
};

struct irmin_cache {
	pthread_mutex_t lock;		/* guards the rest */
	struct cached *files;
};

struct irmin_cache *irmin_cache_new(void)
{
	struct irmin_cache *cache = calloc(1, sizeof(*cache));

	if (cache)
		pthread_mutex_init(&cache->lock, NULL);
	return cache;
}

static void forget_locked(struct irmin_cache *cache)
{
	struct cached *c, *next;

	HASH_ITER(hh, cache->files, c, next) {
		HASH_DEL(cache->files, c);
		attribute_file_free(c->file);
		free(c);
	}
}

void irmin_cache_free(struct irmin_cache *cache)
{
	if (!cache)
		return;
	forget_locked(cache);
	pthread_mutex_destroy(&cache->lock);
	free(cache);
}

static struct attribute_file *find_locked(struct irmin_cache *cache,
					  const struct oid *oid, bool is_root)
{
	const struct cached_key key = { *oid, is_root };
	struct cached *c;

	HASH_FIND(hh, cache->files, &key, sizeof(key), c);
	return c ? c->file : NULL;
}

static int parse_locked(struct irmin_cache *cache, const struct oid *oid,
			bool is_root, const char *data, size_t size,
			struct attribute_file **ret)
{
	struct cached *c = calloc(1, sizeof(*c));
	int r = c ? attribute_file_parse(data, size, is_root, &c->file) :
		    -ENOMEM;

	if (r == 0) {
		c->key = (struct cached_key){ *oid, is_root };
		HASH_ADD(hh, cache->files, key, sizeof(c->key), c);
		r = c->hh.tbl ? 0 : -ENOMEM;
	}
	if (r < 0) {
		attribute_file_free(c ? c->file : NULL);
		free(c);
		return r;
	}
	*ret = c->file;
	return 0;
}

/* Git reads no tree, nor do we; it is remembered as a file without lines, so that
 * this is said once. */
static int note_tree_locked(struct irmin_cache *cache, const struct oid *oid,
			    bool is_root, struct attribute_file **ret)
{
	log_warning("a " ATTRIBUTES_NAME " is stored as a tree (a rope): its "
		    "lines do not count until it is replaced");
	return parse_locked(cache, oid, is_root, "", 0, ret);
}

static int read_blob_locked(struct irmin_cache *cache, struct odb *odb,
			    const struct oid *oid, bool is_root,
			    struct attribute_file **ret)
{
	enum object_type type;
	scoped_free void *data = NULL;
	uint64_t length;
	size_t size;
	int r;

	*ret = find_locked(cache, oid, is_root);
	if (*ret)
		return 0;
	r = odb_read_header(odb, oid, &type, &length);
	if (r == 0 && type == OBJECT_TREE)
		return note_tree_locked(cache, oid, is_root, ret);
	if (r < 0 || length > ATTRIBUTES_MAX)
		return r;
	r = odb_read(odb, oid, OBJECT_BLOB, &data, &size);
	if (r < 0)
		return r;
	return parse_locked(cache, oid, is_root, data, size, ret);
}

static int read_contents_locked(struct irmin_cache *cache, struct contents *c,
				bool is_root, struct attribute_file **ret)
{
	uint64_t size = contents_size(c);
	scoped_free char *data = NULL;
	struct oid oid;
	ssize_t got;
	int r;

	if (size > ATTRIBUTES_MAX)
		return 0;
	data = malloc(size + 1);
	got = data ? contents_read(c, data, size, 0) : -ENOMEM;
	if (got < 0)
		return got;
	r = git_hash(OBJECT_BLOB, data, got, &oid);
	if (r < 0)
		return r;
	*ret = find_locked(cache, &oid, is_root);
	return *ret ? 0 : parse_locked(cache, &oid, is_root, data, got, ret);
}

/* ---- levels ---- */

/* Files that apply to a path, the nearest first, and how many folders below the
 * root each of them is. */
struct levels {
	size_t count, capacity;
	struct attribute_level *levels;
	unsigned int *depths;
};

static void levels_release(struct levels *l)
{
	free(l->levels);
	free(l->depths);
}

static int add_level(struct levels *l, const struct attribute_file *file,
		     unsigned int depth)
{
	size_t capacity = l->capacity ? 2 * l->capacity : 8;
	struct attribute_level *levels;
	unsigned int *depths;

	if (l->count == l->capacity) {
		levels = reallocarray(l->levels, capacity, sizeof(*levels));
		if (levels)
			l->levels = levels;
		depths = reallocarray(l->depths, capacity, sizeof(*depths));
		if (depths)
			l->depths = depths;
		if (!levels || !depths)
			return -ENOMEM;
		l->capacity = capacity;
	}
	l->levels[l->count].file = file;
	l->depths[l->count++] = depth;
	return 0;
}

/* The part of path behind so many folders. */
static const char *below(const char *path, unsigned int depth)
{
	while (depth-- > 0)
		path = strchr(path, '/') + 1;
	return path;
}

static void ask(struct levels *l, const char *path,
		char ret_type[IRMIN_TYPE_SIZE])
{
	enum attribute_state state;
	const char *value;

	for (size_t i = 0; i < l->count; i++)
		l->levels[i].path = below(path, l->depths[i]);
	state = attribute_find(l->levels, l->count, ATTRIBUTE, &value);
	*ret_type = '\0';
	if (state == ATTRIBUTE_VALUE && strlen(value) < IRMIN_TYPE_SIZE)
		memcpy(ret_type, value, strlen(value) + 1);
}

/* ---- work trees ---- */

/* The blob of a file as it is stored, or NULL and *ret_contents. */
static const struct oid *stored_locked(struct entry *e,
				       struct contents **ret_contents)
{
	struct node *n = node_target(e->node);

	if (!n)
		return &e->oid;
	SCOPED_LOCK(&n->worktree->state);
	if (node_is_clean(n))
		return &n->oid;
	*ret_contents = contents_ref(n->contents);
	return NULL;
}

static int read_entry_locked(struct worktree *w, struct entry *e, bool is_root,
			     struct attribute_file **ret)
{
	struct contents *contents = NULL;
	const struct oid *oid = stored_locked(e, &contents);
	int r;

	if (oid)
		return read_blob_locked(w->irmin, node_odb(w, e->own), oid,
					is_root, ret);
	r = read_contents_locked(w->irmin, contents, is_root, ret);
	contents_unref(contents);
	return r;
}

static int collect_locked(struct node *dir, struct levels *levels)
{
	unsigned int depth = node_depth(dir);
	int r = 0;

	for (; dir && r == 0; dir = dir->parent, depth--) {
		struct attribute_file *file = NULL;
		struct entry *e = directory_find_live(dir->directory,
						      ATTRIBUTES_NAME);

		/* Git does not follow one that is a symbolic link. */
		if (!e || node_kind_of(e->mode) != KIND_FILE)
			continue;
		r = read_entry_locked(dir->worktree, e, depth == 0, &file);
		if (r == 0 && file)
			r = add_level(levels, file, depth);
	}
	return r;
}

int node_irmin_type(struct node *dir, const char *name,
		    char ret_type[IRMIN_TYPE_SIZE])
{
	scoped(levels_release) struct levels levels = { 0 };
	struct irmin_cache *cache = dir->worktree->irmin;
	scoped_free char *folder = NULL;
	scoped_buffer struct buffer path = { 0 };
	SCOPED_LOCK(&cache->lock);
	int r;

	*ret_type = '\0';
	/* elements of queues are stored as they are */
	if (node_is_typed(dir))
		return 0;
	if (HASH_COUNT(cache->files) > CACHED_MOST)
		forget_locked(cache);
	r = collect_locked(dir, &levels);
	if (r < 0 || levels.count == 0)
		return r;
	folder = node_make_path(dir);
	if (!folder)
		return -ENOMEM;
	r = buffer_printf(&path, "%s%s%s", folder, *folder ? "/" : "", name);
	if (r == 0)
		ask(&levels, path.data, ret_type);
	return r;
}

/* ---- stored trees ---- */

static int read_folder_locked(struct irmin_cache *cache, struct odb *odb,
			      const struct tree *tree, unsigned int depth,
			      struct levels *levels)
{
	const struct tree_entry *e = tree_find(tree, ATTRIBUTES_NAME);
	struct attribute_file *file = NULL;
	int r;

	if (!e || node_kind_of(e->mode) != KIND_FILE)
		return 0;
	r = read_blob_locked(cache, odb, &e->oid, depth == 0, &file);
	return r == 0 && file ? add_level(levels, file, depth) : r;
}

static void reverse(struct levels *l)
{
	for (size_t i = 0, j = l->count; i + 1 < j; i++) {
		struct attribute_level level = l->levels[i];
		unsigned int depth = l->depths[i];

		j--;
		l->levels[i] = l->levels[j];
		l->depths[i] = l->depths[j];
		l->levels[j] = level;
		l->depths[j] = depth;
	}
}

/* Folders of path from the root down, as far as they exist. */
static int collect_stored_locked(struct irmin_cache *cache, struct odb *odb,
				 const struct oid *root, const char *path,
				 struct levels *levels)
{
	struct oid oid = *root;
	int r = 0;

	for (unsigned int depth = 0;; depth++) {
		size_t length = strcspn(path, "/");
		char name[NAME_LENGTH_MAX + 1];
		const struct tree_entry *e;
		struct tree *tree;

		r = tree_read(odb, &oid, &tree);
		if (r < 0)
			return r;
		r = read_folder_locked(cache, odb, tree, depth, levels);
		if (r < 0 || !path[length] || length > NAME_LENGTH_MAX) {
			tree_free(tree);
			break;
		}
		memcpy(name, path, length);
		name[length] = '\0';
		path += length + 1;
		e = tree_find(tree, name);
		if (e)
			oid = e->oid;
		if (!e || e->mode != MODE_TREE)
			path = NULL;
		tree_free(tree);
		if (!path)
			break;
	}
	reverse(levels);
	return r;
}

int tree_irmin_type(struct irmin_cache *cache, struct odb *odb,
		    const struct oid *root, const char *path,
		    char ret_type[IRMIN_TYPE_SIZE])
{
	scoped(levels_release) struct levels levels = { 0 };
	SCOPED_LOCK(&cache->lock);
	int r;

	if (HASH_COUNT(cache->files) > CACHED_MOST)
		forget_locked(cache);
	*ret_type = '\0';
	r = collect_stored_locked(cache, odb, root, path, &levels);
	if (r == 0 && levels.count)
		ask(&levels, path, ret_type);
	return r;
}
