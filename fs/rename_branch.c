/* SPDX-License-Identifier: ISC */
#include "fs/rename_branch.h"

#include <errno.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A caller inside the kernel does not repeat; what it left is dropped then. */
#define STALE_SECONDS 60
#define REPEATS_MAX 256

/* A rename that was answered ESTALE and is being repeated by thread tid (0: of
 * a PID namespace that is not ours).  Fixed but for the last group.  The list
 * holds a reference, and so does whoever works on it. */
struct repeat {
	pid_t tid;
	struct inode *from_dir, *to_dir;	/* referenced */
	char *from, *to;
	struct repeat *next;

	/* renames->lock: */
	unsigned int refs;
	struct timespec since;
	bool busy;			/* a job of it is running */
	bool merged;
	int error;			/* of the merge */
	bool asked;			/* LOOKUP of the target was seen */
};

struct rename_branch {
	struct fs *fs;
	pthread_mutex_t lock;		/* leaf */
	struct repeat *repeats;		/* lock */
	_Atomic unsigned int count;	/* of repeats */
};

static bool is_same_parent(const struct repeat *repeat)
{
	return repeat->from_dir == repeat->to_dir;
}

static void repeat_free(struct fs *fs, struct repeat *repeat)
{
	inode_unref(fs, repeat->from_dir);
	inode_unref(fs, repeat->to_dir);
	free(repeat->from);
	free(repeat->to);
	free(repeat);
}

static struct repeat *repeat_new(struct fs *fs, pid_t tid,
				 struct inode *from_dir, const char *from,
				 struct inode *to_dir, const char *to)
{
	struct repeat *repeat = calloc(1, sizeof(*repeat));

	if (!repeat)
		return NULL;
	repeat->refs = 1;
	repeat->tid = tid;
	repeat->from_dir = inode_ref(fs, from_dir);
	repeat->to_dir = inode_ref(fs, to_dir);
	repeat->from = strdup(from);
	repeat->to = strdup(to);
	clock_gettime(CLOCK_MONOTONIC, &repeat->since);
	if (!repeat->from || !repeat->to) {
		repeat_free(fs, repeat);
		return NULL;
	}
	return repeat;
}

int rename_branch_new(struct fs *fs, struct rename_branch **ret)
{
	struct rename_branch *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->fs = fs;
	pthread_mutex_init(&r->lock, NULL);
	*ret = r;
	return 0;
}

void rename_branch_free(struct rename_branch *r)
{
	if (!r)
		return;
	while (r->repeats) {
		struct repeat *repeat = r->repeats;

		r->repeats = repeat->next;
		repeat_free(r->fs, repeat);
	}
	pthread_mutex_destroy(&r->lock);
	free(r);
}

/* ---- the list of repeats ---- */

static bool is_stale(const struct repeat *repeat)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return !repeat->busy &&
	       now.tv_sec - repeat->since.tv_sec > STALE_SECONDS;
}

static struct repeat *find_locked(struct rename_branch *r, pid_t tid)
{
	for (struct repeat *repeat = r->repeats; repeat; repeat = repeat->next)
		if (repeat->tid == tid)
			return repeat;
	return NULL;
}

static void unref(struct rename_branch *r, struct repeat *repeat)
{
	bool last;

	pthread_mutex_lock(&r->lock);
	last = --repeat->refs == 0;
	pthread_mutex_unlock(&r->lock);
	if (last)
		repeat_free(r->fs, repeat);
}

/* Takes what is of that thread or stale from the list, and returns it. */
static struct repeat *take_locked(struct rename_branch *r, pid_t tid)
{
	struct repeat **at = &r->repeats, *taken = NULL;

	while (*at) {
		struct repeat *repeat = *at;

		if (repeat->tid != tid && !is_stale(repeat)) {
			at = &repeat->next;
			continue;
		}
		*at = repeat->next;
		repeat->next = taken;
		taken = repeat;
		r->count--;
	}
	return taken;
}

