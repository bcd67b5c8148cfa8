/* SPDX-License-Identifier: ISC */
#include "store/contents.h"
#include "store/git_error.h"
#include "store/git_hash.h"
#include "store/git_repo.h"

#include <errno.h>
#include <git2.h>
#include <string.h>

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
	git_library_begin_small();
	r = git_error_to_errno(git_merge_file(ret, &base, &ours, &theirs,
					      &options));
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
