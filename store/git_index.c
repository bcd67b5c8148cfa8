/* SPDX-License-Identifier: ISC */
#include "store/git_index.h"
#include "store/git_error.h"
#include "store/git_handle.h"

#include <errno.h>
#include <string.h>

static void cleanup_index(git_index **index)
{
	git_index_free(*index);
}

static void cleanup_tree(git_tree **tree)
{
	git_tree_free(*tree);
}

static void cleanup_diff(git_diff **diff)
{
	git_diff_free(*diff);
}

/* ---- what is staged ---- */

struct staged {
	git_index_entry entry;		/* its path is owned */
	bool removed;
};

struct staging {
	struct staged *staged;
	size_t count;
};

static void staging_release(struct staging *s)
{
	for (size_t i = 0; i < s->count; i++)
		free((char *)s->staged[i].entry.path);
	free(s->staged);
}

/* -1: there is none. */
static int find(const git_tree *tree, const char *path, git_oid *ret)
{
	git_tree_entry *entry;
	int mode;

	if (git_tree_entry_bypath(&entry, tree, path) < 0)
		return -1;
	git_oid_cpy(ret, git_tree_entry_id(entry));
	mode = git_tree_entry_filemode(entry);
	git_tree_entry_free(entry);
	return mode;
}

static bool is_same(const git_tree *a, const git_tree *b, const char *path)
{
	git_oid x = { { 0 } }, y = { { 0 } };

	return find(a, path, &x) == find(b, path, &y) && git_oid_equal(&x, &y);
}

static int add(struct staging *s, git_index *index, const git_diff_delta *delta)
{
	const char *path = delta->new_file.path;
	const git_index_entry *entry = git_index_get_bypath(index, path, 0);
	struct staged *more = reallocarray(s->staged, s->count + 1,
					   sizeof(*more));

	if (!more)
		return -ENOMEM;
	s->staged = more;
	more[s->count] = (struct staged){ .removed = !entry };
	if (entry)
		more[s->count].entry = *entry;
	more[s->count].entry.path = strdup(path);
	if (!more[s->count].entry.path)
		return -ENOMEM;
	s->count++;
	return 0;
}

/* What differs from `from` where that is what `to` has. */
static int collect(git_repository *repository, git_index *index, git_tree *from,
		   git_tree *to, struct staging *ret)
{
	git_diff_options options = GIT_DIFF_OPTIONS_INIT;
	scoped(cleanup_diff) git_diff *diff = NULL;
	int r = git_diff_tree_to_index(&diff, repository, from, index,
				       &options);

	if (r < 0)
		return git_error_to_errno(r);
	for (size_t i = 0; i < git_diff_num_deltas(diff); i++) {
		const git_diff_delta *delta = git_diff_get_delta(diff, i);

		if (!is_same(from, to, delta->new_file.path))
			continue;
		r = add(ret, index, delta);
		if (r < 0)
			return r;
	}
	return 0;
}

/* One that has no place beside what came is not staged any more. */
static void stage(git_index *index, const struct staging *s)
{
	for (size_t i = 0; i < s->count; i++) {
		const git_index_entry *entry = &s->staged[i].entry;

		if (s->staged[i].removed)
			git_index_remove(index, entry->path, 0);
		else
			git_index_add(index, entry);
	}
}

/* ---- entries ---- */

static int read_tree(git_repository *repository, const struct oid *oid,
		     git_tree **ret)
{
	int r = git_tree_lookup(ret, repository, to_git_oid(oid));

	return r < 0 ? git_error_to_errno(r) : 0;
}

static int bring(struct git_repo *repo, git_index *index,
		 const struct oid *from_oid, const struct oid *to_oid)
{
	SCOPED_HANDLE(handle, repo);
	scoped(staging_release) struct staging staging = { 0 };
	scoped(cleanup_tree) git_tree *from = NULL;
	scoped(cleanup_tree) git_tree *to = NULL;
	int r = read_tree(handle->repository, to_oid, &to);

	if (r == 0 && from_oid)
		r = read_tree(handle->repository, from_oid, &from);
	if (r == 0 && from)
		r = collect(handle->repository, index, from, to, &staging);
	if (r < 0)
		return r;
	r = git_index_read_tree(index, to);
	if (r < 0)
		return git_error_to_errno(r);
	stage(index, &staging);
	return 0;
}

/* ---- what Git does not see ---- */

static bool is_skipped(const git_index_entry *entry)
{
	return entry->flags_extended & GIT_INDEX_ENTRY_SKIP_WORKTREE;
}

/* Writing the index looks after its version and the other flag that tells of
 * these.  1: something was another way; 0. */
