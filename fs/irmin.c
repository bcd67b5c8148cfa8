/* SPDX-License-Identifier: ISC */
#include "fs/irmin.h"

#include "fs/inode.h"
#include "fs/queue.h"
#include "store/inside.h"
#include "store/node_xattr.h"

#include <errno.h>
#include <string.h>

/* Places of a control directory. */
#define PLACE_ROOT 1u
#define PLACE_SPACE 2u
#define PLACE_BRANCH 4u
#define PLACE_REVISION 8u
#define PLACE_BELOW 16u		/* a directory in a branch or revision */
#define PLACE_ANY 31u

#define DIRECTORY (S_IFDIR | 0777)
#define READABLE (S_IFREG | 0444)
#define WRITABLE (S_IFREG | 0222)

const struct control_kind control_kinds[CONTROL_COUNT] = {
	[CONTROL_DIRECTORY] = { NULL, DIRECTORY },
	[CONTROL_HEAD] = { "head", READABLE, PLACE_BRANCH | PLACE_REVISION },
	[CONTROL_LOG] = { "log", READABLE, PLACE_BRANCH | PLACE_REVISION },
	[CONTROL_STATUS] = { "status", READABLE, PLACE_BRANCH },
	[CONTROL_MESSAGE] = { "message", READABLE | WRITABLE, PLACE_BRANCH },
	[CONTROL_COMMIT] = { "commit", WRITABLE, PLACE_BRANCH },
	[CONTROL_MERGE] = { "merge", WRITABLE, PLACE_BRANCH },
	[CONTROL_FORK] = { "fork", DIRECTORY, PLACE_BRANCH | PLACE_REVISION },
	[CONTROL_TAG] = { "tag", DIRECTORY, PLACE_BRANCH | PLACE_REVISION },
	[CONTROL_CONFLICTS] = { "conflicts", DIRECTORY, PLACE_BRANCH },
	[CONTROL_TYPE] = { "type", READABLE, PLACE_ANY },
	[CONTROL_VERSION] = { "version", READABLE, PLACE_ROOT },
	[CONTROL_STATS] = { "stats", READABLE, PLACE_ROOT },
	[CONTROL_REQUEST] = { "control", S_IFREG | 0600, PLACE_ROOT },
	[CONTROL_GIT] = { GIT_NAME, READABLE },
	[CONTROL_CONFLICT] = { NULL, DIRECTORY },
	[CONTROL_PATH] = { "path", READABLE },
	[CONTROL_BASE] = { "base", READABLE },
	[CONTROL_OURS] = { "ours", READABLE },
	[CONTROL_THEIRS] = { "theirs", READABLE },
	[CONTROL_MERGED] = { "merged", READABLE },
	[CONTROL_WITH] = { "with", READABLE },
	[CONTROL_SUGGESTED] = { "suggested", READABLE },
	[CONTROL_MADE_DIRECTORY] = { NULL, DIRECTORY },
	[CONTROL_MADE_FILE] = { NULL, READABLE },
};

enum control irmin_id(struct inode *inode)
{
	return control_inode_of(inode)->key.id;
}

mode_t irmin_type(struct inode *inode)
{
	return control_kinds[irmin_id(inode)].mode & S_IFMT;
}

struct inode *irmin_subject(struct inode *inode)
{
	while (inode->kind == INODE_CONTROL)
		inode = inode->parent;
	return inode;
}

static unsigned int place_of(const struct inode *subject)
{
	if (inode_is_space(subject))
		return subject->name[0] ? PLACE_SPACE : PLACE_ROOT;
	if (!inode_is_tree_root(subject))
		return PLACE_BELOW;
	return subject->branch ? PLACE_BRANCH : PLACE_REVISION;
}

/* ---- lookup ---- */

static int lookup_directory(struct fs *fs, struct inode *dir, const char *name,
			    struct inode **ret)
{
	if (strcmp(name, CONTROL_NAME) != 0)
		return -ENOENT;
	if (dir->kind == INODE_NODE && !S_ISDIR(node_type(dir->node)))
		return -ENOTDIR;
	return inode_for_control(fs, dir, CONTROL_DIRECTORY, 0, ret);
}

static int stop_at_first(void *context, const struct listed *entry)
{
	*(bool *)context = false;
	return 1;
}

