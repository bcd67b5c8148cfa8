/* SPDX-License-Identifier: ISC */
#include "fs/inode.h"

#include "store/slab.h"

#include <errno.h>
#include <string.h>

fuse_ino_t inode_id(const struct fs *fs, const struct inode *inode)
{
	return inode == fs->root ? FUSE_ROOT_ID : (fuse_ino_t)inode;
}

struct inode *inode_of(struct fs *fs, fuse_ino_t id)
{
	return id == FUSE_ROOT_ID ? fs->root : (struct inode *)id;
}

static struct space_inode *space_of(struct inode *inode)
{
	return (struct space_inode *)inode;
}

/* ---- life ---- */

/* Those of nodes of branches: one for each file that the kernel knows. */
static struct slab node_inodes = SLAB(sizeof(struct inode));

void inode_link_locked(struct inodes *all, struct inode *inode)
{
	inode->next = all->first;
	if (all->first)
		all->first->previous = inode;
	all->first = inode;
	all->count++;
}

/* Out of the list and of what finds it, so that nobody gets it any more. */
static void unlink_locked(struct inodes *all, struct inode *inode)
{
	if (inode->previous)
		inode->previous->next = inode->next;
	else
		all->first = inode->next;
	if (inode->next)
		inode->next->previous = inode->previous;
	all->count--;
	if (inode->of_view)
		view_inode_unlink_locked(all, inode);
	else if (inode->kind == INODE_NODE)
		*node_slot(inode->node) = NULL;
	else if (inode->kind == INODE_SPACE)
		HASH_DEL(all->spaces, space_of(inode));
	else if (inode->kind == INODE_CONTROL)
		HASH_DEL(all->controls, control_inode_of(inode));
}

static void free_names(struct noted_name *names)
{
	struct noted_name *name, *next;

	HASH_ITER(hh, names, name, next) {
		HASH_DEL(names, name);
		free(name);
	}
}

static void destroy(struct fs *fs, struct inode *inode)
{
	if (inode->kind == INODE_NODE)
		node_unref(inode->node);
	if (inode->kind == INODE_SPACE) {
		free_names(space_of(inode)->names);
		free(inode->name);
	}
	if (inode->kind == INODE_LINK)
		free(inode->name);
	if (inode_view(inode))
		view_unref(inode_view(inode));
	if (inode->branch)
		branch_unref(inode->branch);
	inode_unref(fs, inode->parent);
	if (inode->kind == INODE_NODE && !inode->of_view)
		slab_free(&node_inodes, inode);
	else
		free(inode);
}

/* Gives up what the caller changed: unlocks, and frees what is unused. */
static void settle(struct fs *fs, struct inode *inode)
{
	bool unused = inode->refs == 0 && inode->lookups == 0;

	if (unused)
		unlink_locked(fs->inodes, inode);
	pthread_mutex_unlock(&fs->inodes->lock);
	if (unused)
		destroy(fs, inode);
}

struct inode *inode_ref(struct fs *fs, struct inode *inode)
{
	SCOPED_LOCK(&fs->inodes->lock);
	inode->refs++;
	return inode;
}

void inode_unref(struct fs *fs, struct inode *inode)
{
	if (!inode)
		return;
	pthread_mutex_lock(&fs->inodes->lock);
	inode->refs--;
	settle(fs, inode);
}

void inode_remember(struct fs *fs, struct inode *inode)
{
	SCOPED_LOCK(&fs->inodes->lock);
	inode->lookups++;
}

void inode_forget(struct fs *fs, struct inode *inode, uint64_t count)
{
	pthread_mutex_lock(&fs->inodes->lock);
	inode->lookups -= count < inode->lookups ? count : inode->lookups;
	settle(fs, inode);
}

/* ---- objects of trees ---- */

/* Makes `inode` known as that of node, which has none yet. */
static struct inode *node_inode_locked(struct fs *fs, struct node *node,
				       struct inode *parent)
{
	struct inode *inode = slab_new(&node_inodes);

	if (!inode)
		return NULL;
	inode->kind = INODE_NODE;
	inode->node = node;
	inode->parent = parent;
	if (parent)
		parent->refs++;
	*node_slot(node) = inode;
	inode_link_locked(fs->inodes, inode);
	return inode;
}

/* Takes over node.  ret_new: it was not known before, and has branch then. */
static int get_node(struct fs *fs, struct node *node, struct inode *parent,
		    struct branch *branch, struct inode **ret, bool *ret_new)
{
	struct inode *inode, *known;

