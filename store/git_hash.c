/* SPDX-License-Identifier: ISC */
#include "store/git_hash.h"
#include "store/git_error.h"

#include <git2.h>
#include <pthread.h>
#include <stdatomic.h>

#define CACHE_BYTES ((ssize_t)16 << 20)
#define WINDOW_BYTES ((size_t)8 << 20)
#define MAPPED_BYTES ((size_t)64 << 20)

/* Options are global to the process and outlive a shutdown of the library. */
static void set_options(void)
{
	/* Whoever names the store trusts it: a daemon run by root serves the
	 * repositories of others. */
	git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);
	/* What is read stays in memory as work trees, not here too. */
	git_libgit2_opts(GIT_OPT_SET_CACHE_MAX_SIZE, CACHE_BYTES);
	git_libgit2_opts(GIT_OPT_SET_MWINDOW_SIZE, WINDOW_BYTES);
	git_libgit2_opts(GIT_OPT_SET_MWINDOW_MAPPED_LIMIT, MAPPED_BYTES);
}

static atomic_bool begun;

static void set_allocator(void)
{
	if (!begun)
		git_libgit2_opts(GIT_OPT_SET_ALLOCATOR, NULL);
}

void git_library_begin_small(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, set_allocator);
}

void git_library_begin(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	begun = true;
	git_libgit2_init();
	pthread_once(&once, set_options);
}

void git_library_end(void)
{
	git_libgit2_shutdown();
}

int git_hash(enum object_type type, const void *data, size_t size,
	     struct oid *ret_oid)
{
	git_oid oid;
	int r = git_odb_hash(&oid, data, size, (git_object_t)type);

	if (r < 0)
		return git_error_to_errno(r);
	memcpy(ret_oid->id, oid.id, OID_SIZE);
	return 0;
}
