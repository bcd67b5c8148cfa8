/* SPDX-License-Identifier: ISC */
#include "store/control_private.h"

#include <errno.h>

#define COUNT_DEFAULT 1000
#define COUNT_MAX 100000

static json_t *parents(const struct commit *commit)
{
	json_t *array = json_array();

	for (size_t i = 0; i < commit->parent_count; i++)
		if (reply_append(array, json_oid(&commit->parents[i]))) {
			json_decref(array);
			return NULL;
		}
	return array;
}

static int fill(json_t *entry, const struct oid *oid,
		const struct commit *commit)
{
	int r = reply_set(entry, "id", json_oid(oid));

	if (!r)
		r = reply_set(entry, "parents", parents(commit));
	if (!r)
		r = reply_set(entry, "author", json_text(commit->author.name));
	if (!r)
		r = reply_set(entry, "email", json_text(commit->author.email));
	if (!r)
		r = reply_set(entry, "time", json_integer(commit->author.time));
	return r ? r : reply_set(entry, "message", json_text(commit->message));
}

static int add_commit(void *context, const struct oid *oid,
		      const struct commit *commit)
{
	json_t *entry = json_object();
	int r = fill(entry, oid, commit);

	if (r) {
		json_decref(entry);
		return r;
	}
	return reply_append(context, entry);
}

static int request_count(struct control *c, size_t *ret)
{
	const json_t *count = json_object_get(c->request, "count");
	json_int_t value;

	if (!count || json_is_null(count)) {
		*ret = COUNT_DEFAULT;
		return 0;
	}
	value = json_integer_value(count);
	if (!json_is_integer(count) || value < 1)
		return report_set(&c->report, -EINVAL, "\"count\" in the "
				  "request is not a positive number.");
	*ret = value < COUNT_MAX ? value : COUNT_MAX;
	return 0;
}

int control_log(struct control *c, json_t *reply)
{
	json_t *commits;
	const char *revision;
	struct oid start;
	size_t count = 0;
	int r = request_text(c, "revision", &revision);

	if (!r)
		r = request_count(c, &count);
	if (!r)
		r = control_resolve(c, revision, &start);
	if (r)
		return r;
	commits = json_array();
	r = commits ? history_walk(c->store, &start, count, add_commit,
				   commits) : -ENOMEM;
	if (r) {
		json_decref(commits);
		return report_set(&c->report, r, "The history of %.200s is "
				  "damaged; irminfs fsck tells where.",
				  revision);
	}
	return reply_set(reply, "commits", commits);
}
