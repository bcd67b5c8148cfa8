/* SPDX-License-Identifier: ISC */
#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* recorder FILE LOG MOUNTPOINT: serves FILE as MOUNTPOINT/disk, for a loop
 * device, and records what arrives, in order, before it is answered.
 *
 * A record of LOG, little-endian:
 *   0   8  offset; all ones: a flush
 *   8   4  length, 0 of a flush
 *   12     that many bytes
 *
 * One thread serves one request after the other, so a flush covers the writes
 * that stand before it.  There is no cache above: the file is opened for direct
 * I/O.
 */

#define DISK_ID 2

struct recorder {
	int file, log;
	off_t size;
};

static struct recorder *recorder_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

static struct stat attributes(const struct recorder *r, fuse_ino_t id)
{
	struct stat st = { .st_ino = id, .st_nlink = 1 };

	st.st_mode = id == DISK_ID ? S_IFREG | 0600 : S_IFDIR | 0700;
	st.st_size = id == DISK_ID ? r->size : 0;
	return st;
}

static int record(struct recorder *r, uint64_t offset, const void *data,
		  uint32_t length)
{
	char head[12];
	struct iovec parts[2] = {
		{ head, sizeof(head) }, { (void *)(uintptr_t)data, length },
	};
	ssize_t all = sizeof(head) + length;

	offset = htole64(offset);
	memcpy(head, &offset, 8);
	memcpy(head + 8, &(uint32_t){ htole32(length) }, 4);
	return writev(r->log, parts, 2) == all ? 0 : -EIO;
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param entry = { .ino = DISK_ID };

	entry.attr_timeout = entry.entry_timeout = 3600;
	entry.attr = attributes(recorder_of(req), DISK_ID);
	if (parent == FUSE_ROOT_ID && strcmp(name, "disk") == 0)
		fuse_reply_entry(req, &entry);
	else
		fuse_reply_err(req, ENOENT);
}

static void op_getattr(fuse_req_t req, fuse_ino_t id,
		       struct fuse_file_info *info)
{
	struct stat st = attributes(recorder_of(req), id);

	fuse_reply_attr(req, &st, 3600);
}

static void op_open(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *info)
{
	info->direct_io = 1;
	fuse_reply_open(req, info);
}

static void op_read(fuse_req_t req, fuse_ino_t id, size_t size, off_t offset,
		    struct fuse_file_info *info)
{
	char *data = malloc(size);
	ssize_t n = data ? pread(recorder_of(req)->file, data, size, offset) : -1;

	if (n < 0)
		fuse_reply_err(req, EIO);
	else
		fuse_reply_buf(req, data, n);
	free(data);
}

static void op_write(fuse_req_t req, fuse_ino_t id, const char *data,
		     size_t size, off_t offset, struct fuse_file_info *info)
{
	struct recorder *r = recorder_of(req);

	if (offset + (off_t)size > r->size ||
	    record(r, offset, data, size) < 0 ||
	    pwrite(r->file, data, size, offset) != (ssize_t)size)
		fuse_reply_err(req, EIO);
	else
		fuse_reply_write(req, size);
}

static void op_fsync(fuse_req_t req, fuse_ino_t id, int data_only,
		     struct fuse_file_info *info)
{
	int r = record(recorder_of(req), UINT64_MAX, NULL, 0);

	fuse_reply_err(req, -r);
}

static const struct fuse_lowlevel_ops ops = {
	.lookup = op_lookup,
	.getattr = op_getattr,
	.open = op_open,
	.read = op_read,
	.write = op_write,
	.fsync = op_fsync,
};

static int serve(struct recorder *r, const char *mountpoint)
{
	char *words[] = { (char *)"recorder", NULL };
	struct fuse_args args = FUSE_ARGS_INIT(1, words);
	struct fuse_session *session =
		fuse_session_new(&args, &ops, sizeof(ops), r);
	int result = 1;

	if (!session)
		return 1;
	if (fuse_set_signal_handlers(session) == 0 &&
	    fuse_session_mount(session, mountpoint) == 0) {
		result = fuse_session_loop(session);
		fuse_session_unmount(session);
	}
	fuse_session_destroy(session);
	return result < 0;
}

int main(int argc, char **argv)
{
	struct recorder r;
	struct stat st;

	if (argc != 4) {
		fprintf(stderr, "usage: recorder FILE LOG MOUNTPOINT\n");
		return 2;
	}
	r.file = open(argv[1], O_RDWR | O_CLOEXEC);
	r.log = open(argv[2], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (r.file < 0 || r.log < 0 || fstat(r.file, &st) < 0) {
		perror("recorder");
		return 1;
	}
	r.size = st.st_size;
	return serve(&r, argv[3]);
}
