/* SPDX-License-Identifier: ISC */
#include "store/inside_private.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* Git changes the files first and HEAD last, so refusing HEAD would come too
 * late: the folder would hold the files of another branch.  What is not seen here
 * (an alias, another program) does no worse: HEAD is written again. */

#define LINE_MOST 65536

struct words {
	const char *at, *end;
};

static const char *next(struct words *w)
{
	const char *word = w->at;

	if (word >= w->end)
		return NULL;
	w->at += strlen(word) + 1;
	return word;
}

static bool is_one_of(const char *word, const char *const *list)
{
	for (; *list; list++)
		if (strcmp(word, *list) == 0)
			return true;
	return false;
}

static const char *base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* git [OPTION...] COMMAND; NULL: another program. */
static const char *command(struct words *w)
{
	static const char *const with_value[] = {
		"-C", "-c", "--git-dir", "--work-tree", "--namespace",
		"--super-prefix", "--config-env", NULL,
	};
	const char *word = next(w);

	if (!word || strcmp(base(word), "git") != 0)
		return NULL;
	while ((word = next(w)) && word[0] == '-')
		if (is_one_of(word, with_value))
			next(w);
	return word;
}

/* git checkout [OPTION...] [WHAT] [--] [PATH...]: with paths it leaves HEAD. */
static bool checkout_switches(struct words *w,
			      bool (*is_revision)(void *, const char *),
			      void *context)
{
	static const char *const of_branches[] = {
		"-b", "-B", "-d", "--detach", "-t", "--track", "--orphan",
		"-l", NULL,
	};
	static const char *const of_files[] = {
		"-p", "--patch", "--ours", "--theirs", "-2", "-3", NULL,
	};
	const char *word, *what = NULL;
	bool dashes = false;
	size_t paths = 0;

	while ((word = next(w))) {
		if (dashes)
			paths++;
		else if (strcmp(word, "--") == 0)
			dashes = true;
		else if (is_one_of(word, of_branches) ||
			 strncmp(word, "--orphan=", 9) == 0 ||
			 strncmp(word, "--track=", 8) == 0)
			return true;
		else if (is_one_of(word, of_files) ||
			 strncmp(word, "--pathspec-from-file", 20) == 0)
			return false;
		else if (word[0] == '-' && word[1])
			continue;
		else if (!what)
			what = word;
		else
			paths++;
	}
	return what && !paths && (dashes || is_revision(context, what));
}

bool inside_line_switches(const char *line, size_t size,
			  bool (*is_revision)(void *context, const char *text),
			  void *context)
{
	struct words w = { line, line + size };
	const char *name = command(&w);

	if (!name)
		return false;
	if (strcmp(name, "checkout") == 0)
		return checkout_switches(&w, is_revision, context);
	/* and what the script git-bisect starts */
	return strcmp(name, "switch") == 0 ||
	       strncmp(name, "bisect", strlen("bisect")) == 0;
}

struct guess {
	const char *name;
	bool found;
};

/* refs/remotes/REMOTE/NAME */
static int compare_ref(void *context, const char *ref, const struct oid *oid,
		       const struct oid *peeled)
{
	struct guess *guess = context;
	const char *slash = strchr(ref + strlen("refs/remotes/"), '/');

	guess->found = slash && strcmp(slash + 1, guess->name) == 0;
	return guess->found;
}

/* As `git checkout` reads a word alone: of a branch of a remote it makes one. */
static bool is_revision(void *context, const char *text)
{
	struct store *store = context;
	struct guess guess = { .name = text };
	struct oid oid;

	if (strcmp(text, "-") == 0 || strstr(text, "...") ||
	    git_revision_resolve(store->repo, text, &oid) == 0)
		return true;
	git_refs_each(store->repo, "refs/remotes/", compare_ref, &guess);
	return guess.found;
}

bool inside_program_switches(struct store *store, pid_t pid)
{
	scoped_free char *line = NULL;
	scoped_fd int fd = -1;
	char path[64];
	ssize_t size;

	if (pid <= 0)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	line = fd < 0 ? NULL : malloc(LINE_MOST + 1);
	if (!line)
		return false;
	size = read(fd, line, LINE_MOST);
	if (size <= 0)
		return false;
	line[size] = '\0';
	return inside_line_switches(line, size, is_revision, store);
}
