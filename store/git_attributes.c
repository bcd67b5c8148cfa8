/* SPDX-License-Identifier: ISC */
#include "store/attribute_file.h"
#include "store/commit.h"
#include "store/git_handle.h"
#include "store/tree.h"

#include <errno.h>
#include <string.h>
#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(folder) ((folder)->unhashed = true)
#include <uthash.h>

/* Attributes of a commit.  (libgit2's would take a damaged .gitattributes for
 * an absent one, keep macros of other commits, and expand macros that a nearer
 * file resets.) */

#define FILE_NAME ".gitattributes"
#define FILE_MOST ((size_t)4 << 20)	/* bytes of one file */
#define FOLDERS_MOST 10000		/* remembered at once */
#define DEPTH_MOST 2048			/* folders above a path */

/* A folder of the commit, and what it says. */
struct folder {
	char *path;			/* "" for the root */
	struct oid tree;		/* zero: there is no such folder */
	struct attribute_file *file;	/* or NULL */
	bool unhashed;
	UT_hash_handle hh;
};

struct git_attributes {
	pthread_mutex_t lock;		/* guards what follows */
	struct oid commit;		/* that the folders belong to */
	struct folder *folders;		/* by path */
};

/* ---- the cache ---- */

static void folder_free(struct folder *folder)
{
	attribute_file_free(folder->file);
	free(folder->path);
	free(folder);
}

static void forget_locked(struct git_attributes *a)
{
	struct folder *folder, *next;

	HASH_ITER(hh, a->folders, folder, next) {
		HASH_DEL(a->folders, folder);
		folder_free(folder);
	}
	a->commit = (struct oid){ { 0 } };
}

struct git_attributes *git_attributes_new(void)
{
	struct git_attributes *a = calloc(1, sizeof(*a));

	if (a)
		pthread_mutex_init(&a->lock, NULL);
	return a;
}

void git_attributes_free(struct git_attributes *attributes)
{
	if (!attributes)
		return;
	forget_locked(attributes);
	pthread_mutex_destroy(&attributes->lock);
	free(attributes);
}

/* ---- folders ---- */

static int read_file_of(struct odb *odb, const struct oid *blob, bool is_root,
			struct attribute_file **ret_file)
{
	enum object_type type;
	scoped_free void *data = NULL;
	uint64_t size;
	size_t length;
	int r = odb_read_header(odb, blob, &type, &size);

	if (r < 0)
		return r;
	if (size > FILE_MOST) {
		log_warning("a .gitattributes file of %llu bytes is ignored",
			    (unsigned long long)size);
		*ret_file = NULL;
		return 0;
	}
	r = odb_read(odb, blob, OBJECT_BLOB, &data, &length);
	if (r < 0)
		return r;
	return attribute_file_parse(data, length, is_root, ret_file);
}

/* Reads what the tree of folder says.  Git does not follow a .gitattributes
 * that is a symbolic link. */
static int load_file(struct odb *odb, struct folder *folder)
{
	const struct tree_entry *entry;
	struct tree *tree;
	int r = tree_read(odb, &folder->tree, &tree);

	if (r < 0)
		return r;
	entry = tree_find(tree, FILE_NAME);
	if (entry && (entry->mode == MODE_FILE ||
		      entry->mode == MODE_EXECUTABLE))
		r = read_file_of(odb, &entry->oid, !*folder->path,
				 &folder->file);
	tree_free(tree);
	return r;
}

static int load_root(struct odb *odb, const struct oid *commit,
		     struct folder *folder)
{
	struct commit *parsed;
	int r = commit_read(odb, commit, &parsed);

	if (r < 0)
		return r;
	folder->tree = parsed->tree;
	commit_free(parsed);
	return load_file(odb, folder);
}

static int load_child(struct odb *odb, const struct folder *parent,
		      const char *name, struct folder *folder)
{
	struct tree_entry entry;
	int r;

	if (oid_is_zero(&parent->tree))
		return 0;
	r = tree_resolve(odb, &parent->tree, name, &entry);
	if (r == -ENOENT || (r == 0 && entry.mode != MODE_TREE))
		return 0;
	if (r < 0)
		return r;
	folder->tree = entry.oid;
	return load_file(odb, folder);
}

static struct folder *find_locked(struct git_attributes *a, const char *path,
				  size_t length)
{
	struct folder *folder;

	HASH_FIND(hh, a->folders, path, length, folder);
	return folder;
}

/* The folder that the first length bytes of path name; parent: the one above
 * it, NULL for the root. */
static int get_locked(struct git_repo *repo, const struct folder *parent,
		      const char *path, size_t length,
		      struct folder **ret_folder)
{
	struct git_attributes *a = repo->attributes;
	struct folder *folder = find_locked(a, path, length);
	int r;

