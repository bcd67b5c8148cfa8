/* SPDX-License-Identifier: ISC */
#include "fs/irmin.h"

#include "fs/inode.h"

#include <errno.h>
#include <string.h>

/* ---- forks and tags ---- */

/* What is made is not in the directory afterwards, so that the answer is an
 * empty directory or file that the kernel does not keep: the branch itself must
 * have one name only. */
struct making {
	fuse_req_t req;
	struct inode *dir;		/* referenced */
	struct caller caller;
	bool is_file;
	struct fuse_file_info info;
	char *name;			/* decoded; owned */
};

static int fork_branch(struct fs *fs, struct making *m, struct inode *subject,
		       struct report *report)
{
	if (subject->branch)
		return store_fork(fs->store, subject->branch, m->name,
				  &m->caller, report);
	return store_fork_commit(fs->store, view_commit(inode_view(subject)),
				 m->name, &m->caller, report);
}

static int tag(struct fs *fs, struct making *m, struct inode *subject,
	       struct report *report)
{
	struct oid head;
	int r;

	if (inode_view(subject))
		return store_tag(fs->store, view_commit(inode_view(subject)),
				 m->name, report);
	r = branch_commit(subject->branch, &m->caller, NULL, &head);
	return r < 0 ? r : store_tag(fs->store, &head, m->name, report);
}

static int make(struct making *m)
{
	struct inode *subject = irmin_subject(m->dir);
	struct fs *fs = fs_of(m->req);
	struct report report = { "" };
	int r = irmin_id(m->dir) == CONTROL_FORK ?
		fork_branch(fs, m, subject, &report) :
		tag(fs, m, subject, &report);

	if (r < 0 && report.text[0])
		log_info("cannot make %s: %s", m->name, report.text);
	return r;
}

static void reply_making(struct making *m, int r)
{
	struct fs *fs = fs_of(m->req);
	struct inode *inode;

	if (r == 0)
		r = inode_for_control(fs, m->dir, m->is_file ?
				      CONTROL_MADE_FILE : CONTROL_MADE_DIRECTORY,
				      0, &inode);
	if (r < 0)
		reply_error(m->req, r);
	else if (m->is_file)
		irmin_reply_made(m->req, inode, &m->info);
	else
		reply_entry(m->req, inode, answer_begin(fs), false);
}

static void making_free(struct fs *fs, struct making *m)
{
	inode_unref(fs, m->dir);
	free(m->name);
	free(m);
}

static void run_making(void *context)
{
	struct making *m = context;
	struct fs *fs = fs_of(m->req);
	int r = make(m);

	/* the branch shows at once; see rule 2 in private.h for the bound */
	notify_wait(fs->spaces, SPACES_MILLISECONDS);
	reply_making(m, r);
	making_free(fs, m);
}

static int decode(struct fs *fs, const char *name, char **ret)
{
	return name_join(fs->root, name, ret);
}

static int start_making(fuse_req_t req, struct inode *dir, const char *name,
			struct fuse_file_info *info)
{
	struct fs *fs = fs_of(req);
	struct making *m = calloc(1, sizeof(*m));
	int r;

	if (!m)
		return -ENOMEM;
	m->req = req;
	m->dir = inode_ref(fs, dir);
	m->caller = caller_of(req, control_kinds[irmin_id(dir)].name);
	m->is_file = info;
	if (info)
		m->info = *info;
	r = decode(fs, name, &m->name);
	if (r == 0)
		r = jobs_add(fs->jobs, run_making, m);
	if (r < 0)
		making_free(fs, m);
	return r;
}

void irmin_make(fuse_req_t req, struct inode *dir, const char *name,
		  mode_t mode, struct fuse_file_info *info)
{
	enum control id = irmin_id(dir);
	int r = -EPERM;

	if (id == CONTROL_TAG || (id == CONTROL_FORK && S_ISDIR(mode)))
		r = start_making(req, dir, name, info);
	if (r < 0)
		reply_error(req, r);
}

/* ---- conflicts ---- */

