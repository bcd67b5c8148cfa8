/* SPDX-License-Identifier: ISC */
#include "fs/operations.h"

#include "fs/irminfs_ioctl.h"

#include <errno.h>
#include <string.h>

/* Inserting and deleting in the middle of files, by ioctl.  What the kernel has
 * of the file's pages is at the wrong place afterwards.  Pages that were written
 * through a mapping must arrive before, as they belong to what was; those that
 * were read must be gone before the caller is answered.  So it is a job, since it
 * waits for notifications.  They need no lock that the ioctl holds: it holds
 * none. */

struct splicing {
	fuse_req_t req;
	struct inode *inode;		/* referenced */
	uint64_t offset, delete_size;
	size_t size;
	bool kill;
	unsigned char data[];
};

static void forget_pages(struct fs *fs, struct inode *inode)
{
	notify_inode(fs->pages, inode);
	notify_wait(fs->pages, -1);
}

static void run(void *context)
{
	struct splicing *s = context;
	struct fs *fs = fs_of(s->req);
	int r;

	forget_pages(fs, s->inode);
	r = file_drop_privileges(s->req, s->inode, s->kill);
	if (r == 0)
		r = node_splice(s->inode->node, s->offset, s->delete_size,
				s->data, s->size);
	if (r == 0)
		forget_pages(fs, s->inode);
	if (r < 0)
		reply_failure(s->req, s->inode, "changed", r);
	else
		fuse_reply_ioctl(s->req, 0, NULL, 0);
	inode_unref(fs, s->inode);
	free(s);
}

bool is_splice(unsigned int command, size_t size)
{
	return size >= sizeof(struct irminfs_splice) &&
	       command == IRMINFS_SPLICE(size - sizeof(struct irminfs_splice));
}

void splice_ioctl(fuse_req_t req, struct inode *inode, const void *data,
		  size_t size)
{
	struct irminfs_splice head;
	struct splicing *s;
	int r;

	memcpy(&head, data, sizeof(head));
	size -= sizeof(head);
	s = malloc(sizeof(*s) + size);
	if (!s) {
		reply_error(req, -ENOMEM);
		return;
	}
	*s = (struct splicing){
		.req = req, .inode = inode_ref(fs_of(req), inode),
		.offset = head.offset, .delete_size = head.delete_size,
		.size = size, .kill = fuse_req_ctx(req)->uid != 0,
	};
	memcpy(s->data, (const char *)data + sizeof(head), size);
	r = jobs_add(fs_of(req)->jobs, run, s);
	if (r < 0) {
		inode_unref(fs_of(req), inode);
		free(s);
		reply_error(req, r);
	}
}
