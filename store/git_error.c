/* SPDX-License-Identifier: ISC */
#include "store/git_error.h"

#include <errno.h>
#include <git2.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

const char *git_error_text(void)
{
	const git_error *error = git_error_last();

	return error && error->message ? error->message : "unknown error";
}

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), end_length = strlen(end);

	return length >= end_length &&
	       strcmp(text + length - end_length, end) == 0;
}

/* libgit2 clears errno and keeps only strerror()'s text, at the end of its
 * message. */
static int errno_of_text(const char *text)
{
	static const int known[] = {
		ENOSPC, EDQUOT, EROFS, EACCES, EPERM, EIO, ENOMEM, EMFILE,
		ENFILE, EFBIG, ENOENT, ENOTDIR, EISDIR, EEXIST, EBUSY, ELOOP,
		ENAMETOOLONG, ESTALE,
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (ends_with(text, strerror(known[i])))
			return -known[i];
	return -EIO;
}

static int errno_of_class(void)
{
	const git_error *error = git_error_last();

	/* walks of the history turn every error into one without a code */
	if (error && strncmp(git_error_text(), "object not found", 16) == 0)
		return -ENOENT;
	switch (error ? error->klass : GIT_ERROR_NONE) {
	case GIT_ERROR_NOMEMORY:
		return -ENOMEM;
	case GIT_ERROR_OS:
		return errno_of_text(git_error_text());
	case GIT_ERROR_INVALID:
		return -EINVAL;
	case GIT_ERROR_ZLIB:
	case GIT_ERROR_ODB:
	case GIT_ERROR_OBJECT:
	case GIT_ERROR_TREE:
	case GIT_ERROR_TAG:
	case GIT_ERROR_INDEXER:
	case GIT_ERROR_REFERENCE:
	case GIT_ERROR_CONFIG:
	case GIT_ERROR_SHA:
		return -EUCLEAN;
	}
	return -EIO;
}

int git_error_to_errno(int code)
{
	switch (code) {
	case GIT_ENOTFOUND:
	case GIT_EUNBORNBRANCH:
		return -ENOENT;
	case GIT_EEXISTS:
		return -EEXIST;
	case GIT_EAMBIGUOUS:
	case GIT_EINVALIDSPEC:
	case GIT_EPEEL:
	case GIT_EINVALID:
		return -EINVAL;
	case GIT_ELOCKED:
		return -EBUSY;
	case GIT_EMODIFIED:
		return -ESTALE;
	case GIT_EMISMATCH:
		return -EUCLEAN;
	}
	return code >= 0 ? code : errno_of_class();
}

int git_error_of_read(int code)
{
	int r = git_error_to_errno(code);

	if (r == -ENOENT)
		r = git_memory_check(GIT_MEMORY_TO_LOOK);
	if (r == -EUCLEAN || r == -ENOMEM || code >= 0)
		return r;
	return -EIO;
}

/* The heap may have what a limit on the address space leaves no file to be mapped. */
static bool can_map(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return memory != MAP_FAILED && munmap(memory, size) == 0;
}

int git_memory_check(size_t least)
{
	/* volatile: otherwise the compiler sees no use of it */
	void *volatile memory = malloc(least);
	bool enough = memory && can_map(least);

	free(memory);
	return enough ? 0 : -ENOMEM;
}
