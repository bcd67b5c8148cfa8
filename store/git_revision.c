/* SPDX-License-Identifier: ISC */
#include "store/git_error.h"
#include "store/git_handle.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Revisions as git-rev-parse(1) has them.  What NAME@{DATE} means is ours: bare
 * repositories keep no reflog, so it is the newest first-parent ancestor of NAME
 * whose commit time is not after DATE.  A date without a time is the begin of
 * that day, and without a zone in local time.  Searches for messages (":/text",
 * "^{/text}") are refused: libgit2 1.5 leaks 20 KiB for each commit that it
 * looks at. */

/* ---- dates ---- */

static const char *skip_spaces(const char *p)
{
	return p + strspn(p, " ");
}

/* "Z", "+0100", "+01:00", "-0800" or nothing (local time). */
static int parse_zone(const char *p, bool *ret_local, long *ret_seconds)
{
	int hours, minutes, length = 0;
	char sign;

	p = skip_spaces(p);
	*ret_local = !*p;
	*ret_seconds = 0;
	if (!*p || strcmp(p, "Z") == 0 || strcmp(p, "UTC") == 0 ||
	    strcmp(p, "GMT") == 0)
		return 0;
	if ((sscanf(p, "%c%2d%2d%n", &sign, &hours, &minutes, &length) != 3 &&
	     sscanf(p, "%c%2d:%2d%n", &sign, &hours, &minutes, &length) != 3) ||
	    p[length] || (sign != '+' && sign != '-') || hours < 0 ||
	    hours > 14 || minutes < 0 || minutes > 59)
		return -EINVAL;
	*ret_seconds = (sign == '-' ? -1 : 1) * (hours * 3600L + minutes * 60L);
	return 0;
}

/* Rejects what mktime would normalise, as the 31st of November. */
static int to_time(const struct tm *parts, bool local, long zone,
		   time_t *ret_time)
{
	struct tm copy = *parts;
	time_t time;

	copy.tm_isdst = -1;
	time = local ? mktime(&copy) : timegm(&copy);
	if (copy.tm_mday != parts->tm_mday || copy.tm_mon != parts->tm_mon)
		return -EINVAL;
	*ret_time = time - zone;
	return 0;
}

static int parse_form(const char *text, const char *form, time_t *ret_time)
{
	struct tm parts = { 0 };
	const char *rest = strptime(text, form, &parts);
	bool local;
	long zone;
	int r;

	if (!rest)
		return -EINVAL;
	r = parse_zone(rest, &local, &zone);
	return r < 0 ? r : to_time(&parts, local, zone, ret_time);
}

static int parse_date(const char *text, time_t *ret_time)
{
	static const char *const forms[] = {
		"%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M",
		"%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d",
		"%a, %d %b %Y %H:%M:%S", "%d %b %Y %H:%M:%S",
		"%a %b %d %H:%M:%S %Y",
	};

	text = skip_spaces(text);
	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++)
		if (parse_form(text, forms[i], ret_time) == 0)
			return 0;
	return -EINVAL;
}

/* ---- lookup ---- */

static void free_object(git_object **object)
{
	git_object_free(*object);
}

static void free_commit(git_commit **commit)
{
	git_commit_free(*commit);
}

static int failed(const char *revision, int code)
{
	int r = git_error_to_errno(code);

	if (r == -ENOENT || r == -EINVAL || r == -ENOMEM)
		return r;
	log_error("revision '%s' cannot be read: %s", revision,
		  git_error_text());
	return r == -EUCLEAN ? r : -EIO;
}

/* Without dates. */
static int resolve_plain(git_repository *repository, const char *revision,
			 git_commit **ret_commit)
{
	scoped(free_object) git_object *object = NULL;
	int r = git_revparse_single(&object, repository, revision);

	if (r == 0)
		r = git_object_peel((git_object **)ret_commit, object,
				    GIT_OBJECT_COMMIT);
	return r < 0 ? failed(revision, r) : 0;
}

/* Moves along first parents to a commit that is not newer than time. */
static int walk_to(git_commit **commit, time_t time)
{
	while (git_commit_time(*commit) > time) {
		git_commit *parent;
		int r;

		if (git_commit_parentcount(*commit) == 0)
			return -ENOENT;
		r = git_commit_parent(&parent, *commit, 0);
		if (r < 0)
			return failed("first parent", r);
		git_commit_free(*commit);
		*commit = parent;
	}
	return 0;
}

/* NAME@{DATE}REST: replaces what is before REST by a commit id in *revision. */
static int resolve_date(git_repository *repository, char **revision,
			char *braces, char *end)
{
	scoped(free_commit) git_commit *commit = NULL;
	char hex[GIT_OID_HEXSZ + 1], *resolved;
	time_t time;
	int r;

	*end = '\0';
	r = parse_date(braces + 2, &time);
	if (r < 0)
		return r;
	*braces = '\0';
	r = resolve_plain(repository, **revision ? *revision : "HEAD", &commit);
	if (r == 0)
		r = walk_to(&commit, time);
	if (r < 0)
		return r;
	git_oid_tostr(hex, sizeof(hex), git_commit_id(commit));
	if (asprintf(&resolved, "%s%s", hex, end + 1) < 0)
		return -ENOMEM;
	free(*revision);
	*revision = resolved;
	return 0;
}

/* Whether the text in @{...} is a date: digits alone count reflog entries, and
 * words are those of git-rev-parse(1), which libgit2 knows. */
static bool is_date(const char *text, const char *end)
{
	static const char *const words[] = { "upstream", "u", "push", "" };
	size_t length = end - text;
	bool digits = true;

	for (const char *p = text; p < end; p++)
		digits &= isdigit((unsigned char)*p) || (p == text && *p == '-');
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strlen(words[i]) == length &&
		    strncasecmp(text, words[i], length) == 0)
			return false;
	return !digits;
}

/* libgit2 knows "@" for HEAD only where it stands alone. */
static int expand_at(char **revision)
{
	char *expanded;

	if (**revision != '@' || !(*revision)[1] ||
	    !strchr("~^@", (*revision)[1]))
		return 0;
	if (asprintf(&expanded, "HEAD%s", *revision + 1) < 0)
		return -ENOMEM;
	free(*revision);
	*revision = expanded;
	return 0;
}

static bool is_search(const char *revision)
{
	return strncmp(revision, ":/", 2) == 0 || strstr(revision, "^{/");
}

static int expand_dates(git_repository *repository, char **revision)
{
	char *from = *revision, *braces, *end;
	int r;

	while ((braces = strstr(from, "@{"))) {
		end = strchr(braces, '}');
		if (!end)
			return -EINVAL;
		if (!is_date(braces + 2, end)) {
			from = end;
			continue;
		}
		r = resolve_date(repository, revision, braces, end);
		if (r < 0)
			return r;
		from = *revision;
	}
	return 0;
}

int git_revision_resolve(struct git_repo *repo, const char *revision,
			 struct oid *ret_commit)
{
	scoped_free char *text = strdup(revision);
	scoped(free_commit) git_commit *commit = NULL;
	int r;
	SCOPED_HANDLE(handle, repo);

	if (!text)
		return -ENOMEM;
	if (is_search(text))
		return -EINVAL;
	/* a short id may have become ambiguous by a new pack */
	git_odb_refresh(handle->odb);
	r = expand_at(&text);
	if (r == 0)
		r = expand_dates(handle->repository, &text);
	if (r == 0)
		r = resolve_plain(handle->repository, text, &commit);
	if (r < 0)
		return r;
	*ret_commit = from_git_oid(git_commit_id(commit));
	return 0;
}
