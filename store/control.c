/* SPDX-License-Identifier: ISC */
#include "store/control_private.h"

#include <errno.h>
#include <stdio.h>

#define REQUEST_MAX ((size_t)16 << 20)

static const struct {
	const char *name;
	control_function *function;
} requests[] = {
	{ "branches", control_branches },
	{ "commit", control_commit },
	{ "conflicts", control_conflicts },
	{ "drop", control_drop },
	{ "dropped", control_dropped },
	{ "fork", control_fork },
	{ "fsck", control_fsck },
	{ "log", control_log },
	{ "make", control_make },
	{ "merge", control_merge },
	{ "publish", control_publish },
	{ "rename", control_rename },
	{ "resolve", control_resolve_conflicts },
	{ "restore", control_restore },
	{ "stats", control_stats },
	{ "status", control_status },
	{ "swap", control_swap },
};

/* Commits name the request as what made them, not the way it came. */
static int run(struct control *c, const char *name, control_function *function,
	       json_t *reply)
{
	const struct caller *given = c->caller;
	struct caller caller = *given;
	int r;

	caller.operation = name;
	c->caller = &caller;
	r = function(c, reply);
	c->caller = given;
	return r;
}

static int dispatch(struct control *c, json_t *reply)
{
	const char *what;
	int r = request_text(c, "do", &what);

	if (r)
		return r;
	for (size_t i = 0; i < sizeof(requests) / sizeof(*requests); i++)
		if (!strcmp(what, requests[i].name))
			return run(c, requests[i].name, requests[i].function,
				   reply);
	return report_set(&c->report, -EINVAL, "There is no request %.200s.",
			  what);
}

/* strerror's words as a sentence. */
static json_t *sentence(const struct control *c, int error)
{
	char text[128];

	if (*c->report.text)
		return json_text(c->report.text);
	snprintf(text, sizeof(text), "%s.", strerror(error));
	return json_text(text);
}

static int set_failure(const struct control *c, int error, json_t *reply)
{
	const char *name = strerrorname_np(error);
	int r;

	json_object_clear(reply);
	r = reply_set(reply, "error", json_text(name ? name : "EIO"));
	return r ? r : reply_set(reply, "message", sentence(c, error));
}

static int execute(struct control *c, const char *request, size_t size,
		   json_t *reply)
{
	json_error_t error;
	json_t *parsed;
	int r;

	if (size > REQUEST_MAX)
		return report_set(&c->report, -E2BIG, "The request is longer "
				  "than 16 MiB.");
	parsed = json_loadb(request, size, 0, &error);
	if (!json_is_object(parsed)) {
		json_decref(parsed);
		return report_set(&c->report, -EINVAL,
				  "The request is not a JSON object: %s.",
				  *error.text ? error.text : "another value");
	}
	c->request = parsed;
	r = dispatch(c, reply);
	json_decref(parsed);
	return r;
}

static int append_bytes(const char *data, size_t size, void *context)
{
	return buffer_append(context, data, size);
}

int control_execute(struct store *store, const struct caller *caller,
		    const char *request, size_t size, struct buffer *reply)
{
	struct control c = { .store = store, .caller = caller };
	json_t *object = json_object();
	int r;

	if (!object)
		return -ENOMEM;
	r = execute(&c, request, size, object);
	r = r < 0 ? set_failure(&c, -r, object) : 0;
	if (!r && json_dump_callback(object, append_bytes, reply,
				     JSON_COMPACT))
		r = -ENOMEM;
	json_decref(object);
	return r;
}
