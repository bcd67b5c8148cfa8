/* SPDX-License-Identifier: ISC */
#ifndef TESTS_STORES_H
#define TESTS_STORES_H

#include "store/store.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

/* A store in a temporary folder, with a branch main, and short names for what
 * tests do with it.  Everything that must succeed is asserted here. */

struct fixture {
	char dir[64];		/* temporary; the repository is dir/store.git */
	char path[80];
	struct store_options options;
	struct store *store;
};

static const struct caller tester = { .operation = "test" };

/* What a shell command prints, without the last newline; freed by the caller.
 * The command runs in the repository, when all that was committed is there, and
 * must succeed. */
__attribute__((format(printf, 2, 3)))
static inline char *shell(struct fixture *f, const char *format, ...)
{
	struct buffer command = { 0 }, output = { 0 };
	char *text, data[4096];
	size_t length;
	va_list args;
	FILE *pipe;

	if (f->store)
		store_publish(f->store);
	va_start(args, format);
	assert_true(vasprintf(&text, format, args) >= 0);
	va_end(args);
	assert_int_equal(buffer_printf(&command, "cd %s && { %s; }", f->path,
				       text), 0);
	free(text);
	pipe = popen(command.data, "r");
	assert_non_null(pipe);
	while ((length = fread(data, 1, sizeof(data), pipe)))
		assert_int_equal(buffer_append(&output, data, length), 0);
	if (pclose(pipe))
		fail_msg("failed: %s", command.data);
	buffer_release(&command);
	if (!output.length)
		return calloc(1, 1);
	if (output.data[output.length - 1] == '\n')
		output.data[output.length - 1] = '\0';
	return output.data;
}

/* Makes loose objects of all packs, so that single ones can be damaged. */
__attribute__((unused))
static inline void unpack_store(struct fixture *f)
{
	free(shell(f, "mkdir packs && mv objects/pack/pack-* packs && "
		   "for p in packs/*.pack; do git unpack-objects -q <$p; done "
		   "&& rm -rf packs"));
}

#define assert_shell(f, expected, ...)                                         \
	do {                                                                   \
		char *printed_ = shell(f, __VA_ARGS__);                        \
		assert_string_equal(printed_, expected);                       \
		free(printed_);                                                \
	} while (0)

static inline void open_store(struct fixture *f)
{
	struct report report = { 0 };
	int r = store_open(f->path, &f->options, &f->store, &report);

	if (r)
		fail_msg("store_open: %d: %s", r, report.text);
}

static inline void close_store(struct fixture *f)
{
	struct report report = { 0 };
	int r = store_close(f->store, &report);

	f->store = NULL;
	if (r)
		fail_msg("store_close: %d: %s", r, report.text);
}

static inline void reopen_store(struct fixture *f)
{
	close_store(f);
	open_store(f);
}

