/* SPDX-License-Identifier: ISC */
#include "store/git_deflate.h"
#include "store/git_spare.h"
#include "store/util.h"

#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#define OUTPUT_SIZE ((size_t)64 << 10)
/* Bytes that do not shrink, as of pictures and archives, cost zlib a hundred
 * times what storing them does: after a piece that did not, so many more are
 * stored as they are before the next one is tried. */
#define PIECE ((size_t)64 << 10)
#define PIECES_STORED 15u
/* Holes come as pieces of zeros, which are deflated once. */
#define ZEROS_SIZE 1024u

/* Not as git names its own, which `git prune` removes. */
#define TEMPORARY ".irminfs-"

struct git_deflate {
	char *folder;			/* of objects */
	char *temporary;		/* path, NULL: it has its name */
	int fd;
	uint64_t left;			/* bytes to come */
	off_t written;
	z_stream zlib;			/* without header and checksum */
	bool zlib_open;
	uint32_t sum;			/* Adler-32 of all input */
	bool flushed;			/* nothing of it is held back */
	int level, level_now;
	size_t piece_in, piece_out;	/* of the piece that is being tried */
	size_t stored_left;		/* bytes to be stored as they are */
	size_t zeros_size;		/* 0: none were met */
	uint32_t zeros_sum;		/* of a piece of zeros, which are deflated: */
	unsigned char zeros[ZEROS_SIZE];
	unsigned char output[OUTPUT_SIZE];
};

void git_deflate_free(struct git_deflate *d)
{
	if (!d)
		return;
	if (d->zlib_open)
		deflateEnd(&d->zlib);
	if (d->fd >= 0)
		close(d->fd);
	if (d->temporary)
		unlink(d->temporary);
	free(d->temporary);
	free(d->folder);
	free(d);
}

static int write_output(struct git_deflate *d)
{
	size_t size = OUTPUT_SIZE - d->zlib.avail_out;
	int r = write_fully(d->fd, d->output, size, d->written);

	if (r < 0)
		return r;
	d->written += size;
	d->zlib.next_out = d->output;
	d->zlib.avail_out = OUTPUT_SIZE;
	return 0;
}

/* Until zlib has taken all input, and with another flush than none has given all
 * output. */
static int run_zlib(struct git_deflate *d, int flush)
{
	bool full;
	int z, r;

	do {
		z = deflate(&d->zlib, flush);
		if (z == Z_STREAM_ERROR)
			return -EIO;
		full = d->zlib.avail_out == 0;
		if (full || z == Z_STREAM_END) {
			r = write_output(d);
			if (r < 0)
				return r;
		}
	} while (d->zlib.avail_in > 0 || (full && flush != Z_NO_FLUSH));
	return 0;
}

/* Bytes that are no output of zlib. */
static int add_output(struct git_deflate *d, const void *data, size_t size)
{
	int r = d->zlib.avail_out < size ? write_output(d) : 0;

	if (r < 0)
		return r;
	memcpy(d->zlib.next_out, data, size);
	d->zlib.next_out += size;
	d->zlib.avail_out -= size;
	return 0;
}

static int set_level(struct git_deflate *d, int level)
{
	int z, r;

	if (level == d->level_now)
		return 0;
	do {
		r = write_output(d);
		if (r < 0)
			return r;
		z = deflateParams(&d->zlib, level, Z_DEFAULT_STRATEGY);
	} while (z == Z_BUF_ERROR);
	if (z != Z_OK)
		return -EIO;
	d->level_now = level;
	d->piece_in = d->piece_out = 0;
	return 0;
}

static uint64_t total_out(const struct git_deflate *d)
{
	return d->written + OUTPUT_SIZE - d->zlib.avail_out;
}

/* More of a piece is in, and gave so many bytes: whether the next are worth it. */
static int judge(struct git_deflate *d, size_t size, uint64_t out)
{
	if (d->stored_left) {
		d->stored_left -= size;
		return d->stored_left ? 0 : set_level(d, d->level);
	}
	d->piece_in += size;
	d->piece_out += out;
	if (d->piece_in < PIECE)
		return 0;
	if (d->level > 0 && d->piece_out > d->piece_in - d->piece_in / 32) {
		d->stored_left = PIECES_STORED * PIECE;
		return set_level(d, 0);
	}
	d->piece_in = d->piece_out = 0;
	return 0;
}

static int add(struct git_deflate *d, const void *data, size_t size)
{
	const unsigned char *p = data;

	while (size > 0) {
		size_t most = d->stored_left ? d->stored_left :
					       PIECE - d->piece_in;
		size_t piece = size < most ? size : most;
		uint64_t before = total_out(d);
		int r;

		d->zlib.next_in = (unsigned char *)(uintptr_t)p;
		d->zlib.avail_in = piece;
		d->sum = adler32(d->sum, p, piece);
		d->flushed = false;
		r = run_zlib(d, Z_NO_FLUSH);
		if (r == 0)
			r = judge(d, piece, total_out(d) - before);
		if (r < 0)
			return r;
		p += piece;
		size -= piece;
	}
	return 0;
}

/* ---- zeros ---- */

static bool is_zeros(const unsigned char *data, size_t size)
{
	return data[0] == 0 && memcmp(data, data + 1, size - 1) == 0;
}