static void drop(struct rename_branch *r, pid_t tid)
{
	struct repeat *taken;

	pthread_mutex_lock(&r->lock);
	taken = take_locked(r, tid);
	pthread_mutex_unlock(&r->lock);
	while (taken) {
		struct repeat *next = taken->next;

		unref(r, taken);
		taken = next;
	}
}

void rename_branch_other(struct rename_branch *r, fuse_req_t req)
{
	if (r->count)
		drop(r, fuse_req_ctx(req)->pid);
}

static int remember(struct rename_branch *r, struct repeat *repeat)
{
	SCOPED_LOCK(&r->lock);

	if (r->count >= REPEATS_MAX)
		return -EBUSY;
	repeat->next = r->repeats;
	r->repeats = repeat;
	r->count++;
	return 0;
}

/* ---- the first RENAME ---- */

/* Path below the mount's root by the names that the kernel has. */
static int space_path(const struct inode *space, const char *name, char **ret)
{
	if (asprintf(ret, "%s%s%s", space->name, *space->name ? "/" : "",
		     name) < 0)
		return -ENOMEM;
	return 0;
}

/* Whether something is mounted below a path of the mount: bringing the target
 * back under its name would unmount it. */
static bool has_mount_below(const struct fs *fs, const char *path)
{
	scoped_free char *prefix = NULL;
	char buffer[8192];
	struct mntent entry;
	bool found = false;
	FILE *mounts;

	if (asprintf(&prefix, "%s/%s/", fs->mountpoint, path) < 0) {
		prefix = NULL;
		return true;
	}
	mounts = setmntent("/proc/self/mounts", "re");
	if (!mounts)
		return true;
	while (!found && getmntent_r(mounts, &entry, buffer, sizeof(buffer)))
		found = strncmp(entry.mnt_dir, prefix, strlen(prefix)) == 0;
	endmntent(mounts);
	return found;
}

static int check_other_parent(const struct fs *fs, const struct repeat *repeat)
{
	scoped_free char *path = NULL;
	int r;

	if (repeat->tid == 0) {
		log_warning("merging %s by rename across folders needs a caller in the PID namespace of the mount; write its name to .irmin/merge of the target instead",
			    repeat->from);
		return -EPERM;
	}
	r = space_path(repeat->to_dir, repeat->to, &path);
	if (r < 0)
		return r;
	return has_mount_below(fs, path) ? -EBUSY : 0;
}

static int check_writable(struct fs *fs, const struct inode *dir,
			  const char *name)
{
	struct branch *branch;
	int r = name_branch(fs, dir, name, &branch);

	if (r < 0)
		return r;
	r = branch_readonly(branch) ? -EROFS : 0;
	branch_unref(branch);
	return r;
}

static int begin(struct rename_branch *r, struct repeat *repeat)
{
	int error = check_writable(r->fs, repeat->to_dir, repeat->to);

	if (error == 0)
		error = check_writable(r->fs, repeat->from_dir, repeat->from);
	if (error == 0 && !is_same_parent(repeat))
		error = check_other_parent(r->fs, repeat);
	return error ? error : remember(r, repeat);
}

void rename_branch_begin(struct rename_branch *r, fuse_req_t req,
			 struct inode *from_dir, const char *from,
			 struct inode *to_dir, const char *to)
{
	pid_t tid = fuse_req_ctx(req)->pid;
	struct repeat *repeat = repeat_new(r->fs, tid, from_dir, from, to_dir,
					   to);
	int error;

	drop(r, tid);
	error = repeat ? begin(r, repeat) : -ENOMEM;
	if (error && repeat)
		repeat_free(r->fs, repeat);
	reply_error(req, error ? error : -ESTALE);
}

/* ---- the repeated LOOKUPs ---- */

/* The helper waits in the kernel until the rename is over, and then puts right
 * what the kernel knows of the target: across parents always, otherwise if the
 * caller was killed in between. */
