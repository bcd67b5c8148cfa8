/* SPDX-License-Identifier: ISC */
#include "fs/irmin.h"

#include "fs/handle.h"
#include "fs/inode.h"
#include "store/control.h"
#include "store/irmin_attribute.h"
#include "store/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* More than any store takes for a message. */
#define MESSAGE_MAX ((size_t)1 << 20)

/* ---- texts ---- */

static int print_stats(struct fs *fs, struct buffer *text)
{
	int r = control_stats_text(fs->store, text);

	return r < 0 ? r : buffer_printf(text, "inodes %zu\n",
					 inodes_count(fs));
}

static int read_store(struct fs *fs, struct inode *inode,
		      const struct caller *caller, struct buffer *text)
{
	struct inode *subject = irmin_subject(inode);
	const char *file = control_kinds[irmin_id(inode)].name;

	struct view *view = inode_view(subject);

	return control_read(fs->store, subject->branch,
			    view ? view_commit(view) : NULL, file, caller,
			    text);
}

static int read_conflict(struct fs *fs, struct inode *inode, struct handle *h)
{
	scoped(conflict_found_release) struct conflict_found found = { 0 };
	int r = conflict_find_in(inode->parent, &found);

	if (r < 0)
		return r;
	return conflict_read(fs, &found, irmin_id(inode), &h->text,
			     &h->contents);
}

static int print_type(struct inode *subject, struct buffer *text)
{
	char type[IRMIN_TYPE_SIZE] = "";
	int r = subject->kind == INODE_NODE ?
		node_type_name(subject->node, type) : 0;

	return r < 0 ? r : buffer_printf(text, "%s\n", *type ? type :
					 "directory");
}

/* What reading the file gives, as of its opening. */
static int load(struct fs *fs, struct inode *inode, const struct caller *caller,
		struct handle *h)
{
	switch (irmin_id(inode)) {
	case CONTROL_HEAD:
	case CONTROL_LOG:
	case CONTROL_STATUS:
	case CONTROL_MESSAGE:
		return read_store(fs, inode, caller, &h->text);
	case CONTROL_GIT:
		return inside_open(irmin_subject(inode)->branch, caller,
				   &h->text);
	case CONTROL_TYPE:
		return print_type(irmin_subject(inode), &h->text);
	case CONTROL_VERSION:
		return buffer_puts(&h->text, IRMINFS_VERSION "\n");
	case CONTROL_STATS:
		return print_stats(fs, &h->text);
	case CONTROL_PATH:
	case CONTROL_BASE:
	case CONTROL_OURS:
	case CONTROL_THEIRS:
	case CONTROL_MERGED:
	case CONTROL_WITH:
	case CONTROL_SUGGESTED:
		return read_conflict(fs, inode, h);
	default:
		return 0;
	}
}

/* ---- open and read ---- */

void irmin_open(fuse_req_t req, struct inode *inode,
		  struct fuse_file_info *info)
{
	const struct caller caller =
		caller_of(req, control_kinds[irmin_id(inode)].name);
	struct fs *fs = fs_of(req);
	struct handle *h = handle_new(fs);
	int r = h ? 0 : -ENOMEM;

	if (r == 0 && (info->flags & O_ACCMODE) != O_WRONLY)
		r = load(fs, inode, &caller, h);
	if (r < 0) {
		handle_free(fs, h);
		reply_error(req, r);
		return;
	}
	info->fh = (uintptr_t)h;
	info->direct_io = 1;
	if (fuse_reply_open(req, info) < 0)
		handle_free(fs, h);
}

void irmin_reply_made(fuse_req_t req, struct inode *inode,
			struct fuse_file_info *info)
{
	struct fs *fs = fs_of(req);
	struct handle *h = handle_new(fs);

	if (!h) {
		reply_error(req, -ENOMEM);
		inode_unref(fs, inode);
		return;
	}
	info->fh = (uintptr_t)h;
	info->direct_io = 1;
	if (!reply_create(req, inode, answer_begin(fs), false, info))
		handle_free(fs, h);
}

/* A reply is read from where the file position is after the request was
 * written, or from 0, as the program likes. */
static uint64_t text_offset_locked(struct handle *h, uint64_t offset)
{
	if (!h->is_reply)
		return offset;
	if (!h->is_started) {
		h->is_started = true;
		h->start = offset;
	}
	return offset >= h->start ? offset - h->start : offset;
}

static size_t read_text(struct handle *h, char *data, size_t size,
			uint64_t offset)
{
	size_t left;

	SCOPED_LOCK(&h->lock);
	offset = text_offset_locked(h, offset);
	left = offset < h->text.length ? h->text.length - offset : 0;
	if (size > left)
		size = left;
	if (size)
		memcpy(data, h->text.data + offset, size);
	return size;
}