bool irmin_has_git(struct fs *fs, struct inode *dir, const char *name)
{
	bool empty = true;
	struct node *own;

	if (strcmp(name, GIT_NAME) != 0 || !inode_is_tree_root(dir) ||
	    !dir->branch || !inside_text_size(fs->store) ||
	    inside_is_hidden(dir->branch))
		return false;
	if (node_lookup(dir->node, name, &own) == 0) {
		node_unref(own);
		return false;
	}
	/* `git clone` wants to make one in an empty folder */
	return node_list(dir->node, 0, stop_at_first, &empty) < 0 || !empty;
}

int irmin_lookup_git(struct fs *fs, struct inode *dir, const char *name,
		     struct inode **ret)
{
	return irmin_has_git(fs, dir, name) ?
	       inode_for_control(fs, dir, CONTROL_GIT, 0, ret) : -ENOENT;
}

/* Each open of `control` gets an inode of its own: the kernel lets only one
 * write at a time into a file, and one long merge would keep others waiting. */
static uint64_t request_number(void)
{
	static _Atomic uint64_t last;

	return atomic_fetch_add(&last, 1) + 1;
}

static int lookup_fixed(struct fs *fs, struct inode *dir, const char *name,
			struct inode **ret, bool *ret_keep)
{
	unsigned int place = place_of(dir->parent);
	const struct control_kind *kind;

	if (strcmp(name, FIRST_NAME) == 0) {
		*ret_keep = false;
		return queue_first(fs, dir->parent, ret);
	}
	for (int id = 0; id < CONTROL_COUNT; id++) {
		kind = &control_kinds[id];
		if (!(kind->places & place) || strcmp(kind->name, name) != 0)
			continue;
		*ret_keep = id != CONTROL_REQUEST;
		return inode_for_control(fs, dir, id, id == CONTROL_REQUEST ?
					 request_number() : 0, ret);
	}
	return -ENOENT;
}

static int lookup_conflict(struct fs *fs, struct inode *dir, const char *name,
			   struct inode **ret)
{
	scoped(conflict_found_release) struct conflict_found found = { 0 };
	char *end;
	unsigned long number = strtoul(name, &end, 10);
	int r;

	/* one spelling only: no sign, no zero in front */
	if (name[0] < '1' || name[0] > '9' || *end || number > UINT32_MAX)
		return -ENOENT;
	r = conflict_find(irmin_subject(dir)->branch, number, &found);
	if (r < 0)
		return r;
	return inode_for_control(fs, dir, CONTROL_CONFLICT, number, ret);
}

static bool is_hidden(struct inode *folder, enum control file)
{
	return control_inode_of(folder)->hidden & (1u << file);
}

int conflict_find_in(struct inode *folder, struct conflict_found *ret)
{
	return conflict_find(irmin_subject(folder)->branch,
			     control_inode_of(folder)->key.number, ret);
}

static int lookup_conflict_file(struct fs *fs, struct inode *folder,
				const char *name, struct inode **ret)
{
	scoped(conflict_found_release) struct conflict_found found = { 0 };
	int id, r = conflict_find_in(folder, &found);

	if (r < 0)
		return r;
	for (id = CONTROL_PATH; id <= CONTROL_SUGGESTED; id++)
		if (strcmp(control_kinds[id].name, name) == 0)
			break;
	if (id > CONTROL_SUGGESTED || is_hidden(folder, id) ||
	    !conflict_has(&found, id))
		return -ENOENT;
	return inode_for_control(fs, folder, id, 0, ret);
}

int irmin_lookup(struct fs *fs, struct inode *dir, const char *name,
		   struct inode **ret, bool *ret_keep)
{
	if (dir->kind != INODE_CONTROL) {
		*ret_keep = true;
		return lookup_directory(fs, dir, name, ret);
	}
	*ret_keep = false;
	switch (irmin_id(dir)) {
	case CONTROL_DIRECTORY:
		return lookup_fixed(fs, dir, name, ret, ret_keep);
	case CONTROL_CONFLICTS:
		return lookup_conflict(fs, dir, name, ret);
	case CONTROL_CONFLICT:
		return lookup_conflict_file(fs, dir, name, ret);
	default:
		return -ENOENT;
	}
}

/* ---- listing ---- */

