/* SPDX-License-Identifier: ISC */
#include "store/journal_files.h"
#include "store/util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdalign.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#define FOLDER "journal"

/* Frames go around the page cache, which takes a tenth off an fdatasync: what is
 * aligned in the file and not longer than that is copied to where it is in memory
 * too.  All else, and where it cannot be done, goes through it. */
#define DIRECT_ALIGNMENT 4096u
#define DIRECT_MOST ((size_t)64 << 10)
#define NO_DIRECT (-2)

#define FILES 3u			/* descriptors a segment */

struct disk_files {
	struct journal_files files;
	int folder;
	unsigned int segments;
	pthread_mutex_t lock;		/* guards fds while one is opened */
	int fds[];			/* -1: not open; 2 * segments, then as
					 * many as segments with O_DIRECT */
};

static struct disk_files *disk_of(struct journal_files *f)
{
	return (struct disk_files *)f;
}

static void name_of(const struct disk_files *d, unsigned int file, char name[32])
{
	bool data = file >= d->segments;

	snprintf(name, 32, "%u%s", data ? file - d->segments : file,
		 data ? ".data" : "");
}

/* The file's descriptor; -ENOENT: not there and not to be made. */
static int open_file(struct disk_files *d, unsigned int file, bool create,
		     int *ret_fd)
{
	char name[32];
	int fd;
	SCOPED_LOCK(&d->lock);

	*ret_fd = d->fds[file];
	if (d->fds[file] >= 0)
		return 0;
	name_of(d, file, name);
	fd = openat(d->folder, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT && create) {
		fd = openat(d->folder, name, O_RDWR | O_CREAT | O_CLOEXEC |
			    O_NOFOLLOW, 0600);
		if (fd >= 0 && fsync(d->folder) < 0) {
			int r = -errno;

			close(fd);
			unlinkat(d->folder, name, 0);	/* is made again then */
			return r;
		}
	}
	if (fd < 0 && (errno == EROFS || errno == EACCES) && !create)
		fd = openat(d->folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	*ret_fd = d->fds[file] = fd;
	return 0;
}

static ssize_t disk_read(struct journal_files *f, unsigned int file, void *data,
			 size_t size, uint64_t offset)
{
	int fd, r = open_file(disk_of(f), file, false, &fd);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	return read_fully(fd, data, size, offset);
}

/* The descriptor with O_DIRECT of a segment that is there; NO_DIRECT. */
static int *direct_fd(struct disk_files *d, unsigned int file)
{
	int *fd = &d->fds[2 * d->segments + file];
	char name[32];
	SCOPED_LOCK(&d->lock);

	if (*fd != -1)
		return fd;
	name_of(d, file, name);
	*fd = openat(d->folder, name, O_RDWR | O_DIRECT | O_CLOEXEC |
		     O_NOFOLLOW);
	if (*fd < 0)
		*fd = NO_DIRECT;
	return fd;
}

static bool may_be_direct(const struct disk_files *d, unsigned int file,
			  size_t size, uint64_t offset)
{
	return file < d->segments && size <= DIRECT_MOST &&
	       (size | offset) % DIRECT_ALIGNMENT == 0;
}

static bool write_direct(struct disk_files *d, unsigned int file,
			 const void *data, size_t size, uint64_t offset)
{
	alignas(DIRECT_ALIGNMENT) char aligned[DIRECT_MOST];
	int *fd = direct_fd(d, file), r;

	if (*fd == NO_DIRECT)
		return false;
	memcpy(aligned, data, size);
	r = write_fully(*fd, aligned, size, offset);
	if (r == -EINVAL) {	/* blocks are larger */
		close(*fd);
		*fd = NO_DIRECT;
	}
	return r == 0;
}

static int disk_write(struct journal_files *f, unsigned int file,
		      const void *data, size_t size, uint64_t offset)
{
	struct disk_files *d = disk_of(f);
	int fd, r = open_file(d, file, true, &fd);

	if (r < 0)
		return r;
	if (may_be_direct(d, file, size, offset) &&
	    write_direct(d, file, data, size, offset))
		return 0;
	return write_fully(fd, data, size, offset);
}

static int disk_flush(struct journal_files *f, unsigned int file)
{
	int fd, r = open_file(disk_of(f), file, false, &fd);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	return fdatasync(fd) < 0 ? -errno : 0;
}

static int disk_flush_apart(struct journal_files *f, unsigned int file)
{
	struct disk_files *d = disk_of(f);
	scoped_fd int fd = -1;
	char name[32];

	name_of(d, file, name);
	fd = openat(d->folder, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	return fdatasync(fd) < 0 ? -errno : 0;
}

static int disk_cut(struct journal_files *f, unsigned int file, uint64_t size)
{
	int fd, r = open_file(disk_of(f), file, false, &fd);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	return ftruncate(fd, size) < 0 ? -errno : 0;
}

static uint64_t disk_room(struct journal_files *f)
{
	struct statvfs v;

	if (fstatvfs(disk_of(f)->folder, &v) < 0)
		return UINT64_MAX;
	return (uint64_t)v.f_bavail * v.f_frsize;
}

static void disk_free(struct journal_files *f)
{
	struct disk_files *d = disk_of(f);

	for (unsigned int i = 0; i < FILES * d->segments; i++)
		if (d->fds[i] >= 0)
			close(d->fds[i]);
	close(d->folder);
	pthread_mutex_destroy(&d->lock);
	free(d);
}

static const struct journal_files_ops disk_ops = {
	.read = disk_read,
	.write = disk_write,
	.flush = disk_flush,
	.flush_apart = disk_flush_apart,
	.cut = disk_cut,
	.room = disk_room,
	.free = disk_free,
};

int journal_files_new(int folder_fd, bool create, unsigned int segments,
		      struct journal_files **ret_files)
{
	struct disk_files *d;
	int folder;

	if (create && mkdirat(folder_fd, FOLDER, 0700) < 0 && errno != EEXIST)
		return -errno;
	folder = openat(folder_fd, FOLDER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
			O_CLOEXEC);
	if (folder < 0)
		return -errno;
	/* names too that somebody made who was killed before he could do so */
	if (create && (fsync(folder_fd) < 0 || fsync(folder) < 0)) {
		int r = -errno;

		close(folder);
		return r;
	}
	d = calloc(1, sizeof(*d) + FILES * segments * sizeof(*d->fds));
	if (!d) {
		close(folder);
		return -ENOMEM;
	}
	d->files.ops = &disk_ops;
	d->folder = folder;
	d->segments = segments;
	pthread_mutex_init(&d->lock, NULL);
	for (unsigned int i = 0; i < FILES * segments; i++)
		d->fds[i] = -1;
	*ret_files = &d->files;
	return 0;
}

void journal_files_free(struct journal_files *files)
{
	if (files)
		files->ops->free(files);
}
