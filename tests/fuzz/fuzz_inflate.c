/* SPDX-License-Identifier: ISC */
#include "tests/fuzz/fuzz.h"
#include "store/git_inflate.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void *alloc(void *context, size_t size)
{
	/* what the file could hold at most is bounded by its own size */
	assert(size / 1033 <= *(size_t *)context);
	return malloc(size + 1);
}

/* Loose objects: reading ends, stays inside its memory, and the header alone
 * says the same as the whole. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("loose", MFD_CLOEXEC);
	enum object_type type, header_type;
	size_t length, header_length;
	void *object;
	int r;

	if (fd < 0)
		return 0;
	if (write(fd, data, size) == (ssize_t)size) {
		lseek(fd, 0, SEEK_SET);
		r = git_inflate(fd, alloc, &size, &type, &object, &length);
		if (r == 0) {
			assert(((char *)object)[length] == '\0');
			lseek(fd, 0, SEEK_SET);
			assert(git_inflate_header(fd, &header_type,
						  &header_length) == 0);
			assert(type == header_type && length == header_length);
		}
		free(object);
	}
	close(fd);
	return 0;
}