	if (folder) {
		*ret_folder = folder;
		return 0;
	}
	folder = calloc(1, sizeof(*folder));
	if (!folder)
		return -ENOMEM;
	folder->path = strndup(path, length);
	if (!folder->path)
		r = -ENOMEM;
	else if (!parent)
		r = load_root(repo->odb, &a->commit, folder);
	else
		r = load_child(repo->odb, parent, folder->path +
			       strlen(parent->path) + (*parent->path != '\0'),
			       folder);
	if (r == 0) {
		HASH_ADD_KEYPTR(hh, a->folders, folder->path, length, folder);
		r = folder->unhashed ? -ENOMEM : 0;
	}
	if (r < 0) {
		folder_free(folder);
		return r;
	}
	*ret_folder = folder;
	return 0;
}

/* ---- asking ---- */

/* Levels for a path, from the root down. */
struct levels {
	size_t count, capacity;
	struct attribute_level *levels;
};

static void levels_release(struct levels *l)
{
	free(l->levels);
}

static int add_level(struct levels *l, const struct attribute_file *file,
		     const char *path)
{
	if (!file)
		return 0;
	if (l->count == l->capacity) {
		size_t capacity = l->capacity ? 2 * l->capacity : 16;
		struct attribute_level *more = reallocarray(l->levels, capacity,
							    sizeof(*more));

		if (!more)
			return -ENOMEM;
		l->levels = more;
		l->capacity = capacity;
	}
	l->levels[l->count++] = (struct attribute_level){ file, path };
	return 0;
}

static int collect_locked(struct git_repo *repo, const char *path,
			  struct levels *levels)
{
	struct folder *folder = NULL;
	const char *below = path;
	size_t length = 0;

	for (int depth = 0; depth < DEPTH_MOST; depth++) {
		int r = get_locked(repo, folder, path, length, &folder);

		if (r == 0)
			r = add_level(levels, folder->file, below);
		if (r < 0)
			return r;
		below = strchr(below, '/');
		if (!below)
			return 0;
		length = below++ - path;
	}
	return 0;
}

/* info/attributes is the repository's own and goes before all. */
static int add_info(struct git_repo *repo, const char *path,
		    struct levels *levels, struct attribute_file **ret_file)
{
	scoped_buffer struct buffer text = { 0 };
	int r = read_file(repo->dir_fd, "info/attributes", FILE_MOST, &text);

	if (r == -ENOENT)
		return 0;
	if (r < 0) {
		log_error("info/attributes of %s cannot be read: %s",
			  repo->path, strerror(-r));
		return r == -ENOMEM ? r : -EIO;
	}
	r = attribute_file_parse(text.data ? text.data : "", text.length, true,
				 ret_file);
	return r < 0 ? r : add_level(levels, *ret_file, path);
}

static void reverse(struct levels *l)
{
	for (size_t i = 0; i < l->count / 2; i++) {
		struct attribute_level swapped = l->levels[i];

		l->levels[i] = l->levels[l->count - 1 - i];
		l->levels[l->count - 1 - i] = swapped;
	}
}

static int copy_answer(enum attribute_state state, const char *value,
		       char **ret_value, bool *ret_unset)
{
	char *copy = NULL;

	if (state == ATTRIBUTE_SET || state == ATTRIBUTE_VALUE) {
		copy = strdup(state == ATTRIBUTE_SET ? "" : value);
		if (!copy)
			return -ENOMEM;
	}
	*ret_unset = state == ATTRIBUTE_UNSET;
	*ret_value = copy;
	return 0;
}

static void free_file(struct attribute_file **file)
{
	attribute_file_free(*file);
}

static int ask_locked(struct git_repo *repo, const char *path,
		      const char *attribute, char **ret_value, bool *ret_unset)
{
	scoped(levels_release) struct levels levels = { 0 };
	scoped(free_file) struct attribute_file *info = NULL;
	enum attribute_state state;
	const char *value;
	int r = collect_locked(repo, path, &levels);

	if (r == 0)
		r = add_info(repo, path, &levels, &info);
	if (r < 0)
		return r;
	reverse(&levels);
	state = attribute_find(levels.levels, levels.count, attribute, &value);
	return copy_answer(state, value, ret_value, ret_unset);
}

int git_attribute(struct git_repo *repo, const struct oid *commit,
		  const char *path, const char *attribute, char **ret_value,
		  bool *ret_unset)
{
	struct git_attributes *a = repo->attributes;
	SCOPED_LOCK(&a->lock);

	if (!oid_equal(commit, &a->commit) ||
	    HASH_COUNT(a->folders) > FOLDERS_MOST) {
		forget_locked(a);
		a->commit = *commit;
	}
	return ask_locked(repo, path, attribute, ret_value, ret_unset);
}
