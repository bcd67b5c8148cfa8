/* SPDX-License-Identifier: ISC */
#include "store/pin.h"
#include "store/commit.h"
#include "store/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Git takes worktrees/ID for a work tree from the moment that its file gitdir
 * exists, and then wants a good HEAD in it; so gitdir comes last and goes first.
 * The file locked keeps `git worktree prune` away from the folder at any time.
 * The work tree that gitdir names does not exist. */

#define FOLDER "worktrees/irminfs"
#define NEW_FOLDER "irminfs.pin-new"
#define RACES_MOST 100
#define MESSAGE                                                                \
	"Objects in use by irminfs\n\nNo ref holds these yet.  The commit "    \
	"belongs to a private, locked\nwork tree of the mount and is replaced "\
	"as it goes on.\n"

static const char locked[] = "held by irminfs: keeps objects of the mount\n";
static const char commondir[] = "../..\n";

/* ---- the commit ---- */

static int compare_oids(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct oid));
}

/* Whether an error says nothing about the object. */
static bool is_unknown(int error)
{
	return error == -ENOMEM || error == -EMFILE || error == -ENFILE;
}

/* Sorted, without duplicates and zeros: equal sets pin the same commit.  What
 * is missing cannot be kept, and would break `git gc`: it is left out, and
 * odb_read_header has logged it. */
static int tidy(struct git_repo *repo, const struct oid *oids, size_t count,
		struct oid **ret, size_t *ret_count)
{
	struct oid *sorted = malloc((count + 1) * sizeof(*sorted));
	size_t kept = 0;

	if (!sorted)
		return -ENOMEM;
	if (count)
		memcpy(sorted, oids, count * sizeof(*sorted));
	qsort(sorted, count, sizeof(*sorted), compare_oids);
	for (size_t i = 0; i < count; i++) {
		enum object_type type;
		int r;

		if (oid_is_zero(&sorted[i]) ||
		    (kept && oid_equal(&sorted[kept - 1], &sorted[i])))
			continue;
		r = odb_read_header(git_repo_odb(repo), &sorted[i], &type, NULL);
		if (is_unknown(r)) {
			free(sorted);
			return r;
		}
		if (r == 0)
			sorted[kept++] = sorted[i];
	}
	*ret = sorted;
	*ret_count = kept;
	return 0;
}

/* A file is a blob, or the tree of a structure. */
static int mode_of(struct odb *odb, const struct oid *oid, uint32_t *ret_mode)
{
	enum object_type type;
	int r = odb_read_header(odb, oid, &type, NULL);

	*ret_mode = r == 0 && type == OBJECT_TREE ? MODE_TREE : MODE_FILE;
	return is_unknown(r) ? r : 0;
}

static int write_tree(struct odb *odb, const struct oid *blobs, size_t count,
		      struct oid *ret_tree)
{
	scoped_free struct tree_entry *entries = NULL;
	scoped_free char *names = NULL;

	entries = calloc(count + 1, sizeof(*entries));
	names = malloc((count + 1) * OID_HEX_SIZE);
	if (!entries || !names)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		int r = mode_of(odb, &blobs[i], &entries[i].mode);

		if (r < 0)
			return r;
		entries[i].oid = blobs[i];
		entries[i].name = oid_hex(&blobs[i], names + i * OID_HEX_SIZE);
	}
	return tree_write(odb, entries, count, ret_tree);
}

static int write_commit(struct odb *odb, const struct oid *tree,
			struct oid *parents, size_t count, struct oid *ret_oid)
{
	char name[] = "irminfs", email[] = "irminfs@localhost";
	char message[] = MESSAGE;
	struct signature who = { .name = name, .email = email };
	struct commit commit = {
		.tree = *tree, .parents = parents, .parent_count = count,
		.author = who, .committer = who, .message = message,
	};

	return commit_write(odb, &commit, ret_oid);
}

/* ---- the files ---- */

static int write_file(int dir_fd, const char *name, const char *text)
{
	scoped_buffer struct buffer present = { 0 };

	if (read_file(dir_fd, name, 65536, &present) == 0 && present.data &&
	    strcmp(present.data, text) == 0)
		return 0;
	return replace_file(dir_fd, name, text, strlen(text), 0666);
}

static int write_files(struct git_repo *repo, int dir_fd,
		       const struct oid *commit)
{
	scoped_free char *gitdir = NULL;
	char line[OID_HEX_SIZE + 1];
	int r;

	if (asprintf(&gitdir, "%s/irminfs/work-tree/.git\n",
		     git_repo_path(repo)) < 0) {
		gitdir = NULL;
		return -ENOMEM;
	}
	oid_hex(commit, line);
	line[OID_HEX_SIZE - 1] = '\n';
	line[OID_HEX_SIZE] = '\0';
	r = write_file(dir_fd, "locked", locked);
	if (r == 0)
		r = write_file(dir_fd, "commondir", commondir);
	if (r == 0)
		r = replace_file(dir_fd, "HEAD", line, OID_HEX_SIZE, 0666);
	if (r == 0)
		r = write_file(dir_fd, "gitdir", gitdir);
	return r;
}

