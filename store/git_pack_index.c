/* SPDX-License-Identifier: ISC */
#include "store/git_pack.h"
#include "store/sha1_file.h"
#include "store/util.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

static int compare(const void *a, const void *b)
{
	const struct pack_object *x = a, *y = b;

	return memcmp(x->oid.id, y->oid.id, OID_SIZE);
}

static void add_word(struct sha1_file *file, uint32_t word)
{
	word = htobe32(word);
	sha1_file_add(file, &word, sizeof(word));
}

/* For each first byte, how many ids begin with it or a smaller one. */
static void add_fan_out(struct sha1_file *file,
			const struct pack_object *objects, size_t count)
{
	size_t n = 0;

	for (int byte = 0; byte < 256; byte++) {
		while (n < count && objects[n].oid.id[0] <= byte)
			n++;
		add_word(file, n);
	}
}

int git_pack_write_index(int fd, struct pack_object *objects, size_t count,
			 const unsigned char sum[SHA1_SIZE])
{
	scoped_free struct sha1_file *file = malloc(sizeof(*file));
	unsigned char own_sum[SHA1_SIZE];

	if (!file)
		return -ENOMEM;
	qsort(objects, count, sizeof(*objects), compare);
	sha1_file_init(file, fd);
	add_word(file, 0xff744f63);
	add_word(file, 2);
	add_fan_out(file, objects, count);
	for (size_t i = 0; i < count; i++)
		sha1_file_add(file, objects[i].oid.id, OID_SIZE);
	for (size_t i = 0; i < count; i++)
		add_word(file, objects[i].crc);
	for (size_t i = 0; i < count; i++)
		add_word(file, objects[i].offset);
	sha1_file_add(file, sum, SHA1_SIZE);
	return sha1_file_end(file, own_sum);
}
