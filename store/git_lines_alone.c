/* SPDX-License-Identifier: ISC */
#include "store/git_hash.h"

#include <git2.h>
#include <git2/sys/alloc.h>
#include <stdlib.h>
#include <string.h>

/* For a program that merges texts and does nothing else with libgit2: what the
 * library's merge of files refers to, so that a static link takes that merge
 * alone, and none of the twenty libraries that the rest of it loads.  Nothing
 * here but memory is ever called: no repository is there. */

int git_repository_odb(git_odb **out, git_repository *repo)
{
	abort();
}

int git_odb_read(git_odb_object **out, git_odb *odb, const git_oid *id)
{
	abort();
}

const void *git_odb_object_data(git_odb_object *object)
{
	abort();
}

size_t git_odb_object_size(git_odb_object *object)
{
	abort();
}

void git_odb_object_free(git_odb_object *object)
{
	abort();
}

void git_odb_free(git_odb *odb)
{
	abort();
}

/* ---- errors: their number is enough ---- */

void git_error_set(int error_class, const char *format, ...);

void git_error_set(int error_class, const char *format, ...)
{
}

const git_error *git_error_last(void)
{
	return NULL;
}

/* ---- memory ---- */

static void *take(size_t size, const char *file, int line)
{
	return malloc(size);
}

static void *take_zeros(size_t count, size_t size, const char *file, int line)
{
	return calloc(count, size);
}

static void *resize(void *data, size_t size, const char *file, int line)
{
	return realloc(data, size);
}

static void *take_array(size_t count, size_t size, const char *file, int line)
{
	return reallocarray(NULL, count, size);
}

static void *resize_array(void *data, size_t count, size_t size,
			  const char *file, int line)
{
	return reallocarray(data, count, size);
}

static char *copy(const char *text, const char *file, int line)
{
	return strdup(text);
}

static char *copy_most(const char *text, size_t most, const char *file, int line)
{
	return strndup(text, most);
}

static char *copy_bytes(const char *bytes, size_t size, const char *file,
			int line)
{
	char *text = malloc(size + 1);

	if (text) {
		memcpy(text, bytes, size);
		text[size] = '\0';
	}
	return text;
}

extern git_allocator git__allocator;

git_allocator git__allocator = {
	.gmalloc = take,
	.gcalloc = take_zeros,
	.gstrdup = copy,
	.gstrndup = copy_most,
	.gsubstrdup = copy_bytes,
	.grealloc = resize,
	.greallocarray = resize_array,
	.gmallocarray = take_array,
	.gfree = free,
};

void git_library_begin_small(void)
{
}
