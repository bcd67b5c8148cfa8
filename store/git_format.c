/* SPDX-License-Identifier: ISC */
#include "store/git_error.h"
#include "store/git_handle.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Which repositories we can serve: gitrepository-layout(5) and Git's
 * Documentation/technical/repository-version.txt. */

struct check {
	const char *path;
	int32_t version;
	bool worktree_config;
	struct report *report;
};

static int check_extension(const char *key, const char *value, struct check *c)
{
	/* What changes nothing for a reader and writer of objects and refs. */
	static const char *const harmless[] = {
		"noop", "noop-v1", "preciousobjects", "relativeworktrees",
	};

	if (strcasecmp(key, "worktreeconfig") == 0) {
		c->worktree_config = true;
		return 0;
	}
	if (strcasecmp(key, "objectformat") == 0)
		return strcasecmp(value, "sha1") == 0 ? 0 :
			report_set(c->report, -EINVAL,
				"%s names its objects by %s; only SHA-1 "
				"repositories can be mounted", c->path, value);
	if (strcasecmp(key, "refstorage") == 0)
		return strcasecmp(value, "files") == 0 ? 0 :
			report_set(c->report, -EINVAL,
				"%s keeps its refs as %s; only refs in files "
				"are supported ('git refs migrate "
				"--ref-format=files' converts them)",
				c->path, value);
	if (strcasecmp(key, "partialclone") == 0)
		return report_set(c->report, -EINVAL,
				"%s is a partial clone of %s: objects are "
				"missing in it; mount a full clone",
				c->path, value);
	for (size_t i = 0; i < sizeof(harmless) / sizeof(*harmless); i++)
		if (strcasecmp(key, harmless[i]) == 0)
			return 0;
	/* Git itself ignores unknown extensions of version 0. */
	return c->version == 0 ? 0 :
		report_set(c->report, -EINVAL,
			"%s uses the extension '%s', which irminfs does not "
			"know", c->path, key);
}

static int visit_extension(const git_config_entry *entry, void *context)
{
	size_t prefix = strlen("extensions.");

	if (strncmp(entry->name, "extensions.", prefix) != 0)
		return 0;
	return check_extension(entry->name + prefix,
			       entry->value ? entry->value : "", context);
}

static int check_config(git_config *config, struct check *c)
{
	int r = git_config_get_int32(&c->version, config,
				     "core.repositoryformatversion");

	if (r < 0 && r != GIT_ENOTFOUND)
		return report_set(c->report, -EINVAL,
				"%s/config: core.repositoryformatversion is "
				"no number", c->path);
	if (c->version < 0 || c->version > 1)
		return report_set(c->report, -EINVAL,
				"%s has repository format %d; irminfs knows 0 "
				"and 1", c->path, c->version);
	/* matching by a pattern leaks memory in libgit2 1.5 */
	r = git_config_foreach(config, visit_extension, c);
	return r < 0 && r != -EINVAL ? git_error_to_errno(r) : r;
}

static int read_layout(git_config *config, struct git_format *format)
{
	git_buf text = { 0 };
	int bare, r;

	if (git_config_get_bool(&bare, config, "core.bare") == 0)
		format->bare = bare;
	if (git_config_get_string_buf(&text, config, "core.worktree") < 0)
		return 0;
	free(format->work_tree);
	format->work_tree = strdup(text.ptr);
	r = format->work_tree ? 0 : -ENOMEM;
	git_buf_dispose(&text);
	return r;
}

static int open_config(const char *path, const char *name, git_config **ret)
{
	scoped_free char *file = NULL;

	if (asprintf(&file, "%s/%s", path, name) < 0) {
		file = NULL;
		return -ENOMEM;
	}
	if (access(file, F_OK) < 0 && errno == ENOENT)
		return -ENOENT;
	return git_error_to_errno(git_config_open_ondisk(ret, file));
}

/* With extensions.worktreeConfig, core.bare and core.worktree stand in a file
 * of their own. */
static int read_worktree_layout(const char *path, struct git_format *format)
{
	git_config *config;
	int r = open_config(path, "config.worktree", &config);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	r = read_layout(config, format);
	git_config_free(config);
	return r;
}

int git_format_check(const char *path, struct git_format *ret_format,
		     struct report *report)
{
	struct check check = { .path = path, .report = report };
	struct git_format format = { 0 };
	git_config *config;
	int r = open_config(path, "config", &config);

	/* Git takes a repository without configuration for version 0. */
	if (r == -ENOENT) {
		*ret_format = format;
		return 0;
	}
	if (r < 0)
		return report_set(report, r == -EUCLEAN ? -EINVAL : r,
				"%s/config cannot be read: %s", path,
				git_error_text());
	r = check_config(config, &check);
	if (r == 0)
		r = read_layout(config, &format);
	git_config_free(config);
	if (r == 0 && check.worktree_config)
		r = read_worktree_layout(path, &format);
	if (r < 0) {
		free(format.work_tree);
		return report_set(report, r, "%s/config cannot be read", path);
	}
	*ret_format = format;
	return 0;
}