static void look_at_target(struct fs *fs, const struct repeat *repeat)
{
	scoped_free char *path = NULL;

	if (space_path(repeat->to_dir, repeat->to, &path) == 0)
		helper_look(fs->helper, path);
}

static void reply_truth(struct fs *fs, fuse_req_t req, struct inode *dir,
			const char *name)
{
	uint64_t answer = answer_begin(fs);
	struct inode *inode;
	bool keep;
	int error = name_lookup(fs, dir, name, &inode, &keep);

	if (error)
		reply_error(req, error);
	else
		reply_entry(req, inode, answer, keep);
}

static int target_inode(struct fs *fs, const struct repeat *repeat,
			struct inode **ret)
{
	struct branch *branch;
	int error = name_branch(fs, repeat->to_dir, repeat->to, &branch);

	if (error)
		return error;
	error = inode_for_branch(fs, branch, ret);
	branch_unref(branch);
	return error;
}

/* Kept for ever, so that nobody asks again for the target's inode while it has
 * the source's name, for the length of one LOOKUP. */
static void reply_target(struct fs *fs, fuse_req_t req,
			 const struct repeat *repeat)
{
	struct inode *inode;
	int error = target_inode(fs, repeat, &inode);

	if (error)
		reply_error(req, error);
	else
		reply_entry_for(req, inode, TIMEOUT_FOREVER);
}

static void reply_placeholder(struct fs *fs, fuse_req_t req)
{
	reply_entry_for(req, inode_ref(fs, fs->placeholder), 0);
}

static int merge(struct fs *fs, const struct repeat *repeat,
		 const struct caller *caller)
{
	struct branch *source, *target;
	struct report report = { "" };
	int error = name_branch(fs, repeat->from_dir, repeat->from, &source);

	if (error)
		return error;
	error = name_branch(fs, repeat->to_dir, repeat->to, &target);
	if (error == 0) {
		error = store_merge(fs->store, source, target, true, caller,
				    &report);
		branch_unref(target);
	}
	branch_unref(source);
	if (error && report.text[0])
		log_info("%s", report.text);
	return error;
}

struct merge_job {
	struct rename_branch *renames;
	struct repeat *repeat;		/* referenced */
	fuse_req_t req;
	struct caller caller;
};

static void run_merge(void *context)
{
	struct merge_job *job = context;
	struct rename_branch *r = job->renames;
	struct repeat *repeat = job->repeat;
	struct fs *fs = r->fs;
	int error = merge(fs, repeat, &job->caller);
	bool same = is_same_parent(repeat);

	pthread_mutex_lock(&r->lock);
	repeat->error = error;
	repeat->merged = error == 0;
	repeat->busy = false;
	clock_gettime(CLOCK_MONOTONIC, &repeat->since);
	pthread_mutex_unlock(&r->lock);
	if (error)
		reply_truth(fs, job->req, repeat->from_dir, repeat->from);
	else if (same)
		reply_target(fs, job->req, repeat);
	else
		reply_placeholder(fs, job->req);
	if (error == 0 && same)
		look_at_target(fs, repeat);
	unref(r, repeat);
	free(job);
}

/* The LOOKUP of the source: merges in a thread of its own, so that there is
 * always one to serve what the kernel asks meanwhile.  Takes over the reference
 * to repeat. */
static void start_merge(struct rename_branch *r, fuse_req_t req,
			struct repeat *repeat)
{
	struct merge_job *job = malloc(sizeof(*job));
	int error = job ? 0 : -ENOMEM;

	if (job) {
		*job = (struct merge_job){
			.renames = r,
			.repeat = repeat,
			.req = req,
			.caller = caller_of(req, "rename"),
		};
		error = jobs_add(r->fs->jobs, run_merge, job);
	}
	if (error == 0)
		return;
	free(job);
	pthread_mutex_lock(&r->lock);
	repeat->error = error;
	repeat->busy = false;
	pthread_mutex_unlock(&r->lock);
	reply_truth(r->fs, req, repeat->from_dir, repeat->from);
	unref(r, repeat);
}

