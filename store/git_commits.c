/* SPDX-License-Identifier: ISC */
#include "store/git_error.h"
#include "store/git_handle.h"
#include "store/git_shallow.h"

#include <errno.h>

static int prepare(git_revwalk *walk, const struct oid *tip,
		   const struct oid *hidden, size_t hidden_count)
{
	int r = git_revwalk_sorting(walk, GIT_SORT_TIME);

	if (r == 0)
		r = git_revwalk_push(walk, to_git_oid(tip));
	for (size_t i = 0; r == 0 && i < hidden_count; i++)
		r = git_revwalk_hide(walk, to_git_oid(&hidden[i]));
	return r;
}

static int append(struct oid **oids, size_t *count, const git_oid *oid)
{
	struct oid *more = *oids;

	/* grows at powers of two */
	if ((*count & (*count - 1)) == 0)
		more = reallocarray(more, *count ? *count * 2 : 1,
				    sizeof(*more));
	if (!more)
		return -ENOMEM;
	*oids = more;
	more[(*count)++] = from_git_oid(oid);
	return 0;
}

static int collect(git_revwalk *walk, size_t most, struct oid **oids,
		   size_t *count)
{
	git_oid next;
	int r = 0;

	while (r == 0 && *count < most) {
		r = git_revwalk_next(&next, walk);
		if (r == GIT_ITEROVER)
			return 0;
		r = r < 0 ? git_error_of_read(r) : append(oids, count, &next);
	}
	return r;
}

int git_commits_since(struct git_repo *repo, const struct oid *tip,
		      const struct oid *hidden, size_t hidden_count,
		      size_t most, struct oid **ret, size_t *ret_count)
{
	struct oid *oids = NULL;
	git_revwalk *walk;
	size_t count = 0;
	int r;

	if (git_is_shallow(repo))
		return -ENOTSUP;
	r = git_memory_check(GIT_MEMORY_TO_WALK);
	if (r < 0)
		return r;
	SCOPED_HANDLE(handle, repo);
	r = git_revwalk_new(&walk, handle->repository);
	if (r < 0)
		return git_error_to_errno(r);
	r = prepare(walk, tip, hidden, hidden_count);
	r = r < 0 ? git_error_of_read(r) : collect(walk, most, &oids, &count);
	git_revwalk_free(walk);
	if (r < 0) {
		free(oids);
		return r;
	}
	*ret = oids;
	*ret_count = count;
	return 0;
}
