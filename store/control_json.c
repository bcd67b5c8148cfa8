/* SPDX-License-Identifier: ISC */
#include "store/control_private.h"

#include <errno.h>

#define REPLACEMENT "\xef\xbf\xbd"	/* U+FFFD */

static int to_utf8(const char *bytes, struct buffer *ret)
{
	int r = buffer_puts(ret, "");

	while (!r && *bytes) {
		size_t length = utf8_length(bytes);

		r = length ? buffer_append(ret, bytes, length) :
			buffer_puts(ret, REPLACEMENT);
		bytes += length ? length : 1;
	}
	return r;
}

json_t *json_text(const char *bytes)
{
	scoped_buffer struct buffer text = { 0 };

	if (to_utf8(bytes, &text))
		return NULL;
	return json_stringn(text.data ? text.data : "", text.length);
}

bool json_is_text(const char *text, const char *bytes)
{
	scoped_buffer struct buffer made = { 0 };

	return !to_utf8(bytes, &made) &&
	       !strcmp(made.data ? made.data : "", text);
}

json_t *json_oid(const struct oid *oid)
{
	char hex[OID_HEX_SIZE];

	return oid_is_zero(oid) ? json_null() : json_string(oid_hex(oid, hex));
}

int reply_set(json_t *object, const char *key, json_t *value)
{
	return json_object_set_new(object, key, value) ? -ENOMEM : 0;
}

int reply_append(json_t *array, json_t *value)
{
	return json_array_append_new(array, value) ? -ENOMEM : 0;
}

int request_optional(struct control *c, const char *key, const char **ret)
{
	const json_t *value = json_object_get(c->request, key);

	if (!value || json_is_null(value)) {
		*ret = NULL;
		return 0;
	}
	if (!json_is_string(value))
		return report_set(&c->report, -EINVAL, "\"%s\" in the request "
				  "is not a text.", key);
	*ret = json_string_value(value);
	return 0;
}

int request_text(struct control *c, const char *key, const char **ret)
{
	const char *text;
	int r = request_optional(c, key, &text);

	if (r)
		return r;
	if (!text)
		return report_set(&c->report, -EINVAL, "\"%s\" is missing in "
				  "the request.", key);
	*ret = text;
	return 0;
}

int request_branch(struct control *c, const char *key, struct branch **ret)
{
	const char *name;
	int r = request_text(c, key, &name);

	if (!r)
		r = store_branch_anew(c->store, name, ret);
	if (r == -ENOENT)
		report_set(&c->report, r, "There is no branch %.200s.", name);
	return r;
}

/* "main~3" as "main@~3", so that what is queued for main counts. */
static int resolve_written(struct store *store, const char *revision,
			   struct oid *ret)
{
	scoped_buffer struct buffer name = { 0 };
	size_t length = strcspn(revision, "~^");
	bool fixed;
	int r;

	if (!revision[length])
		return -ENOENT;
	r = buffer_append(&name, revision, length);
	if (!r)
		r = buffer_printf(&name, "@%s", revision + length);
	return r ? r : store_resolve(store, name.data, ret, &fixed);
}

int control_resolve(struct control *c, const char *revision, struct oid *ret)
{
	bool fixed;
	int r = store_resolve(c->store, revision, ret, &fixed);

	if (r == -ENOENT)
		r = resolve_written(c->store, revision, ret);
	if (r == -ENOENT)
		r = git_revision_resolve(c->store->repo, revision, ret);
	if (r == -ENOENT || r == -EINVAL)
		return report_set(&c->report, -ENOENT, "%.200s is neither a "
				  "branch nor a revision.", revision);
	return r;
}

/* ---- replies about some branches ---- */

struct listing {
	struct store *store;
	add_branch_function *add;
	json_t *array;
};

static int add_named(void *context, const struct branch_facts *facts)
{
	struct listing *l = context;
	struct branch *b;
	int r;

	if (store_branch(l->store, facts->name, &b))
		return 0;
	r = l->add(b, l->array);
	branch_unref(b);
	/* it went meanwhile */
	return r == -ENOENT ? 0 : r;
}

int reply_branches(struct control *c, add_branch_function *add,
		   const char *key, json_t *reply)
{
	struct listing l = { .store = c->store, .add = add,
			     .array = json_array() };
	struct branch *b;
	int r;

	if (json_object_get(c->request, "branch")) {
		r = request_branch(c, "branch", &b);
		if (!r) {
			r = add(b, l.array);
			branch_unref(b);
		}
	} else {
		r = store_each(c->store, false, add_named, &l);
	}
	if (r) {
		json_decref(l.array);
		return r;
	}
	return reply_set(reply, key, l.array);
}
