/* SPDX-License-Identifier: ISC */
#include "store/control_private.h"

#include <errno.h>

struct reports {
	struct conflict_report **report;
	size_t count;
};

static void reports_release(struct reports *reports)
{
	for (size_t i = 0; i < reports->count; i++)
		conflict_report_free(reports->report[i]);
	free(reports->report);
}

static int reports_get(struct branch *b, struct reports *ret)
{
	return branch_conflicts(b, &ret->report, &ret->count);
}

/* ---- list ---- */

static int add_conflict(json_t *array, const char *branch,
			const struct conflict_report *report,
			const struct conflict *conflict)
{
	json_t *entry = json_object();
	int r = reply_set(entry, "branch", json_text(branch));

	if (!r)
		r = reply_set(entry, "number", json_integer(conflict->number));
	if (!r)
		r = reply_set(entry, "path", json_text(conflict->path));
	if (!r)
		r = reply_set(entry, "reason", json_text(conflict->reason ?
						conflict->reason : ""));
	if (!r)
		r = reply_set(entry, "into", json_text(report->target_name));
	if (!r)
		r = reply_set(entry, "suggested",
			      json_boolean(conflict->suggested.mode != 0));
	if (r) {
		json_decref(entry);
		return r;
	}
	return reply_append(array, entry);
}

static int add_branch(struct branch *b, json_t *array)
{
	scoped(reports_release) struct reports reports = { 0 };
	scoped_free char *name = branch_name(b);
	int r = name ? reports_get(b, &reports) : -ENOMEM;

	for (size_t i = 0; !r && i < reports.count; i++) {
		const struct conflict_report *report = reports.report[i];

		for (size_t j = 0; !r && j < report->count; j++)
			if (!report->conflicts[j].resolved)
				r = add_conflict(array, name, report,
						 &report->conflicts[j]);
	}
	return r;
}

int control_conflicts(struct control *c, json_t *reply)
{
	return reply_branches(c, add_branch, "conflicts", reply);
}

/* ---- resolve ---- */

static int request_choice(struct control *c, enum resolve_choice *ret)
{
	static const char *const names[] = {
		[RESOLVE_EDITED] = "edited",
		[RESOLVE_AS_IS] = "as-is",
		[RESOLVE_OURS] = "ours",
		[RESOLVE_THEIRS] = "theirs",
		[RESOLVE_SUGGESTED] = "suggested",
	};
	const char *text;
	int r = request_text(c, "choice", &text);

	if (r)
		return r;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strcmp(text, names[i])) {
			*ret = i;
			return 0;
		}
	return report_set(&c->report, -EINVAL, "%.100s is not a way to resolve "
			  "a conflict.", text);
}

/* Whether the request is about that path: it lists it, or lists none. */
static bool is_wanted(const json_t *paths, const char *path)
{
	const json_t *p;
	size_t i;

	if (!paths)
		return true;
	json_array_foreach(paths, i, p)
		if (json_is_text(json_string_value(p), path))
			return true;
	return false;
}

static int check_path(struct control *c, const struct reports *reports,
		      const char *path)
{
	for (size_t i = 0; i < reports->count; i++)
		for (size_t j = 0; j < reports->report[i]->count; j++) {
			struct conflict *conflict =
				&reports->report[i]->conflicts[j];

			if (!conflict->resolved &&
			    json_is_text(path, conflict->path))
				return 0;
		}
	return report_set(&c->report, -ENOENT, "There is no conflict in "
			  "%.500s.", path);
}

static int check_paths(struct control *c, const struct reports *reports,
		       const json_t **ret_paths)
{
	const json_t *paths = json_object_get(c->request, "paths"), *p;
	size_t i;
	int r;

	if (!paths || json_is_null(paths)) {
		*ret_paths = NULL;
		return 0;
	}
	if (!json_is_array(paths))
		return report_set(&c->report, -EINVAL, "\"paths\" in the "
				  "request is not a list.");
	json_array_foreach(paths, i, p) {
		r = json_is_string(p) ?
			check_path(c, reports, json_string_value(p)) :
			report_set(&c->report, -EINVAL, "A path in the request "
				   "is not a text.");
		if (r)
			return r;
	}
	*ret_paths = paths;
	return 0;
}

struct resolving {
	struct control *control;
	struct branch *branch;
	enum resolve_choice choice;
	const json_t *paths;
	size_t resolved;
	int refused;		/* what kept the first one from it */
};

/* An untouched file, or one without suggestion, stays open and does not keep
 * the others from being resolved. */
static int resolve_one(struct resolving *v, const struct conflict *conflict)
{
	struct report said = { 0 };
	int r = branch_resolve(v->branch, conflict->number, v->choice,
			       v->control->caller, &said);

	if (!r) {
		v->resolved++;
		return 0;
	}
	/* finished by another one meanwhile */
	if (r == -ENOENT)
		return 0;
	if (r != -EPERM && r != -ENODATA)
		return report_set(&v->control->report, r, "%s", *said.text ?
				  said.text : strerror(-r));
	if (!v->refused) {
		v->refused = r;
		report_set(&v->control->report, r, "%s", *said.text ?
			   said.text : strerror(-r));
	}
	return 0;
}

static int resolve_all(struct resolving *v, const struct reports *reports)
{
	int r = 0;

	for (size_t i = 0; !r && i < reports->count; i++) {
		const struct conflict_report *report = reports->report[i];

		for (size_t j = 0; !r && j < report->count; j++) {
			const struct conflict *conflict = &report->conflicts[j];

			if (!conflict->resolved &&
			    is_wanted(v->paths, conflict->path))
				r = resolve_one(v, conflict);
		}
	}
	return r ? r : v->resolved ? 0 : v->refused;
}

static int count_left(struct branch *b, size_t *ret)
{
	scoped(reports_release) struct reports reports = { 0 };
	size_t left = 0;
	int r = reports_get(b, &reports);

	for (size_t i = 0; !r && i < reports.count; i++)
		for (size_t j = 0; j < reports.report[i]->count; j++)
			left += !reports.report[i]->conflicts[j].resolved;
	if (!r)
		*ret = left;
	return r;
}

static int resolve_in(struct control *c, struct branch *b, json_t *reply)
{
	scoped(reports_release) struct reports reports = { 0 };
	struct resolving v = { .control = c, .branch = b };
	size_t left = 0;
	int r = request_choice(c, &v.choice);

	if (!r)
		r = reports_get(b, &reports);
	if (!r)
		r = check_paths(c, &reports, &v.paths);
	if (!r)
		r = resolve_all(&v, &reports);
	if (!r)
		r = count_left(b, &left);
	if (!r)
		r = reply_set(reply, "resolved", json_integer(v.resolved));
	return r ? r : reply_set(reply, "left", json_integer(left));
}

int control_resolve_conflicts(struct control *c, json_t *reply)
{
	struct branch *b;
	int r = request_branch(c, "branch", &b);

	if (r)
		return r;
	r = resolve_in(c, b, reply);
	branch_unref(b);
	return r;
}
