/* SPDX-License-Identifier: ISC */
#include "fs/operations.h"

#include <errno.h>
#include <unistd.h>

/* SEEK_DATA and SEEK_HOLE.  What was written through a mapping and has not arrived
 * is data too: where there may be some, and a hole is found, it is written back
 * and searched again.  That is a job, since it waits for a notification; it needs
 * no lock that lseek(2) holds, which is the one of the inode. */

struct seeking {
	fuse_req_t req;
	struct inode *inode;		/* referenced */
	off_t offset;
	int whence;
};

static void reply_seek(fuse_req_t req, struct inode *inode, off_t found)
{
	if (found < 0)
		reply_failure(req, inode, "searched", found);
	else
		fuse_reply_lseek(req, found);
}

static void run(void *context)
{
	struct seeking *s = context;
	struct fs *fs = fs_of(s->req);

	notify_inode(fs->pages, s->inode);
	notify_wait(fs->pages, -1);
	reply_seek(s->req, s->inode,
		   node_seek(s->inode->node, s->offset, s->whence));
	inode_unref(fs, s->inode);
	free(s);
}

/* Whether what was found is a hole, or a place behind one. */
static bool tells_of_hole(struct node *n, off_t offset, int whence, off_t found)
{
	struct stat st;

	if (whence == SEEK_DATA)
		return found != offset;
	return found >= 0 && node_stat(n, &st) == 0 && found < st.st_size;
}

static int seek_again(fuse_req_t req, struct inode *inode, off_t offset,
		      int whence)
{
	struct fs *fs = fs_of(req);
	struct seeking *s = malloc(sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	*s = (struct seeking){
		.req = req, .inode = inode_ref(fs, inode),
		.offset = offset, .whence = whence,
	};
	r = jobs_add(fs->jobs, run, s);
	if (r < 0) {
		inode_unref(fs, inode);
		free(s);
	}
	return r;
}

void op_lseek(fuse_req_t req, fuse_ino_t id, off_t offset, int whence,
	      struct fuse_file_info *info)
{
	struct inode *inode = inode_of(fs_of(req), id);
	off_t found = -EINVAL;

	if (inode->kind == INODE_NODE)
		found = node_seek(inode->node, offset, whence);
	if (inode->kind == INODE_NODE && node_has_writers(inode->node) &&
	    tells_of_hole(inode->node, offset, whence, found)) {
		found = seek_again(req, inode, offset, whence);
		if (found == 0)
			return;
	}
	reply_seek(req, inode, found);
}
