/* SPDX-License-Identifier: ISC */
#include "store/git_error.h"
#include "store/git_handle.h"
#include "store/git_hash.h"
#include "store/git_shallow.h"

#include <errno.h>

static int say(const struct oid *a, const struct oid *b, int code)
{
	char first[OID_HEX_SIZE], second[OID_HEX_SIZE];
	int r = git_error_of_read(code);

	log_error("the history of %s and %s cannot be read: %s",
		  oid_hex(a, first), oid_hex(b, second), git_error_text());
	return r;
}

/* Says which commit is missing, where libgit2 would only say that one is. */
static int check_commit(struct git_repo *repo, const struct oid *oid)
{
	enum object_type type;
	int r = odb_read_header(repo->odb, oid, &type, NULL);

	return r == 0 && type != OBJECT_COMMIT ? -EUCLEAN : r;
}

static int check_commits(struct git_repo *repo, const struct oid *a,
			 const struct oid *b)
{
	int r = check_commit(repo, a);

	return r < 0 ? r : check_commit(repo, b);
}

static int copy_oids(const git_oidarray *found, struct oid **ret,
		     size_t *ret_count)
{
	struct oid *oids = NULL;

	if (found->count) {
		oids = malloc(found->count * sizeof(*oids));
		if (!oids)
			return -ENOMEM;
	}
	for (size_t i = 0; i < found->count; i++)
		oids[i] = from_git_oid(&found->ids[i]);
	*ret = oids;
	*ret_count = found->count;
	return 0;
}

int git_find_merge_bases(struct git_repo *repo, const struct oid *a,
			 const struct oid *b, struct oid **ret,
			 size_t *ret_count)
{
	git_oidarray found = { 0 };
	int r;

	if (git_is_shallow(repo))
		return git_shallow_merge_bases(repo, a, b, ret, ret_count);
	r = git_memory_check(GIT_MEMORY_TO_WALK);
	if (r == 0)
		r = check_commits(repo, a, b);
	if (r < 0)
		return r;
	{
		SCOPED_HANDLE(handle, repo);

		r = git_merge_bases(&found, handle->repository, to_git_oid(a),
				    to_git_oid(b));
		if (r < 0 && r != GIT_ENOTFOUND)
			return say(a, b, r);
	}
	r = copy_oids(&found, ret, ret_count);
	git_oidarray_dispose(&found);
	return r;
}

int git_is_ancestor(struct git_repo *repo, const struct oid *ancestor,
		    const struct oid *commit)
{
	int r;

	if (oid_equal(ancestor, commit))
		return 1;
	if (git_is_shallow(repo))
		return git_shallow_is_ancestor(repo, ancestor, commit);
	r = git_memory_check(GIT_MEMORY_TO_WALK);
	if (r == 0)
		r = check_commits(repo, ancestor, commit);
	if (r < 0)
		return r;
	SCOPED_HANDLE(handle, repo);
	r = git_graph_descendant_of(handle->repository, to_git_oid(commit),
				    to_git_oid(ancestor));
	return r < 0 ? say(ancestor, commit, r) : r;
}