/* data: a piece of zeros. */
static int deflate_zeros(struct git_deflate *d, const unsigned char *data)
{
	z_stream zlib = {
		.next_in = (unsigned char *)(uintptr_t)data, .avail_in = PIECE,
		.next_out = d->zeros, .avail_out = ZEROS_SIZE,
	};
	int z;

	if (deflateInit2(&zlib, Z_BEST_COMPRESSION, Z_DEFLATED, -MAX_WBITS,
			 MAX_MEM_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	z = deflate(&zlib, Z_FULL_FLUSH);
	deflateEnd(&zlib);
	if (z != Z_OK || zlib.avail_in || !zlib.avail_out)
		return -EIO;
	d->zeros_size = ZEROS_SIZE - zlib.avail_out;
	d->zeros_sum = adler32(1, data, PIECE);
	return 0;
}

/* What zlib takes after a full flush refers to nothing before it. */
static int add_zeros(struct git_deflate *d, const unsigned char *data)
{
	int r = d->zeros_size ? 0 : deflate_zeros(d, data);

	if (r == 0 && !d->flushed)
		r = run_zlib(d, Z_FULL_FLUSH);
	if (r < 0)
		return r;
	d->flushed = true;
	d->sum = adler32_combine(d->sum, d->zeros_sum, PIECE);
	return add_output(d, d->zeros, d->zeros_size);
}

/* ---- one object ---- */

static int open_temporary(struct git_deflate *d)
{
	char *path;

	if (asprintf(&path, "%s/" TEMPORARY "XXXXXX", d->folder) < 0)
		return -ENOMEM;
	d->fd = mkostemp(path, O_CLOEXEC);
	if (d->fd < 0) {
		free(path);
		return -errno;
	}
	d->temporary = path;
	return 0;
}

static int add_header(struct git_deflate *d, enum object_type type,
		      uint64_t size)
{
	static const char *const names[] = {
		[OBJECT_COMMIT] = "commit",
		[OBJECT_TREE] = "tree",
		[OBJECT_BLOB] = "blob",
		[OBJECT_TAG] = "tag",
	};
	char header[64];
	int n = snprintf(header, sizeof(header), "%s %" PRIu64, names[type],
			 size);

	/* of zlib's format (RFC 1950) */
	add_output(d, "\x78\x01", 2);
	return add(d, header, n + 1);
}

int git_deflate_new(const char *objects_dir, enum object_type type,
		    uint64_t size, int level, struct git_deflate **ret)
{
	struct git_deflate *d = malloc(sizeof(*d));
	int r;

	if (!d)
		return -ENOMEM;
	d->folder = strdup(objects_dir);
	d->temporary = NULL;
	d->fd = -1;
	d->left = size;
	d->written = 0;
	d->level = d->level_now = level;
	d->piece_in = d->piece_out = d->stored_left = 0;
	d->zlib = (z_stream){ .next_out = d->output,
			      .avail_out = OUTPUT_SIZE };
	d->sum = 1;
	d->flushed = false;
	d->zeros_size = 0;
	d->zlib_open = deflateInit2(&d->zlib, level, Z_DEFLATED, -MAX_WBITS,
				    MAX_MEM_LEVEL - 1, Z_DEFAULT_STRATEGY) == Z_OK;
	r = d->folder && d->zlib_open ? open_temporary(d) : -ENOMEM;
	if (r == 0)
		r = add_header(d, type, size);
	if (r < 0) {
		git_deflate_free(d);
		return r;
	}
	*ret = d;
	return 0;
}

int git_deflate_add(struct git_deflate *d, const void *data, size_t size)
{
	if (size > d->left)
		return -EIO;
	d->left -= size;
	return size == PIECE && is_zeros(data, size) ? add_zeros(d, data) :
						       add(d, data, size);
}

static int finish(struct git_deflate *d)
{
	uint32_t sum = htobe32(d->sum);
	int r = run_zlib(d, Z_FINISH);

	if (r == 0)
		r = add_output(d, &sum, sizeof(sum));
	return r < 0 ? r : write_output(d);
}

/* The folder of the first two digits may not be there yet. */
static int name_file(const char *temporary, const char *folder,
		     const struct oid *oid)
{
	scoped_free char *parent = NULL, *path = NULL;
	char hex[OID_HEX_SIZE];

	oid_hex(oid, hex);
	if (asprintf(&parent, "%s/%.2s", folder, hex) < 0)
		parent = NULL;
	if (!parent || asprintf(&path, "%s/%s", parent, hex + 2) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	if (rename(temporary, path) == 0)
		return 0;
	if (errno != ENOENT)
		return -errno;
	if (mkdir(parent, 0777) < 0 && errno != EEXIST)
		return -errno;
	return rename(temporary, path) < 0 ? -errno : 0;
}

void git_deflate_recover(const char *objects_dir)
{
	DIR *dir = opendir(objects_dir);
	struct dirent *entry;

	if (!dir)
		return;
	while ((entry = readdir(dir)))
		if (strncmp(entry->d_name, TEMPORARY, strlen(TEMPORARY)) == 0)
			unlinkat(dirfd(dir), entry->d_name, 0);
	closedir(dir);
}

int git_deflate_end(struct git_deflate *d, const struct oid *oid)
{
	int r = d->left ? -EIO : finish(d);

	if (r == 0 && fchmod(d->fd, 0444) < 0)
		r = -errno;
	if (r == 0)
		git_spare_add(d->folder, d->temporary, oid);
	if (r == 0)
		r = name_file(d->temporary, d->folder, oid);
	if (r < 0)
		return r;
	free(d->temporary);
	d->temporary = NULL;
	return 0;
}
