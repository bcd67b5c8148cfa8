/* SPDX-License-Identifier: ISC */
#include "store/sha1_file.h"
#include "store/util.h"

#include <string.h>
#include <zlib.h>

void sha1_file_init(struct sha1_file *f, int fd)
{
	sha1_init(&f->sum);
	f->length = 0;
	f->crc = 0;
	f->fd = fd;
	f->error = 0;
	f->used = 0;
}

static void write_buffer(struct sha1_file *f)
{
	if (!f->error)
		f->error = write_fully(f->fd, f->buffer, f->used,
				       f->length - f->used);
	f->used = 0;
}

static void add(struct sha1_file *f, const void *data, size_t size)
{
	const unsigned char *p = data;

	while (size > 0) {
		size_t n = SHA1_FILE_BUFFER - f->used;

		if (n > size)
			n = size;
		memcpy(f->buffer + f->used, p, n);
		f->used += n;
		f->length += n;
		p += n;
		size -= n;
		if (f->used == SHA1_FILE_BUFFER)
			write_buffer(f);
	}
}

void sha1_file_add(struct sha1_file *f, const void *data, size_t size)
{
	sha1_add(&f->sum, data, size);
	f->crc = crc32_z(f->crc, data, size);
	add(f, data, size);
}

int sha1_file_end(struct sha1_file *f, unsigned char ret_sum[SHA1_SIZE])
{
	unsigned char sum[SHA1_SIZE];

	sha1_end(&f->sum, sum);
	add(f, sum, SHA1_SIZE);
	write_buffer(f);
	if (f->error)
		return f->error;
	memcpy(ret_sum, sum, SHA1_SIZE);
	return 0;
}