static int list_fixed(struct inode *dir, irmin_visit *visit, void *context)
{
	unsigned int place = place_of(dir->parent);
	const struct control_kind *kind;
	int r = 0;

	for (int id = 0; id < CONTROL_COUNT && r == 0; id++) {
		kind = &control_kinds[id];
		if (kind->places & place)
			r = visit(context, kind->name, kind->mode & S_IFMT);
	}
	if (r == 0 && queue_has_first(dir->parent))
		r = visit(context, FIRST_NAME, S_IFREG);
	return r;
}

static int list_folder(struct inode *folder, irmin_visit *visit,
		       void *context)
{
	scoped(conflict_found_release) struct conflict_found found = { 0 };
	int r = conflict_find_in(folder, &found);

	for (int id = CONTROL_PATH; id <= CONTROL_SUGGESTED && r == 0; id++)
		if (!is_hidden(folder, id) && conflict_has(&found, id))
			r = visit(context, control_kinds[id].name, S_IFREG);
	/* settled meanwhile: an empty folder */
	return r == -ENOENT ? 0 : r;
}

int irmin_list(struct fs *fs, struct inode *dir, irmin_visit *visit,
		 void *context)
{
	switch (irmin_id(dir)) {
	case CONTROL_DIRECTORY:
		return list_fixed(dir, visit, context);
	case CONTROL_CONFLICTS:
		return conflict_list(irmin_subject(dir)->branch, visit,
				     context);
	case CONTROL_CONFLICT:
		return list_folder(dir, visit, context);
	default:
		return 0;
	}
}

/* ---- attributes ---- */

/* The same number each time, and none that a file has (by chance: 2^-64). */
static ino_t irmin_number(const struct inode *inode, ino_t subject)
{
	const struct control_inode *control =
		(const struct control_inode *)inode;
	uint64_t x = subject;

	x = (x ^ (x >> 31)) * 0x9e3779b97f4a7c15u + control->key.id;
	x = (x ^ (x >> 29)) * 0xbf58476d1ce4e5b9u + control->key.number;
	return x ^ (x >> 32);
}

static int conflict_file_stat(struct fs *fs, struct inode *inode,
			      struct stat *st, uint64_t *ret_size)
{
	scoped(conflict_found_release) struct conflict_found found = { 0 };
	int r = conflict_find_in(inode->parent, &found);

	if (r < 0)
		return r;
	conflict_stat(fs, irmin_subject(inode->parent)->branch, &found,
		      irmin_id(inode), st);
	return conflict_size(fs, &found, irmin_id(inode), ret_size);
}

static bool is_of_conflict(enum control id)
{
	return id >= CONTROL_PATH && id <= CONTROL_SUGGESTED;
}

/* Those of conflicts are for who may read the file, and requests for the owner:
 * their modes say so alone. */
bool irmin_has_acl(struct inode *inode)
{
	enum control id = irmin_id(inode);

	return id != CONTROL_REQUEST && !is_of_conflict(id);
}

/* Who may do what with the directory may do so with its control files. */
int irmin_stat(struct fs *fs, struct inode *inode, struct stat *ret)
{
	enum control id = irmin_id(inode);
	mode_t most = control_kinds[id].mode;
	uint64_t size = 0;
	struct inode *subject = irmin_subject(inode);
	struct stat st;
	int r = inode_stat(fs, subject, &st);

	if (r < 0)
		return r;
	if (is_of_conflict(id) && subject->kind == INODE_NODE)
		st.st_mode = node_least_mode(subject->node, &st);
	if (id == CONTROL_GIT)
		size = inside_text_size(fs->store);
	if (id == CONTROL_REQUEST)
		st.st_mode = most;
	else
		st.st_mode = (most & S_IFMT) | (most & st.st_mode & 0777);
	if (is_of_conflict(id))
		r = conflict_file_stat(fs, inode, &st, &size);
	if (r < 0)
		return r;
	st.st_ino = irmin_number(inode, st.st_ino);
	st.st_nlink = S_ISDIR(most) ? 2 : 1;
	st.st_size = size;
	st.st_blocks = (size + 511) / 512;
	/* the kernel reads a listing again when it finds another time */
	if (id == CONTROL_CONFLICTS || id == CONTROL_CONFLICT)
		clock_real(&st.st_mtim);
	*ret = st;
	return 0;
}
