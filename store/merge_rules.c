/* SPDX-License-Identifier: ISC */
#include "store/merge_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Which rule Git's attributes and configuration give to a path:
 * gitattributes(5), "Performing a three-way merge". */

/* merge.NAME.KEY; NULL when there is none. */
static int read_driver(struct git_repo *repo, const char *name,
		       const char *key, char **ret_value)
{
	scoped_buffer struct buffer b = { 0 };
	int r = buffer_printf(&b, "merge.%s.%s", name, key);

	*ret_value = NULL;
	if (r < 0)
		return r;
	r = git_config_read(repo, b.data, ret_value);
	/* a name that no key can have is that of no driver */
	return r == -ENOENT || r == -EINVAL ? 0 : r;
}

static int put_name(struct merge_rule *rule, const char *name)
{
	char *copy = strdup(name);

	if (!copy)
		return -ENOMEM;
	free(rule->name);
	rule->name = copy;
	return 0;
}

/* Finds the driver of rule->name; what is unknown is text. */
static int find_driver(struct git_repo *repo, struct merge_rule *rule)
{
	int r;

	if (merge_type_find(rule->name))
		return 0;
	r = read_driver(repo, rule->name, "driver", &rule->driver);
	if (r < 0 || rule->driver)
		return r;
	log_info("merge=%s is neither a type nor a driver of the Git "
		 "configuration: merging as text", rule->name);
	return put_name(rule, "text");
}

static int find_recursive(struct git_repo *repo, struct merge_rule *rule)
{
	scoped_free char *name = NULL;
	int r;

	if (merge_type_find(rule->name))
		return 0;
	r = read_driver(repo, rule->name, "recursive", &name);
	if (r == 0 && name)
		r = put_name(rule, name);
	return r;
}

static int read_name(struct git_repo *repo, const struct oid *commit,
		     const char *path, struct merge_rule *rule)
{
	scoped_free char *value = NULL;
	bool unset = false;
	int r = git_attribute(repo, commit, path, "merge", &value, &unset);

	if (r < 0)
		return r;
	if (unset)
		return put_name(rule, "binary");
	if (value)
		return put_name(rule, *value ? value : "text");
	r = git_config_read(repo, "merge.default", &value);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	return *value ? put_name(rule, value) : 0;
}

static int read_marker_size(struct git_repo *repo, const struct oid *commit,
			    const char *path, unsigned int depth,
			    struct merge_rule *rule)
{
	scoped_free char *value = NULL;
	bool unset = false;
	int r = git_attribute(repo, commit, path, "conflict-marker-size",
			      &value, &unset);
	long size = r == 0 && value ? strtol(value, NULL, 10) : 0;

	if (size <= 0 || size > 1000)
		size = 7;
	/* Longer markers inside virtual bases, as Git's: both can be told apart
	 * when they end up in one file. */
	rule->marker_size = size + 2 * (depth < 100 ? depth : 100);
	return r;
}

int merge_rule_read(struct git_repo *repo, const struct oid *commit,
		    const char *path, unsigned int depth,
		    struct merge_rule *ret)
{
	struct merge_rule rule = { 0 };
	int r = read_name(repo, commit, path, &rule);

	if (r == 0)
		r = read_marker_size(repo, commit, path, depth, &rule);
	if (r == 0 && rule.name && depth)
		r = find_recursive(repo, &rule);
	if (r == 0 && rule.name)
		r = find_driver(repo, &rule);
	if (r < 0) {
		merge_rule_release(&rule);
		return r;
	}
	*ret = rule;
	return 0;
}