static int sync_folder(int dir_fd, const char *name)
{
	scoped_fd int fd = openat(dir_fd, name,
				O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

static int move_folder(int git_dir_fd)
{
	for (int race = 0;; race++) {
		if (mkdirat(git_dir_fd, "worktrees", 0777) < 0 &&
		    errno != EEXIST)
			return -errno;
		if (renameat(git_dir_fd, NEW_FOLDER, git_dir_fd, FOLDER) == 0)
			break;
		/* removed while it was empty */
		if (errno != ENOENT || race == RACES_MOST)
			return -errno;
	}
	return sync_folder(git_dir_fd, "worktrees");
}

/* It appears with all that is in it: `git worktree prune`, and so `git gc`,
 * removes a folder that is not locked yet, whatever comes into it meanwhile. */
static int make_folder(struct git_repo *repo, const struct oid *commit)
{
	int git_dir_fd = git_repo_dir_fd(repo), r;
	scoped_fd int fd = -1;

	if (mkdirat(git_dir_fd, NEW_FOLDER, 0777) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(git_dir_fd, NEW_FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = write_files(repo, fd, commit);
	if (r == 0)
		r = move_folder(git_dir_fd);
	return r < 0 ? r : sync_folder(git_dir_fd, ".");
}

static int write_folder(struct git_repo *repo, const struct oid *commit)
{
	int git_dir_fd = git_repo_dir_fd(repo);
	scoped_fd int fd = -1;
	int r = -ENOTEMPTY;

	if (faccessat(git_dir_fd, FOLDER "/locked", F_OK, 0) < 0)
		r = make_folder(repo, commit);
	/* others put something there */
	if (r != -ENOTEMPTY && r != -EEXIST)
		return r;
	fd = openat(git_dir_fd, FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : write_files(repo, fd, commit);
}

static int remove_files(int git_dir_fd)
{
	static const char *const names[] = {
		"gitdir", "HEAD", "commondir", "HEAD.tmp", "gitdir.tmp",
		"commondir.tmp", "locked.tmp", "locked",
	};
	scoped_fd int fd = openat(git_dir_fd, FOLDER,
				O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (unlinkat(fd, names[i], 0) < 0 && errno != ENOENT)
			return -errno;
	/* either may hold what others put there; it does no harm */
	unlinkat(git_dir_fd, FOLDER, AT_REMOVEDIR);
	unlinkat(git_dir_fd, "worktrees", AT_REMOVEDIR);
	return fsync(git_dir_fd) < 0 ? -errno : 0;
}

/* A pin of these, and of the commit before (NULL: none).  Both lists tidy. */
static int write_pin(struct git_repo *repo, const struct oid *before,
		     const struct oid *commits, size_t commit_count,
		     const struct oid *blobs, size_t blob_count)
{
	struct odb *odb = git_repo_odb(repo);
	size_t count = commit_count + (before ? 1 : 0);
	scoped_free struct oid *parents = calloc(count + 1, sizeof(*parents));
	struct oid tree, commit;
	int r;

	if (!parents)
		return -ENOMEM;
	if (before)
		parents[0] = *before;
	memcpy(parents + count - commit_count, commits,
	       commit_count * sizeof(*commits));
	r = write_tree(odb, blobs, blob_count, &tree);
	if (r == 0)
		r = write_commit(odb, &tree, parents, count, &commit);
	if (r == 0)
		r = odb_flush(odb);
	return r < 0 ? r : write_folder(repo, &commit);
}

int pin_update(struct git_repo *repo, const struct oid *commits,
	       size_t commit_count, const struct oid *blobs, size_t blob_count)
{
	scoped_free struct oid *parents = NULL, *files = NULL;
	int r = tidy(repo, commits, commit_count, &parents, &commit_count);

	if (r == 0)
		r = tidy(repo, blobs, blob_count, &files, &blob_count);
	if (r < 0)
		return r;
	if (commit_count == 0 && blob_count == 0)
		return remove_files(git_repo_dir_fd(repo));
	return write_pin(repo, NULL, parents, commit_count, files, blob_count);
}

/* -ENOENT: there is none, or none that can be read. */
static int read_pin(struct git_repo *repo, struct oid *ret_oid)
{
	scoped_buffer struct buffer line = { 0 };
	enum object_type type;
	int r = read_file(git_repo_dir_fd(repo), FOLDER "/HEAD", 4096, &line);

	if (r == 0 && line.length != OID_HEX_SIZE)
		r = -ENOENT;
	if (r < 0)
		return is_unknown(r) ? r : -ENOENT;
	line.data[OID_HEX_SIZE - 1] = '\0';
	if (oid_parse(line.data, ret_oid) < 0)
		return -ENOENT;
	r = odb_read_header(git_repo_odb(repo), ret_oid, &type, NULL);
	return r == 0 || is_unknown(r) ? r : -ENOENT;
}

int pin_extend(struct git_repo *repo, const struct oid *commits,
	       size_t commit_count, const struct oid *blobs, size_t blob_count)
{
	scoped_free struct oid *parents = NULL, *files = NULL;
	struct oid before;
	int r = read_pin(repo, &before);

	if (r == 0)
		r = tidy(repo, commits, commit_count, &parents, &commit_count);
	if (r == 0)
		r = tidy(repo, blobs, blob_count, &files, &blob_count);
	if (r < 0)
		return r;
	return write_pin(repo, &before, parents, commit_count, files,
			 blob_count);
}
