/* SPDX-License-Identifier: ISC */
#include "store/contents.h"
#include "store/git_error.h"
#include "store/git_handle.h"
#include "store/git_hash.h"
#include "store/git_shallow.h"

#include <errno.h>
#include <string.h>

/* ---- history ---- */

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
	r = check_commits(repo, ancestor, commit);
	if (r < 0)
		return r;
	SCOPED_HANDLE(handle, repo);
	r = git_graph_descendant_of(handle->repository, to_git_oid(commit),
				    to_git_oid(ancestor));
	return r < 0 ? say(ancestor, commit, r) : r;
}

/* ---- files ---- */

static git_merge_file_favor_t favor_of(char favor)
{
	switch (favor) {
	case 'o':
		return GIT_MERGE_FILE_FAVOR_OURS;
	case 't':
		return GIT_MERGE_FILE_FAVOR_THEIRS;
	case 'u':
		return GIT_MERGE_FILE_FAVOR_UNION;
	}
	return GIT_MERGE_FILE_FAVOR_NORMAL;
}

static void set_input(git_merge_file_input *input,
		      const struct merge_side *side)
{
	input->ptr = side->data ? side->data : "";
	input->size = side->data ? side->size : 0;
}

/* libgit2's merge, as git merge-file does it: conflicts are split where lines
 * agree, but not at lines without letters and digits. */
static int merge(git_merge_file_result *ret, const struct merge_input *input,
		 char favor)
{
	git_merge_file_input base = GIT_MERGE_FILE_INPUT_INIT;
	git_merge_file_input ours = GIT_MERGE_FILE_INPUT_INIT;
	git_merge_file_input theirs = GIT_MERGE_FILE_INPUT_INIT;
	git_merge_file_options options = GIT_MERGE_FILE_OPTIONS_INIT;
	int r;

	set_input(&base, &input->base);
	set_input(&ours, &input->ours);
	set_input(&theirs, &input->theirs);
	options.ancestor_label = input->base.label;
	options.our_label = input->ours.label;
	options.their_label = input->theirs.label;
	options.favor = favor_of(favor);
	options.flags = GIT_MERGE_FILE_SIMPLIFY_ALNUM;
	if (favor == 'b')
		options.flags |= GIT_MERGE_FILE_STYLE_DIFF3;
	options.marker_size = input->marker_size;
	git_library_begin();
	r = git_error_to_errno(git_merge_file(ret, &base, &ours, &theirs,
					      &options));
	git_library_end();
	return r == -EIO ? -ENOMEM : r;
}

int git_merge_lines(const struct merge_input *input, char favor,
		    void **ret_data, size_t *ret_size)
{
	git_merge_file_result result = { 0 };
	const void *bytes;
	size_t size;
	char *data;
	int conflict, r = merge(&result, input, favor);

	if (r < 0)
		return r;
	conflict = !result.automergeable;
	/* what is binary, or too large, comes back without a result */
	bytes = result.ptr || !conflict ? result.ptr : input->ours.data;
	size = result.ptr || !conflict ? result.len : input->ours.size;
	data = malloc(size + 1);
	if (data) {
		if (size)
			memcpy(data, bytes, size);
		data[size] = '\0';
		*ret_data = data;
		*ret_size = size;
	}
	git_merge_file_result_free(&result);
	return data ? conflict : -ENOMEM;
}
