/* SPDX-License-Identifier: ISC */
#include "store/git_inflate.h"
#include "store/util.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#define HEADER_MOST 32		/* "commit ", 20 digits, NUL */
#define PIECE 16384
#define RATIO_MOST 1032		/* of deflate (zlib's technical notes) */

struct inflater {
	z_stream z;
	int fd;
	bool ended;		/* the stream, not the file */
	unsigned char in[PIECE];
};

static int inflater_init(struct inflater *i, int fd)
{
	memset(&i->z, 0, sizeof(i->z));
	i->fd = fd;
	i->ended = false;
	return inflateInit(&i->z) == Z_OK ? 0 : -ENOMEM;
}

static void inflater_release(struct inflater *i)
{
	inflateEnd(&i->z);
}

/* More input; 0 at the end of the file. */
static ssize_t refill(struct inflater *i)
{
	ssize_t n;

	do
		n = read(i->fd, i->in, sizeof(i->in));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	i->z.next_in = i->in;
	i->z.avail_in = n;
	return n;
}

static int step(struct inflater *i)
{
	ssize_t n = 1;

	if (i->z.avail_in == 0)
		n = refill(i);
	if (n <= 0)
		return n < 0 ? n : -EUCLEAN;
	switch (inflate(&i->z, Z_NO_FLUSH)) {
	case Z_OK:
		return 0;
	case Z_STREAM_END:
		i->ended = true;
		return 0;
	case Z_MEM_ERROR:
		return -ENOMEM;
	}
	return -EUCLEAN;
}

/* Up to size bytes; fewer only where the stream ends. */
static int take(struct inflater *i, void *data, size_t size, size_t *ret_got)
{
	size_t got = 0;

	while (got < size && !i->ended) {
		size_t room = size - got < PIECE ? size - got : PIECE;
		int r;

		i->z.next_out = (unsigned char *)data + got;
		i->z.avail_out = room;
		r = step(i);
		if (r < 0)
			return r;
		got += room - i->z.avail_out;
	}
	*ret_got = got;
	return 0;
}

/* The stream ends here, and so does the file. */
static int expect_end(struct inflater *i)
{
	unsigned char extra;
	size_t got;
	int r = take(i, &extra, 1, &got);

	if (r < 0)
		return r;
	return got == 0 && i->z.avail_in == 0 && refill(i) == 0 ? 0 : -EUCLEAN;
}

static int parse_type(const char *text, size_t length,
		      enum object_type *ret_type)
{
	static const struct {
		const char *name;
		enum object_type type;
	} types[] = {
		{ "commit", OBJECT_COMMIT }, { "tree", OBJECT_TREE },
		{ "blob", OBJECT_BLOB }, { "tag", OBJECT_TAG },
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (strlen(types[i].name) == length &&
		    memcmp(types[i].name, text, length) == 0) {
			*ret_type = types[i].type;
			return 0;
		}
	return -EUCLEAN;
}

static int parse_size(const char *digits, size_t length, size_t *ret_size)
{
	size_t size = 0;

	if (length == 0 || (digits[0] == '0' && length > 1))
		return -EUCLEAN;
	for (size_t i = 0; i < length; i++)
		if (digits[i] < '0' || digits[i] > '9' ||
		    __builtin_mul_overflow(size, 10, &size) ||
		    __builtin_add_overflow(size, digits[i] - '0', &size))
			return -EUCLEAN;
	*ret_size = size;
	return 0;
}

/* Length of the header with its NUL, or -EUCLEAN. */
static int parse_header(const char *text, size_t length,
			enum object_type *ret_type, size_t *ret_size)
{
	const char *nul = memchr(text, '\0', length);
	const char *space = nul ? memchr(text, ' ', nul - text) : NULL;
	int r;

	if (!space)
		return -EUCLEAN;
	r = parse_type(text, space - text, ret_type);
	if (r == 0)
		r = parse_size(space + 1, nul - space - 1, ret_size);
	return r < 0 ? r : nul + 1 - text;
}

static bool is_plausible(int fd, size_t size)
{
	struct stat st;

	return fstat(fd, &st) == 0 && size / RATIO_MOST <= (size_t)st.st_size;
}

/* Header in text and what of the data came with it (*ret_got bytes in all);
 * returns the header's length. */
static int begin(struct inflater *i, char text[HEADER_MOST], size_t *ret_got,
		 enum object_type *ret_type, size_t *ret_size)
{
	int r = take(i, text, HEADER_MOST, ret_got);

	if (r == 0)
		r = parse_header(text, *ret_got, ret_type, ret_size);
	if (r >= 0 && !is_plausible(i->fd, *ret_size))
		return -EUCLEAN;
	return r;
}

static int read_body(struct inflater *i, char *data, size_t size,
		     const char *first, size_t first_size)
{
	size_t got;
	int r;

	if (first_size > size)
		return -EUCLEAN;
	memcpy(data, first, first_size);
	r = take(i, data + first_size, size - first_size, &got);
	if (r == 0 && got != size - first_size)
		r = -EUCLEAN;
	if (r == 0)
		r = expect_end(i);
	data[size] = '\0';
	return r;
}

static int read_object(struct inflater *i, inflate_alloc *alloc, void *context,
		       enum object_type *ret_type, void **ret_data,
		       size_t *ret_size)
{
	char text[HEADER_MOST];
	size_t got;
	int header = begin(i, text, &got, ret_type, ret_size);

	if (header < 0)
		return header;
	*ret_data = alloc(context, *ret_size);
	if (!*ret_data)
		return -ENOMEM;
	return read_body(i, *ret_data, *ret_size, text + header, got - header);
}

int git_inflate(int fd, inflate_alloc *alloc, void *context,
		enum object_type *ret_type, void **ret_data, size_t *ret_size)
{
	struct inflater i;
	int r = inflater_init(&i, fd);

	*ret_data = NULL;
	if (r < 0)
		return r;
	r = read_object(&i, alloc, context, ret_type, ret_data, ret_size);
	inflater_release(&i);
	return r;
}

/* What is left of size bytes, and the end; zlib checks their sum. */
static int skip_body(struct inflater *i, size_t size)
{
	char piece[PIECE];

	while (size > 0) {
		size_t wanted = size < PIECE ? size : PIECE, got;
		int r = take(i, piece, wanted, &got);

		if (r < 0)
			return r;
		if (got != wanted)
			return -EUCLEAN;
		size -= wanted;
	}
	return expect_end(i);
}

static int check_object(struct inflater *i)
{
	char text[HEADER_MOST];
	enum object_type type;
	size_t got, size;
	int header = begin(i, text, &got, &type, &size);

	if (header < 0)
		return header;
	got -= header;
	return got > size ? -EUCLEAN : skip_body(i, size - got);
}

int git_inflate_check(int fd)
{
	struct inflater i;
	int r = inflater_init(&i, fd);

	if (r < 0)
		return r;
	r = check_object(&i);
	inflater_release(&i);
	return r;
}

int git_inflate_header(int fd, enum object_type *ret_type, size_t *ret_size)
{
	char text[HEADER_MOST];
	struct inflater i;
	size_t got;
	int r = inflater_init(&i, fd);

	if (r < 0)
		return r;
	r = begin(&i, text, &got, ret_type, ret_size);
	inflater_release(&i);
	return r < 0 ? r : 0;
}
