/* SPDX-License-Identifier: ISC */
#include "store/git_handle.h"
#include "store/git_packed_refs.h"
#include "store/git_ref_lock.h"
#include "store/git_reflog.h"
#include "store/git_refs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Refs, written as Git's files backend does.  Each change happens under
 * NAME.lock.  A deletion takes the line out of packed-refs first and the loose
 * file second, so that no crash between them brings an old value back. */

#define LOCK_MS 100		/* core.filesRefLockTimeout's default */

static const struct oid zero;

/* Present value under the lock; zero: there is none. */
static int read_current(struct git_repo *repo, const char *name,
			struct oid *ret_oid)
{
	struct oid oid = zero;
	int r = git_ref_read(repo, name, &oid);

	if (r < 0 && r != -ENOENT)
		return r == -EUCLEAN ? -ESTALE : r;
	*ret_oid = r < 0 ? zero : oid;
	return 0;
}

static int check_old(struct git_repo *repo, const char *name,
		     const struct oid *old)
{
	struct oid current;
	int r = read_current(repo, name, &current);

	if (r < 0)
		return r;
	return oid_equal(&current, old) ? 0 : -ESTALE;
}

static int check_clash(struct git_repo *repo, const char *name)
{
	scoped(packed_refs_release) struct packed_refs refs = { 0 };
	int r = packed_refs_read(repo->dir_fd, &refs);

	if (r == 0)
		r = packed_refs_clash(&refs, name);
	return r > 0 ? -EEXIST : r;
}

/* The log is written while the lock keeps others from adding to it. */
static int set_locked(struct git_repo *repo, struct ref_lock *lock,
		      const struct oid *old, const struct oid *new,
		      const char *message)
{
	char line[OID_HEX_SIZE + 1];
	int r = check_old(repo, lock->name, old);

	if (r == 0 && oid_is_zero(old))
		r = check_clash(repo, lock->name);
	if (r < 0)
		return r;
	oid_hex(new, line);
	line[OID_HEX_SIZE - 1] = '\n';
	line[OID_HEX_SIZE] = '\0';
	r = ref_lock_write(lock, line, OID_HEX_SIZE);
	if (r < 0)
		return r;
	reflog_append(repo, lock->name, old, new, message);
	r = ref_lock_commit(lock);
	if (r < 0 && oid_is_zero(old))
		reflog_remove(repo, lock->name);
	return r;
}

static int delete_locked(struct git_repo *repo, struct ref_lock *lock,
			 const struct oid *old)
{
	int r = check_old(repo, lock->name, old);

	if (r < 0)
		return r;
	r = packed_refs_remove(repo->dir_fd, lock->name);
	if (r < 0)
		return r;
	if (unlinkat(repo->dir_fd, lock->name, 0) < 0 && errno != ENOENT &&
	    errno != EISDIR && errno != ENOTDIR)
		return -errno;
	return ref_sync_folder(repo->dir_fd, lock->name);
}

static int explain(const char *name, int r)
{
	switch (r) {
	case -EBUSY:
		log_debug("%s is locked by another program; if none is "
			    "running, remove %s.lock", name, name);
		break;
	case -EACCES:
	case -EPERM:
		return -EROFS;
	case -EDQUOT:
		return -ENOSPC;
	}
	return r;
}

static int set_ref(struct git_repo *repo, const char *name,
		   const struct oid *old, const struct oid *new,
		   const char *message)
{
	scoped_free char *final = NULL;
	struct ref_lock lock;
	int r = ref_follow(repo, name, &final);

	if (r < 0)
		return r == -EUCLEAN ? -ESTALE : r;
	r = ref_lock_take(repo->dir_fd, final, LOCK_MS, &lock);
	if (r < 0)
		return explain(final, r);
	r = set_locked(repo, &lock, old, new, message);
	ref_lock_release(&lock);
	if (r < 0)
		ref_remove_empty_parents(repo->dir_fd, final);
	return explain(final, r);
}

/* Of a symbolic ref, the ref itself goes, not what it names. */
static int delete_ref(struct git_repo *repo, const char *name,
		      const struct oid *old)
{
	struct ref_lock lock;
	int r = ref_lock_take(repo->dir_fd, name, LOCK_MS, &lock);

	/* below a file there is no ref */
	if (r == -EEXIST)
		return oid_is_zero(old) ? 0 : -ESTALE;
	if (r < 0)
		return explain(name, r);
	r = delete_locked(repo, &lock, old);
	if (r == 0)
		reflog_remove(repo, name);
	ref_lock_release(&lock);
	ref_remove_empty_parents(repo->dir_fd, name);
	return explain(name, r);
}

int git_ref_update(struct git_repo *repo, const char *name,
		   const struct oid *old, const struct oid *new,
		   const char *message)
{
	int r = ref_check_name(name);

	if (r < 0)
		return -EINVAL;
	if (oid_is_zero(new))
		return delete_ref(repo, name, old);
	return set_ref(repo, name, old, new, message);
}

int git_head_set(struct git_repo *repo, const char *name)
{
	scoped_free char *line = NULL;
	struct ref_lock lock;
	int r = git_branch_check_name(name);

	if (r < 0)
		return r;
	if (asprintf(&line, "ref: refs/heads/%s\n", name) < 0) {
		line = NULL;
		return -ENOMEM;
	}
	r = ref_lock_take(repo->dir_fd, "HEAD", LOCK_MS, &lock);
	if (r < 0)
		return explain("HEAD", r);
	r = ref_lock_write(&lock, line, strlen(line));
	if (r == 0)
		r = ref_lock_commit(&lock);
	ref_lock_release(&lock);
	return explain("HEAD", r);
}