/* In a folder of its own, without the configuration of who runs the test. */
static inline void make_fixture(struct fixture *f)
{
	*f = (struct fixture){
		.options = {
			.create = true, .commit_seconds = 3600,
			.keep_all = true,
		},
	};
	snprintf(f->dir, sizeof(f->dir), "/tmp/irminfs-store-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	memcpy(f->path, f->dir, strlen(f->dir));
	memcpy(f->path + strlen(f->dir), "/store.git", sizeof("/store.git"));
	setenv("HOME", f->dir, 1);
	setenv("XDG_CONFIG_HOME", f->dir, 1);
	setenv("GIT_CONFIG_NOSYSTEM", "1", 1);
	setenv("GIT_AUTHOR_NAME", "A", 1);
	setenv("GIT_AUTHOR_EMAIL", "a@example.org", 1);
	setenv("GIT_COMMITTER_NAME", "A", 1);
	setenv("GIT_COMMITTER_EMAIL", "a@example.org", 1);
}

static inline void remove_fixture(struct fixture *f)
{
	char command[128];

	if (f->store)
		close_store(f);
	snprintf(command, sizeof(command), "rm -rf %s", f->dir);
	assert_int_equal(system(command), 0);
}

static inline int fixture_set_up(void **state)
{
	struct fixture *f = malloc(sizeof(*f));

	if (!f)
		return -1;
	make_fixture(f);
	open_store(f);
	*state = f;
	return 0;
}

/* One that follows what others do to the repository. */
static inline int fixture_set_up_following(void **state)
{
	struct fixture *f = malloc(sizeof(*f));

	if (!f)
		return -1;
	make_fixture(f);
	f->options.follow = true;
	open_store(f);
	*state = f;
	return 0;
}

static inline int fixture_tear_down(void **state)
{
	remove_fixture(*state);
	free(*state);
	return 0;
}

#define store_test(function)                                                   \
	cmocka_unit_test_setup_teardown(function, fixture_set_up,              \
					fixture_tear_down)

/* ---- branches ---- */

/* A new reference. */
static inline struct branch *branch_of(struct fixture *f, const char *name)
{
	struct branch *b;

	assert_int_equal(store_branch(f->store, name, &b), 0);
	return b;
}

static inline bool has_branch(struct fixture *f, const char *name)
{
	struct branch *b;

	if (store_branch(f->store, name, &b))
		return false;
	branch_unref(b);
	return true;
}

static inline void fork_branch(struct fixture *f, const char *from,
			       const char *name)
{
	struct branch *b = branch_of(f, from);
	struct report report = { 0 };
	int r = store_fork(f->store, b, name, &tester, &report);

	if (r)
		fail_msg("store_fork: %d: %s", r, report.text);
	branch_unref(b);
}

static inline void sync_branch(struct fixture *f, const char *name)
{
	struct branch *b = branch_of(f, name);

	assert_int_equal(branch_sync(b, &tester), 0);
	branch_unref(b);
}

/* ---- files: at most one folder deep ---- */

/* The folder of path, made if need be, and the name in it; a new reference. */
static inline struct node *folder_of(struct worktree *w, const char *path,
				     const char **ret_name)
{
	struct node *root = worktree_root(w), *dir;
	const char *slash = strchr(path, '/');
	char *folder;
	int r;

	*ret_name = path;
	if (!slash)
		return root;
	*ret_name = slash + 1;
	folder = strndup(path, slash - path);
	assert_non_null(folder);
	r = node_lookup(root, folder, &dir);
	if (r == -ENOENT)
		r = node_make(root, folder, S_IFDIR | 0755, &tester, &dir);
	assert_int_equal(r, 0);
	free(folder);
	node_unref(root);
	return dir;
}

/* Replaces what the file holds; 0 or the first error. */
static inline int try_write(struct fixture *f, const char *branch,
			    const char *path, const char *text)
{
	struct branch *b = branch_of(f, branch);
	struct node *dir, *n;
	struct worktree *w;
	const char *name;
	ssize_t r;

	assert_int_equal(branch_worktree(b, &w), 0);
	dir = folder_of(w, path, &name);
	r = node_lookup(dir, name, &n);
	if (r == -ENOENT)
		r = node_make(dir, name, S_IFREG | 0644, &tester, &n);
	if (!r) {
		r = node_truncate(n, 0);
		if (!r)
			r = node_write(n, text, strlen(text), 0, false);
		node_unref(n);
	}
	node_unref(dir);
	branch_unref(b);
	return r < 0 ? r : 0;
}

static inline void write_file(struct fixture *f, const char *branch,
			      const char *path, const char *text)
{
	assert_int_equal(try_write(f, branch, path, text), 0);
}

static inline void remove_file(struct fixture *f, const char *branch,
			       const char *path)
{
	struct branch *b = branch_of(f, branch);
	struct worktree *w;
	struct node *dir;
	const char *name;

	assert_int_equal(branch_worktree(b, &w), 0);
	dir = folder_of(w, path, &name);
	assert_int_equal(node_unlink(dir, name), 0);
	node_unref(dir);
	branch_unref(b);
}

/* The file's text, "" if there is none; in a buffer that the next call
 * overwrites. */
static inline const char *text_in(struct worktree *w, const char *path)
{
	static char text[4096];
	struct node *n;
	ssize_t length;

	text[0] = '\0';
	if (worktree_lookup(w, path, &n))
		return text;
	length = node_read(n, text, sizeof(text) - 1, 0);
	assert_true(length >= 0);
	text[length] = '\0';
	node_unref(n);
	return text;
}

static inline const char *file_text(struct fixture *f, const char *branch,
				    const char *path)
{
	struct branch *b = branch_of(f, branch);
	struct worktree *w;
	const char *text;

	assert_int_equal(branch_worktree(b, &w), 0);
	text = text_in(w, path);
	branch_unref(b);
	return text;
}

/* A commit on top of a branch with one more file, made by plain Git. */
static inline void commit_outside(struct fixture *f, const char *branch,
				  const char *path, const char *text)
{
	free(shell(f, "export GIT_INDEX_FILE=$PWD/../index; rm -f $GIT_INDEX_FILE;"
		   "git read-tree %s; git update-index --add --cacheinfo "
		   "100644,$(echo -n '%s' | git hash-object -w --stdin),%s;"
		   "git update-ref refs/heads/%s $(git commit-tree -m outside "
		   "-p %s $(git write-tree))", branch, text, path, branch,
		   branch));
}

#endif
