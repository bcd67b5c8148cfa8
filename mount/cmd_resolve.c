/* SPDX-License-Identifier: ISC */
#include "mount/client.h"
#include "mount/commands.h"
#include "mount/place.h"
#include "mount/report.h"

#include <stdio.h>
#include <string.h>

/* Bytes of paths in one request: the mount takes a request in one write. */
#define PATHS_BYTES 32768

struct resolve_options {
	const char *choice;
};

/* What is being done; prints and counts over several requests. */
struct resolving {
	struct client *client;
	const char *branch, *choice;
	const json_t *conflicts;	/* of that branch */
	bool whole_branch;		/* no paths were given */
	json_t *paths;			/* collected, each once */
};

static int ask_conflicts(struct client *c, const char *branch, json_t **ret)
{
	struct report report = { "" };
	int r = client_ask(c, json_pack("{s:s, s:s}", "do", "conflicts",
					"branch", branch), ret, &report);

	if (r < 0)
		return say(client_name(c), STATUS_ERROR, "%s", report.text);
	return STATUS_OK;
}

/* ---- paths ---- */

static bool is_below(const char *path, const char *folder)
{
	size_t length = strlen(folder);

	return length == 0 ||
	       (strncmp(path, folder, length) == 0 &&
		(path[length] == '\0' || path[length] == '/'));
}

static bool is_collected(const json_t *paths, const char *path)
{
	const json_t *p;
	size_t i;

	json_array_foreach(paths, i, p)
		if (strcmp(json_string_value(p), path) == 0)
			return true;
	return false;
}

/* Adds the conflicts at or below path; returns how many there are. */
static size_t collect(struct resolving *r, const char *path)
{
	const json_t *list = json_object_get(r->conflicts, "conflicts"), *c;
	size_t i, count = 0;

	json_array_foreach(list, i, c) {
		const char *its_path = reply_text(c, "path");

		if (!is_below(its_path, path))
			continue;
		count++;
		if (!is_collected(r->paths, its_path))
			json_array_append_new(r->paths,
					      json_string(its_path));
	}
	return count;
}

/* An operand is a path from the working directory, if that is in the branch, or
 * else from the branch's root, as `irminfs conflicts` prints it. */
static int add_path(struct resolving *r, const char *operand)
{
	const char *here = client_branch(r->client);
	bool is_here = here && strcmp(here, r->branch) == 0;
	scoped_free char *near = place_path(is_here ?
					    client_prefix(r->client) : "",
					    operand);
	scoped_free char *far = place_path("", operand);

	if (near && collect(r, near))
		return STATUS_OK;
	if (far && far[0] && collect(r, far))
		return STATUS_OK;
	return say(client_name(r->client), STATUS_ERROR, "%s: branch %s has no "
		   "conflict there; irminfs conflicts %s lists them", operand,
		   r->branch, r->branch);
}

/* ---- requests ---- */

/* Asks for paths[*first...] as far as they fit into one request. */
static int resolve_some(struct resolving *r, size_t *first,
			json_t **ret_reply)
{
	json_t *request = json_pack("{s:s, s:s, s:s}", "do", "resolve",
				    "branch", r->branch, "choice", r->choice);
	json_t *paths = json_array(), *path;
	size_t bytes = 0;

	while ((path = json_array_get(r->paths, *first)) &&
	       bytes < PATHS_BYTES) {
		bytes += json_string_length(path);
		json_array_append(paths, path);
		++*first;
	}
	if (r->whole_branch)
		json_decref(paths);
	else
		json_object_set_new(request, "paths", paths);
	return client_do(r->client, request, ret_reply);
}

static int resolve_all(struct resolving *r)
{
	json_int_t resolved = 0, left = 0;
	size_t first = 0;
	json_t *reply;
	int status;

	do {
		reply = NULL;
		status = resolve_some(r, &first, &reply);
		resolved += reply_number(reply, "resolved");
		left = reply_number(reply, "left");
		json_decref(reply);
	} while (status == STATUS_OK && first < json_array_size(r->paths));
	if (status != STATUS_OK)
		return status;
	if (!client_is_json(r->client) && left)
		printf("%lld resolved, %lld left.\n", (long long)resolved,
		       (long long)left);
	else if (!client_is_json(r->client))
		printf("%lld resolved; %s can be merged now.\n",
		       (long long)resolved, r->branch);
	return left ? STATUS_NEGATIVE : STATUS_OK;
}

/* ---- the command ---- */

/* Whether the first operand is a branch; otherwise it is a path in the one of
 * the working directory. */
static int is_branch(struct client *c, const char *operand, bool *ret)
{
	struct report report = { "" };
	json_t *reply;
	int r = client_ask_names(c, &reply, &report);

	if (r < 0)
		return say(client_name(c), STATUS_ERROR, "%s", report.text);
	*ret = place_has_branch(reply, operand);
	json_decref(reply);
	return STATUS_OK;
}

static int collect_paths(struct resolving *r, const struct operands *operands,
			 int first)
{
	int status = STATUS_OK;

	r->whole_branch = first >= operands->count;
	for (int i = first; i < operands->count && status == STATUS_OK; i++)
		status = add_path(r, operands->values[i]);
	return status;
}

static int resolve(struct client *c, const struct operands *operands,
		   void *options)
{
	const struct resolve_options *o = options;
	struct resolving r = { c, NULL, o->choice ? o->choice : "edited" };
	bool named = operands->count > 0;
	json_t *conflicts = NULL;
	int status = STATUS_OK;

	if (named && client_branch(c))
		status = is_branch(c, client_operand(operands->values[0]),
				   &named);
	if (status == STATUS_OK)
		r.branch = client_branch_or(c, operands,
					    named ? 0 : operands->count);
	if (!r.branch)
		return STATUS_ERROR;
	status = ask_conflicts(c, r.branch, &conflicts);
	r.conflicts = conflicts;
	r.paths = json_array();
	if (status == STATUS_OK)
		status = collect_paths(&r, operands, named ? 1 : 0);
	if (status == STATUS_OK)
		status = resolve_all(&r);
	json_decref(r.paths);
	json_decref(conflicts);
	return status;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct resolve_options o = { NULL };
	const struct flag flags[] = {
		{ 0, "ours", NULL, "take the side of the branch merged into",
		  .text = &o.choice, .value = "ours" },
		{ 0, "theirs", NULL, "take BRANCH's side as it was",
		  .text = &o.choice, .value = "theirs" },
		{ 0, "suggested", NULL, "take the suggestion, where there is one",
		  .text = &o.choice, .value = "suggested" },
		{ 0, "as-is", NULL, "take what the file holds, edited or not",
		  .text = &o.choice, .value = "as-is" },
		{ 0 },
	};

	return client_command(self, flags, argc, argv, 0, 1 << 20, resolve, &o);
}

const struct command command_resolve = {
	"resolve", "[BRANCH] [PATH...]",
	"Settle conflicts of BRANCH: all, or those at and below PATHs.  Without\n"
	"an option a file counts as resolved if it was edited since.  Exits 1 if\n"
	"conflicts are left.", run,
};