	pthread_mutex_lock(&fs->inodes->lock);
	known = *node_slot(node);
	inode = known ? known : node_inode_locked(fs, node, parent);
	if (inode)
		inode->refs++;
	if (inode && !known)
		inode->branch = branch;
	pthread_mutex_unlock(&fs->inodes->lock);
	if (known || !inode)
		node_unref(node);
	if (!inode)
		return -ENOMEM;
	*ret_new = !known;
	*ret = inode;
	return 0;
}

int inode_for_node(struct fs *fs, struct inode *near, struct node *node,
		   struct inode **ret)
{
	struct inode *root = inode_tree(near);
	bool is_new;

	if (root->of_view)
		return view_inode_get(fs, root, node, ret);
	return get_node(fs, node, root, NULL, ret, &is_new);
}

int inode_for_branch(struct fs *fs, struct branch *branch, struct inode **ret)
{
	struct worktree *w;
	bool is_new = false;
	int r = branch_worktree(branch, &w);

	if (r < 0)
		return r;
	r = get_node(fs, worktree_root(w), NULL, branch_ref(branch), ret,
		     &is_new);
	if (!is_new)
		branch_unref(branch);
	return r;
}

struct inode *inode_find_node(struct fs *fs, struct node *node)
{
	struct inode *inode;

	SCOPED_LOCK(&fs->inodes->lock);
	inode = *node_slot(node);
	if (inode)
		inode->refs++;
	return inode;
}

/* ---- spaces ---- */

static struct inode *space_inode_locked(struct fs *fs, const char *name)
{
	struct space_inode *space = calloc(1, sizeof(*space));

	if (space)
		space->inode.name = strdup(name);
	if (!space || !space->inode.name) {
		free(space);
		return NULL;
	}
	space->inode.kind = INODE_SPACE;
	clock_real(&space->changed);
	HASH_ADD_KEYPTR(hh, fs->inodes->spaces, space->inode.name,
			strlen(space->inode.name), space);
	if (!space->hh.tbl) {
		free(space->inode.name);
		free(space);
		return NULL;
	}
	inode_link_locked(fs->inodes, &space->inode);
	return &space->inode;
}

static struct inode *find_space_locked(struct fs *fs, const char *name)
{
	struct space_inode *space;

	HASH_FIND_STR(fs->inodes->spaces, name, space);
	return space ? &space->inode : NULL;
}

int inode_for_space(struct fs *fs, const char *name, struct inode **ret)
{
	struct inode *inode;

	SCOPED_LOCK(&fs->inodes->lock);
	inode = find_space_locked(fs, name);
	if (!inode)
		inode = space_inode_locked(fs, name);
	if (!inode)
		return -ENOMEM;
	inode->refs++;
	*ret = inode;
	return 0;
}

struct inode *inode_find_space(struct fs *fs, const char *name)
{
	struct inode *inode;

	SCOPED_LOCK(&fs->inodes->lock);
	inode = find_space_locked(fs, name);
	if (inode)
		inode->refs++;
	return inode;
}

int inode_note_name(struct fs *fs, struct inode *inode, const char *name)
{
	struct space_inode *space = space_of(inode);
	size_t length = strlen(name);
	struct noted_name *noted;

	SCOPED_LOCK(&fs->inodes->lock);
	HASH_FIND(hh, space->names, name, length, noted);
	if (noted)
		return 0;
	noted = calloc(1, sizeof(*noted) + length + 1);
	if (!noted)
		return -ENOMEM;
	memcpy(noted->name, name, length);
	HASH_ADD(hh, space->names, name, length, noted);
	if (noted->hh.tbl)
		return 0;
	free(noted);
	return -ENOMEM;
}

void inode_take_names(struct fs *fs, struct inode *inode,
		      void (*visit)(struct fs *fs, struct inode *space,
				    const char *name))
{
	struct space_inode *space = space_of(inode);
	struct noted_name *names, *name, *next;

	pthread_mutex_lock(&fs->inodes->lock);
	names = STEAL(space->names);
	clock_real(&space->changed);
	pthread_mutex_unlock(&fs->inodes->lock);
	HASH_ITER(hh, names, name, next)
		visit(fs, inode, name->name);
	free_names(names);
}

struct timespec inode_space_time(struct fs *fs, struct inode *inode)
{
	SCOPED_LOCK(&fs->inodes->lock);
	return space_of(inode)->changed;
}