static int skip_hidden(git_index *index, const struct git_index_view *view,
		       bool *ret_has_hidden)
{
	bool has_hidden = false, changed = false;

	for (size_t i = 0; i < git_index_entrycount(index); i++) {
		git_index_entry *entry = (git_index_entry *)
			git_index_get_byindex(index, i);
		int hidden = view->is_hidden(view->context, entry->path);

		if (hidden < 0)
			return hidden;
		has_hidden |= hidden;
		if (is_skipped(entry) == !!hidden)
			continue;
		entry->flags_extended ^= GIT_INDEX_ENTRY_SKIP_WORKTREE;
		changed = true;
	}
	*ret_has_hidden = has_hidden;
	return changed;
}

/* ---- attributes ---- */

struct looking {
	const struct git_index_view *view;
	bool all;
	int64_t written;	/* second in which the index was */
	int64_t now;
};

static void set_attributes(git_index_entry *entry, const struct stat *st)
{
	entry->ctime.seconds = st->st_ctim.tv_sec;
	entry->ctime.nanoseconds = st->st_ctim.tv_nsec;
	entry->mtime.seconds = st->st_mtim.tv_sec;
	entry->mtime.nanoseconds = st->st_mtim.tv_nsec;
	entry->ino = st->st_ino;
	entry->uid = st->st_uid;
	entry->gid = st->st_gid;
	entry->file_size = st->st_size;
}

/* Git looks into files whose entry is not older than the index: the index is
 * about to become younger, so such an entry must lose its size. */
static void look_at(const struct looking *l, git_index_entry *entry)
{
	const struct oid oid = from_git_oid(&entry->id);
	bool racy = entry->mtime.seconds >= l->written;
	struct stat st;

	if (entry->mode == GIT_FILEMODE_COMMIT)
		return;
	if (entry->mtime.seconds && !racy && !l->all)
		return;
	if (!is_skipped(entry) &&
	    l->view->look(l->view->context, entry->path, &oid, &st) &&
	    st.st_mtim.tv_sec < l->now)
		set_attributes(entry, &st);
	else if (racy)
		entry->file_size = 0;
}

/* Adding each entry anew would forget the trees that the index knows, which save
 * Git the reading of them; attributes are no part of those. */
static void look_at_all(git_index *index, const struct looking *l)
{
	for (size_t i = 0; i < git_index_entrycount(index); i++)
		look_at(l, (git_index_entry *)git_index_get_byindex(index, i));
}

/* ---- the file ---- */

/* One that cannot be read is as good as none. */
static int open_index(const char *path, git_index **ret, bool *ret_anew)
{
	int r = git_index_open(ret, path);

	*ret_anew = r < 0 || git_index_entrycount(*ret) == 0;
	if (r == 0)
		return 0;
	if (unlink(path) < 0 && errno != ENOENT)
		return -errno;
	r = git_index_open(ret, path);
	return r < 0 ? git_error_to_errno(r) : 0;
}

int git_index_bring(struct git_repo *repo, const char *path,
		    const struct oid *from, const struct oid *to, bool all,
		    const struct git_index_view *view, bool *ret_has_hidden)
{
	struct looking l = { .view = view, .all = all };
	scoped(cleanup_index) git_index *index = NULL;
	struct timespec now;
	struct stat st;
	bool anew, stays;
	int r;

	clock_real(&now);
	l.now = now.tv_sec;
	l.written = stat(path, &st) < 0 ? 0 : st.st_mtim.tv_sec;
	r = open_index(path, &index, &anew);
	if (r == 0 && git_index_has_conflicts(index))
		r = -EBUSY;
	stays = !all && !anew && from && oid_equal(from, to);
	if (r == 0 && !stays)
		r = bring(repo, index, anew ? NULL : from, to);
	if (r == 0)
		r = skip_hidden(index, view, ret_has_hidden);
	if (r < 0 || (r == 0 && stays))
		return r;
	look_at_all(index, &l);
	r = git_index_write(index);
	return r < 0 ? git_error_to_errno(r) : 0;
}

/* ---- times ---- */

struct git_index_times {
	git_index *index;
};

int git_index_times_read(const char *path, struct git_index_times **ret)
{
	struct git_index_times *times = calloc(1, sizeof(*times));
	int r;

	if (!times)
		return -ENOMEM;
	r = git_index_open(&times->index, path);
	if (r < 0) {
		free(times);
		return git_error_to_errno(r);
	}
	*ret = times;
	return 0;
}

void git_index_times_free(struct git_index_times *times)
{
	if (!times)
		return;
	git_index_free(times->index);
	free(times);
}

bool git_index_times_find(struct git_index_times *times, const char *path,
		    const struct oid *oid, struct timespec *ret)
{
	const git_index_entry *entry =
		git_index_get_bypath(times->index, path, 0);
	struct oid staged;

	if (!entry || !entry->ctime.seconds)
		return false;
	staged = from_git_oid(&entry->id);
	if (!oid_equal(&staged, oid))
		return false;
	ret->tv_sec = (uint32_t)entry->ctime.seconds;
	ret->tv_nsec = entry->ctime.nanoseconds;
	return true;
}
