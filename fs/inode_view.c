/* SPDX-License-Identifier: ISC */
#include "fs/inode.h"

#include <errno.h>
#include <string.h>

/* Inodes of revisions.  Several names may stand for one commit, whose nodes are
 * shared; each name has a tree of inodes of its own.  Revisions never change, so
 * that nobody has to find all inodes of a node. */

static struct view_inode *view_inode_of(struct inode *inode)
{
	return (struct view_inode *)inode;
}

/* What destroys the inode gives the node and the view back. */
void view_inode_unlink_locked(struct inodes *all, struct inode *inode)
{
	struct view_inode *v = view_inode_of(inode);

	if (v->key.node)
		HASH_DEL(all->view_nodes, v);
	else if (v->hh.tbl)
		HASH_DEL(all->views, v);
	free(v->name);
}

static struct view_inode *view_inode_new(struct node *node,
					 struct inode *parent)
{
	struct view_inode *v = calloc(1, sizeof(*v));

	if (!v)
		return NULL;
	v->inode.kind = INODE_NODE;
	v->inode.of_view = true;
	v->inode.node = node;
	v->inode.parent = parent;
	v->inode.refs = 1;
	return v;
}

/* ---- below a root ---- */

static struct inode *node_locked(struct fs *fs, const struct view_key *key)
{
	struct inodes *all = fs->inodes;
	struct view_inode *v = view_inode_new(key->node, key->parent);

	if (!v)
		return NULL;
	v->key = *key;
	HASH_ADD(hh, all->view_nodes, key, sizeof(v->key), v);
	if (!v->hh.tbl) {
		free(v);
		return NULL;
	}
	key->parent->refs++;
	inode_link_locked(all, &v->inode);
	return &v->inode;
}

int view_inode_get(struct fs *fs, struct inode *root, struct node *node,
		   struct inode **ret)
{
	const struct view_key key = { root, node };
	struct view_inode *known;
	struct inode *inode;

	if (node == root->node) {
		node_unref(node);
		*ret = inode_ref(fs, root);
		return 0;
	}
	pthread_mutex_lock(&fs->inodes->lock);
	HASH_FIND(hh, fs->inodes->view_nodes, &key, sizeof(key), known);
	if (known) {
		inode = &known->inode;
		inode->refs++;
	} else {
		inode = node_locked(fs, &key);
	}
	pthread_mutex_unlock(&fs->inodes->lock);
	if (known || !inode)
		node_unref(node);
	if (!inode)
		return -ENOMEM;
	*ret = inode;
	return 0;
}

/* ---- roots ---- */

/* The name may stand for another commit than before: that tree lives on for
 * whoever is in it, and is found no more. */
static void replace_locked(struct fs *fs, struct view_inode *old)
{
	if (!old)
		return;
	HASH_DEL(fs->inodes->views, old);
	memset(&old->hh, 0, sizeof(old->hh));
}

static struct inode *root_locked(struct fs *fs, const char *name,
				 struct view *view)
{
	struct node *node = worktree_root(view_worktree(view));
	struct view_inode *v = view_inode_new(node, NULL);

	if (v)
		v->name = strdup(name);
	if (v && v->name)
		HASH_ADD_KEYPTR(hh, fs->inodes->views, v->name,
				strlen(v->name), v);
	if (v && v->hh.tbl) {
		v->view = view;
		inode_link_locked(fs->inodes, &v->inode);
		return &v->inode;
	}
	if (v)
		free(v->name);
	free(v);
	node_unref(node);
	return NULL;
}

int inode_for_view(struct fs *fs, const char *name, struct view *view,
		   struct inode **ret)
{
	struct view_inode *known;
	struct inode *inode;

	pthread_mutex_lock(&fs->inodes->lock);
	HASH_FIND_STR(fs->inodes->views, name, known);
	if (known && known->view == view) {
		inode = &known->inode;
		inode->refs++;
	} else {
		replace_locked(fs, known);
		known = NULL;
		inode = root_locked(fs, name, view);
	}
	pthread_mutex_unlock(&fs->inodes->lock);
	if (known || !inode)
		view_unref(view);
	if (!inode)
		return -ENOMEM;
	*ret = inode;
	return 0;
}