static enum control file_of(const char *name)
{
	for (int id = CONTROL_PATH; id <= CONTROL_SUGGESTED; id++)
		if (strcmp(control_kinds[id].name, name) == 0)
			return id;
	return CONTROL_COUNT;
}

/* Hides a file of a conflict, for `rm -r` on its way to rmdir; refused while
 * rmdir would be, so that rm does not get half way. */
static int hide(struct inode *folder, const char *name,
		const struct caller *caller)
{
	scoped(conflict_found_release) struct conflict_found found = { 0 };
	enum control file = file_of(name);
	int r = conflict_find_in(folder, &found);

	if (r < 0)
		return r;
	if (file == CONTROL_COUNT || !conflict_has(&found, file))
		return -ENOENT;
	r = branch_conflict_is_touched(irmin_subject(folder)->branch,
				       found.conflict->number, caller);
	if (r <= 0)
		return r < 0 ? r : -EPERM;
	control_inode_of(folder)->hidden |= 1u << file;
	return 0;
}

void irmin_unlink(fuse_req_t req, struct inode *dir, const char *name)
{
	const struct caller caller = caller_of(req, "resolve");
	int r = -EPERM;

	if (irmin_id(dir) == CONTROL_CONFLICT)
		r = hide(dir, name, &caller);
	reply_error(req, r);
}

struct resolving {
	fuse_req_t req;
	struct inode *folder;		/* referenced; the conflict */
	struct caller caller;
};

static void run_resolving(void *context)
{
	struct resolving *s = context;
	struct fs *fs = fs_of(s->req);
	struct control_inode *folder = control_inode_of(s->folder);
	struct report report = { "" };
	int r = branch_resolve(irmin_subject(s->folder)->branch,
			       folder->key.number, RESOLVE_EDITED, &s->caller,
			       &report);

	if (report.text[0])
		log_info("%s", report.text);
	if (r < 0)
		folder->hidden = 0;
	reply_error(s->req, r);
	inode_unref(fs, s->folder);
	free(s);
}

static int start_resolving(fuse_req_t req, struct inode *dir, const char *name)
{
	struct fs *fs = fs_of(req);
	struct resolving *s = calloc(1, sizeof(*s));
	bool keep;
	int r;

	if (!s)
		return -ENOMEM;
	s->req = req;
	s->caller = caller_of(req, "resolve");
	r = irmin_lookup(fs, dir, name, &s->folder, &keep);
	if (r == 0)
		r = jobs_add(fs->jobs, run_resolving, s);
	if (r < 0) {
		inode_unref(fs, s->folder);
		free(s);
	}
	return r;
}

/* ---- dropping ---- */

/* Whoever may write into the branch may do so, as far as the kernel knows; but
 * that does not make it theirs. */
static int check_owner(struct fs *fs, struct inode *root, uid_t uid)
{
	struct stat st;
	int r;

	if (uid == 0 || uid == fs->uid)
		return 0;
	r = inode_stat(fs, root, &st);
	if (r < 0)
		return r;
	return st.st_uid == uid ? 0 : -EPERM;
}

static int drop(fuse_req_t req, struct inode *dir)
{
	const struct caller caller = caller_of(req, "drop");
	struct fs *fs = fs_of(req);
	struct report report = { "" };
	int r;

	if (!inode_is_tree_root(dir))
		return -EPERM;
	if (!dir->branch)
		return -EROFS;
	r = check_owner(fs, dir, caller.uid);
	if (r < 0)
		return r;
	r = store_drop(fs->store, dir->branch, &caller, &report);
	if (r < 0)
		log_info("cannot drop a branch: %s", report.text);
	else
		notify_wait(fs->spaces, SPACES_MILLISECONDS);
	return r;
}

void irmin_rmdir(fuse_req_t req, struct inode *dir, const char *name)
{
	int r;

	if (dir->kind != INODE_CONTROL) {
		reply_error(req, drop(req, dir));
		return;
	}
	r = irmin_id(dir) == CONTROL_CONFLICTS ?
		start_resolving(req, dir, name) : -EPERM;
	if (r < 0)
		reply_error(req, r);
}
