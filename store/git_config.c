/* SPDX-License-Identifier: ISC */
#include "store/git_error.h"
#include "store/git_handle.h"

#include <errno.h>
#include <string.h>

static int read_value(git_repository *repository, const char *key,
		      git_buf *value)
{
	git_config *config;
	int r = git_repository_config_snapshot(&config, repository);

	if (r < 0)
		return r;
	r = git_config_get_string_buf(value, config, key);
	git_config_free(config);
	return r;
}

int git_config_read(struct git_repo *repo, const char *key, char **ret_value)
{
	SCOPED_HANDLE(handle, repo);
	git_buf value = { 0 };
	int r = git_memory_check();

	if (r < 0)
		return r;
	r = read_value(handle->repository, key, &value);
	/* a name that is no key cannot have a value */
	if (r == GIT_ENOTFOUND || r == GIT_EINVALIDSPEC)
		return -ENOENT;
	if (r < 0) {
		r = git_error_to_errno(r);
		log_error("the Git configuration of %s cannot be read: %s",
			  repo->path, git_error_text());
		return r;
	}
	*ret_value = strdup(value.ptr ? value.ptr : "");
	git_buf_dispose(&value);
	return *ret_value ? 0 : -ENOMEM;
}