/* Replies with a copy: as soon as the kernel has a reply the file may be closed,
 * and the handle is gone. */
void irmin_read(fuse_req_t req, size_t size, off_t offset,
		       struct fuse_file_info *info)
{
	struct handle *h = handle_of(info);
	scoped_free char *data = malloc(size);
	ssize_t done = -ENOMEM;

	if (data)
		done = h->contents ?
			contents_read(h->contents, data, size, offset) :
			(ssize_t)read_text(h, data, size, offset);
	if (done < 0)
		reply_error(req, done);
	else
		fuse_reply_buf(req, data, done);
}

/* ---- write ---- */

/* One write(2) or ioctl(2), carried out by a job: it may merge. */
struct request {
	fuse_req_t req;
	bool is_ioctl;
	struct inode *inode;		/* referenced */
	struct handle *handle;		/* stays open until the reply */
	struct caller caller;
	off_t offset;
	size_t size;
	char data[];
};

static int execute(struct request *q)
{
	struct handle *h = q->handle;
	struct buffer reply = { 0 };
	int r = control_execute(fs_of(q->req)->store, &q->caller, q->data,
				q->size, &reply);

	if (r < 0) {
		buffer_release(&reply);
		return r;
	}
	SCOPED_LOCK(&h->lock);
	buffer_release(&h->text);
	h->text = reply;
	h->is_reply = true;
	h->is_started = false;
	return 0;
}

/* A text that comes in several writes is one message. */
static int collect(struct request *q, struct buffer *ret)
{
	struct buffer *all = &q->handle->written;
	int r;

	SCOPED_LOCK(&q->handle->lock);
	if ((uint64_t)q->offset != all->length)
		buffer_release(all);
	if (all->length + q->size > MESSAGE_MAX)
		return -EMSGSIZE;
	r = buffer_append(all, q->data, q->size);
	return r < 0 ? r : buffer_append(ret, all->data, all->length);
}

static int act(struct request *q)
{
	scoped_buffer struct buffer message = { 0 };
	enum control id = irmin_id(q->inode);
	struct branch *b = irmin_subject(q->inode)->branch;
	struct store *store = fs_of(q->req)->store;
	const char *file = control_kinds[id].name;
	int r;

	if (id == CONTROL_REQUEST)
		return execute(q);
	if (!(control_kinds[id].mode & 0222))
		return -EACCES;
	if (id != CONTROL_MESSAGE)
		return control_write(store, b, file, q->data, q->size,
				     &q->caller);
	r = collect(q, &message);
	return r < 0 ? r : control_write(store, b, file, message.data,
					 message.length, &q->caller);
}

static void run_request(void *context)
{
	struct request *q = context;
	struct fs *fs = fs_of(q->req);
	struct inode *inode = q->inode;
	int r = act(q);

	/* so that the caller sees new names of branches at once; not for ever,
	 * see rule 2 in private.h */
	notify_wait(fs->spaces, SPACES_MILLISECONDS);
	if (irmin_id(inode) == CONTROL_REQUEST)
		helper_look_wait(fs->helper, "", LOOK_MILLISECONDS);
	if (r < 0)
		reply_error(q->req, r);
	else if (q->is_ioctl)
		fuse_reply_ioctl(q->req, 0, NULL, 0);
	else
		fuse_reply_write(q->req, q->size);
	inode_unref(fs, inode);
	free(q);
}

static void start_request(fuse_req_t req, bool is_ioctl, struct inode *inode,
			  const char *data, size_t size, off_t offset,
			  struct fuse_file_info *info)
{
	struct fs *fs = fs_of(req);
	struct request *q = malloc(sizeof(*q) + size);
	int r = -ENOMEM;

	if (q) {
		*q = (struct request){
			.req = req,
			.is_ioctl = is_ioctl,
			.inode = inode_ref(fs, inode),
			.handle = handle_of(info),
			.caller = caller_of(req, control_kinds[irmin_id(
							 inode)].name),
			.offset = offset,
			.size = size,
		};
		memcpy(q->data, data, size);
		r = jobs_add(fs->jobs, run_request, q);
	}
	if (r == 0)
		return;
	if (q)
		inode_unref(fs, inode);
	free(q);
	reply_error(req, r);
}

void irmin_write(fuse_req_t req, struct inode *inode, const char *data,
			size_t size, off_t offset, struct fuse_file_info *info)
{
	start_request(req, false, inode, data, size, offset, info);
}

void irmin_ioctl(fuse_req_t req, struct inode *inode, const char *data,
		 size_t size, struct fuse_file_info *info)
{
	if (irmin_id(inode) == CONTROL_REQUEST)
		start_request(req, true, inode, data, size, 0, info);
	else
		reply_error(req, -ENOTTY);
}