/* ---- links ---- */

int inode_for_link(struct fs *fs, const char *target, struct inode **ret)
{
	struct inode *inode = calloc(1, sizeof(*inode));

	if (inode)
		inode->name = strdup(target);
	if (!inode || !inode->name) {
		free(inode);
		return -ENOMEM;
	}
	inode->kind = INODE_LINK;
	inode->refs = 1;
	SCOPED_LOCK(&fs->inodes->lock);
	inode_link_locked(fs->inodes, inode);
	*ret = inode;
	return 0;
}

/* ---- control directories and files ---- */

static struct inode *control_inode_locked(struct fs *fs,
					  const struct control_key *key)
{
	struct control_inode *control = calloc(1, sizeof(*control));

	if (!control)
		return NULL;
	control->inode.kind = INODE_CONTROL;
	control->inode.parent = key->parent;
	control->key = *key;
	HASH_ADD(hh, fs->inodes->controls, key, sizeof(control->key), control);
	if (!control->hh.tbl) {
		free(control);
		return NULL;
	}
	key->parent->refs++;
	inode_link_locked(fs->inodes, &control->inode);
	return &control->inode;
}

int inode_for_control(struct fs *fs, struct inode *parent, enum control id,
		      uint64_t number, struct inode **ret)
{
	struct control_inode *control;
	struct control_key key;
	struct inode *inode;

	/* compared as bytes */
	memset(&key, 0, sizeof(key));
	key.parent = parent;
	key.id = id;
	key.number = number;
	SCOPED_LOCK(&fs->inodes->lock);
	HASH_FIND(hh, fs->inodes->controls, &key, sizeof(key), control);
	inode = control ? &control->inode : control_inode_locked(fs, &key);
	if (!inode)
		return -ENOMEM;
	inode->refs++;
	*ret = inode;
	return 0;
}

/* ---- all ---- */

size_t inodes_count(struct fs *fs)
{
	SCOPED_LOCK(&fs->inodes->lock);
	return fs->inodes->count;
}

void inodes_each_branch(struct fs *fs,
			void (*visit)(struct fs *fs, struct inode *root))
{
	struct inode *inode, *next, *last = NULL;

	pthread_mutex_lock(&fs->inodes->lock);
	for (inode = fs->inodes->first; inode; inode = next) {
		next = inode->next;
		if (!inode->branch)
			continue;
		/* held, so that its `next` can be followed afterwards */
		inode->refs++;
		pthread_mutex_unlock(&fs->inodes->lock);
		visit(fs, inode);
		inode_unref(fs, last);
		last = inode;
		pthread_mutex_lock(&fs->inodes->lock);
		next = inode->next;
	}
	pthread_mutex_unlock(&fs->inodes->lock);
	inode_unref(fs, last);
}

int inodes_init(struct fs *fs)
{
	int r;

	fs->inodes = calloc(1, sizeof(*fs->inodes));
	if (!fs->inodes)
		return -ENOMEM;
	pthread_mutex_init(&fs->inodes->lock, NULL);
	r = inode_for_space(fs, "", &fs->root);
	if (r < 0)
		return r;
	fs->placeholder = calloc(1, sizeof(*fs->placeholder));
	if (!fs->placeholder)
		return -ENOMEM;
	fs->placeholder->kind = INODE_PLACEHOLDER;
	fs->placeholder->refs = 1;
	inode_link_locked(fs->inodes, fs->placeholder);
	return 0;
}

/* Nobody else uses inodes any more.  Each is held until it was reached, since
 * the end of one may be the end of the one that it holds. */
static void forget_all(struct fs *fs)
{
	struct inode *inode, *next;

	for (inode = fs->inodes->first; inode; inode = inode->next) {
		inode->refs++;
		inode->lookups = 0;
	}
	for (inode = fs->inodes->first; inode; inode = next) {
		next = inode->next;
		inode_unref(fs, inode);
	}
}

void inodes_release(struct fs *fs)
{
	if (!fs->inodes)
		return;
	forget_all(fs);
	inode_unref(fs, STEAL(fs->placeholder));
	inode_unref(fs, STEAL(fs->root));
	if (fs->inodes->count)
		log_warning("%zu inodes are still in use at the end",
			    fs->inodes->count);
	pthread_mutex_destroy(&fs->inodes->lock);
	free(STEAL(fs->inodes));
}