enum step {
	STEP_NONE,		/* not part of the repetition */
	STEP_MERGE,		/* LOOKUP of the source, not merged yet */
	STEP_SOURCE,		/* LOOKUP of the source again */
	STEP_FORGET_TARGET,	/* across parents, the first of the target */
	STEP_TARGET,		/* the last LOOKUP: the rename is over */
};

static enum step step_locked(struct repeat *repeat, struct inode *dir,
			     const char *name)
{
	if (repeat->error)
		return STEP_NONE;
	if (dir == repeat->from_dir && strcmp(name, repeat->from) == 0) {
		if (repeat->merged)
			return STEP_SOURCE;
		if (repeat->busy)
			return STEP_NONE;
		repeat->busy = true;
		return STEP_MERGE;
	}
	if (!repeat->merged || dir != repeat->to_dir ||
	    strcmp(name, repeat->to) != 0)
		return STEP_NONE;
	/* If the kernel knows the name this LOOKUP revalidates, and ENOENT makes
	 * it ask again; if not, ENOENT leads to a RENAME onto a free name. */
	if (!is_same_parent(repeat) && !repeat->asked) {
		repeat->asked = true;
		return STEP_FORGET_TARGET;
	}
	return STEP_TARGET;
}

static void reply_step(struct rename_branch *r, fuse_req_t req,
		       struct repeat *repeat, enum step step)
{
	struct fs *fs = r->fs;

	if (step == STEP_FORGET_TARGET)
		reply_error(req, -ENOENT);
	else if (is_same_parent(repeat))
		reply_target(fs, req, repeat);
	else if (step == STEP_SOURCE)
		reply_placeholder(fs, req);
	else {
		look_at_target(fs, repeat);
		reply_placeholder(fs, req);
	}
}

bool rename_branch_lookup(struct rename_branch *r, fuse_req_t req,
			  struct inode *dir, const char *name)
{
	pid_t tid = fuse_req_ctx(req)->pid;
	struct repeat *repeat;
	enum step step = STEP_NONE;

	if (!r->count)
		return false;
	pthread_mutex_lock(&r->lock);
	repeat = find_locked(r, tid);
	if (repeat)
		step = step_locked(repeat, dir, name);
	if (step != STEP_NONE)
		repeat->refs++;
	pthread_mutex_unlock(&r->lock);
	if (step == STEP_NONE)
		return false;
	if (step == STEP_MERGE) {
		start_merge(r, req, repeat);
		return true;
	}
	/* before the reply: the thread's next LOOKUP is an ordinary one */
	if (step == STEP_TARGET)
		drop(r, tid);
	reply_step(r, req, repeat, step);
	unref(r, repeat);
	return true;
}

/* ---- the RENAME that follows a refusal ---- */

static bool is_about(const struct repeat *repeat, struct inode *from_dir,
		     const char *from, struct inode *to_dir, const char *to)
{
	return repeat->from_dir == from_dir && repeat->to_dir == to_dir &&
	       strcmp(repeat->from, from) == 0 && strcmp(repeat->to, to) == 0;
}

bool rename_branch_finish(struct rename_branch *r, fuse_req_t req,
			  struct inode *from_dir, const char *from,
			  struct inode *to_dir, const char *to)
{
	pid_t tid = fuse_req_ctx(req)->pid;
	struct repeat *repeat;
	bool over = false;
	int error = 0;

	if (!r->count)
		return false;
	pthread_mutex_lock(&r->lock);
	repeat = find_locked(r, tid);
	if (repeat && is_about(repeat, from_dir, from, to_dir, to) &&
	    (repeat->merged || repeat->error)) {
		over = true;
		error = repeat->error;
		repeat->refs++;
	}
	pthread_mutex_unlock(&r->lock);
	if (!over)
		return false;
	drop(r, tid);
	if (!error)
		look_at_target(r->fs, repeat);
	reply_error(req, error);
	unref(r, repeat);
	return true;
}
