/* SPDX-License-Identifier: ISC */
#ifndef TESTS_REPOSITORIES_H
#define TESTS_REPOSITORIES_H

#include "tests/shell.h"
#include "store/git_repo.h"

/* A bare Git repository in a temporary folder, and short names for what tests of
 * its objects do.  Everything that must succeed is asserted here. */

struct fixture {
	char *dir, path[256];		/* temporary; the repository is dir/r */
	struct git_repo *repo;
	struct odb *odb;		/* the repository's */
};

/* Warnings since the fixture was set up, a line each. */
static char messages[8192];

static inline void keep_message(enum log_level level, const char *text)
{
	size_t length = strlen(messages);

	snprintf(messages + length, sizeof(messages) - length, "%s\n", text);
}

static inline int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->dir = shell_begin();
	snprintf(f->path, sizeof(f->path), "%s/r", f->dir);
	assert_int_equal(git_repo_open(f->path, true, &f->repo, NULL), 0);
	f->odb = git_repo_odb(f->repo);
	messages[0] = '\0';
	log_set_sink(keep_message, LOG_LEVEL_WARNING);
	*state = f;
	return 0;
}

static inline int teardown(void **state)
{
	struct fixture *f = *state;

	log_set_sink(NULL, LOG_LEVEL_WARNING);
	git_repo_free(f->repo);
	shell_end(f->dir);
	free(f);
	return 0;
}

static inline struct oid write_text(struct fixture *f, const char *text)
{
	struct oid oid;

	assert_int_equal(odb_write(f->odb, OBJECT_BLOB, text, strlen(text),
				   &oid), 0);
	return oid;
}

/* A loose object: text, made too long for a pack. */
#define LARGE ((1 << 20) + 100)
static inline struct oid write_large(struct fixture *f, const char *text)
{
	char *data = calloc(1, LARGE);
	struct oid oid;

	snprintf(data, LARGE, "%s", text);
	assert_int_equal(odb_write(f->odb, OBJECT_BLOB, data, LARGE, &oid), 0);
	free(data);
	return oid;
}

static inline void assert_blob(struct odb *odb, const struct oid *oid,
			       const char *text)
{
	void *data;
	size_t size;

	assert_int_equal(odb_read(odb, oid, OBJECT_BLOB, &data, &size), 0);
	assert_int_equal(size, strlen(text));
	assert_string_equal(data, text);
	free(data);
}

#endif
