/* SPDX-License-Identifier: ISC */
#include "fs/private.h"

#include "fs/connection.h"
#include "fs/guard.h"
#include "fs/handle.h"
#include "fs/loop.h"
#include "fs/operations.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

/* How long ending waits for the pages of shared mappings. */
#define FLUSH_MILLISECONDS 10000

/* ---- making ---- */

static int make_session(struct fs *fs, const struct fs_options *options)
{
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	char *text = NULL;
	int r = -ENOMEM;

	if (fuse_opt_add_arg(&args, "irminfs") < 0 ||
	    fuse_opt_add_opt(&text, "default_permissions,subtype=irminfs") < 0 ||
	    (getuid() == 0 && fuse_opt_add_opt(&text, "allow_other") < 0))
		goto out;
	if (options->fsname) {
		scoped_free char *name = NULL;

		if (asprintf(&name, "fsname=%s", options->fsname) < 0) {
			name = NULL;
			goto out;
		}
		if (fuse_opt_add_opt_escaped(&text, name) < 0)
			goto out;
	}
	if (options->mount_options && options->mount_options[0] &&
	    fuse_opt_add_opt(&text, options->mount_options) < 0)
		goto out;
	if (fuse_opt_add_arg(&args, "-o") < 0 ||
	    fuse_opt_add_arg(&args, text) < 0 ||
	    (options->debug && fuse_opt_add_arg(&args, "-d") < 0))
		goto out;
	fs->session = fuse_session_new(&args, &fs_operations,
				       sizeof(fs_operations), fs);
	r = fs->session ? 0 : -EINVAL;
out:
	fuse_opt_free_args(&args);
	free(text);
	return r;
}

/* ---- ending when asked to ---- */

static void flush_tree(struct fs *fs, struct inode *root)
{
	struct worktree *w;

	if (branch_worktree(root->branch, &w) == 0)
		front_flush(fs, w);
}

/* Ends the loop, after what programs have written to shared mappings has
 * arrived: nobody will ask for it any more. */
static void *wait_for_stop(void *context)
{
	struct fs *fs = context;
	uint64_t count;

	while (read(fs->stop_fd, &count, sizeof(count)) < 0)
		if (errno != EINTR)
			return NULL;
	if (fs->stopping) {
		inodes_each_branch(fs, flush_tree);
		notify_wait(fs->pages, FLUSH_MILLISECONDS);
	}
	fuse_session_exit(fs->session);
	return NULL;
}

void fs_stop(struct fs *fs)
{
	const uint64_t one = 1;

	if (atomic_exchange(&fs->stopping, true))
		return;
	while (write(fs->stop_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

static int start_stopper(struct fs *fs)
{
	int r;

	fs->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (fs->stop_fd < 0)
		return -errno;
	r = thread_start(&fs->stopper, wait_for_stop, fs);
	fs->has_stopper = r == 0;
	return r;
}

static void end_stopper(struct fs *fs)
{
	const uint64_t one = 1;

	if (fs->has_stopper) {
		while (write(fs->stop_fd, &one, sizeof(one)) < 0 &&
		       errno == EINTR)
			;
		pthread_join(fs->stopper, NULL);
	}
	if (fs->stop_fd >= 0)
		close(fs->stop_fd);
}

/* ---- life ---- */

static int init(struct fs *fs, const struct fs_options *options)
{
	int r = helper_new(fs->mountpoint, &fs->helper);

	if (r == 0)
		r = inodes_init(fs);
	if (r == 0)
		r = rename_branch_new(fs, &fs->renames);
	if (r == 0)
		r = tolds_new(&fs->tolds);
	if (r == 0)
		r = pendings_new(&fs->pendings);
	if (r == 0)
		r = make_session(fs, options);
	if (r == 0)
		r = notifier_new(fs, &fs->trees);
	if (r == 0)
		r = notifier_new(fs, &fs->pages);
	if (r == 0)
		r = notifier_new(fs, &fs->spaces);
	if (r == 0)
		r = jobs_new(&fs->jobs);
	return r == 0 ? start_stopper(fs) : r;
}

static struct fs *fs_new(struct store *store, const char *mountpoint)
{
	struct fs *fs = calloc(1, sizeof(*fs));

	if (!fs)
		return NULL;
	fs->store = store;
	fs->uid = getuid();
	fs->gid = getgid();
	fs->stop_fd = -1;
	rwlock_init(&fs->replying);
	pthread_mutex_init(&fs->handles_lock, NULL);
	fs->mountpoint = strdup(mountpoint);
	if (!fs->mountpoint) {
		fs_free(fs);
		return NULL;
	}
	return fs;
}

int fs_mount(struct store *store, const struct fs_options *options,
	     struct fs **ret_fs, struct report *report)
{
	struct fs *fs;
	int r = connection_prepare(options->mountpoint, report);

	if (r < 0)
		return r;
	fs = fs_new(store, options->mountpoint);
	if (!fs)
		return report_set(report, -ENOMEM, "out of memory");
	fs->no_xattr = options->no_xattr;
	libfuse_log_begin();
	r = init(fs, options);
	if (r == -EINVAL)
		report_set(report, r, "FUSE does not know the mount options "
			   "\"%s\"", options->mount_options ?: "");
	if (r == 0) {
		front_install(fs);
		r = connection_mount(fs, report);
	}
	if (r == 0)
		r = guard_new(fs, &fs->guard);
	if (r < 0) {
		fs_free(fs);
		return report_set(report, r, "cannot mount at %s: %s",
				  options->mountpoint, strerror(-r));
	}
	*ret_fs = fs;
	return 0;
}

int fs_run(struct fs *fs, int (*started)(void))
{
	return loop_run(fs, started);
}

/* First the kernel gives up what it waits for, then jobs and notifications end,
 * which may wait for it, then everything that they use. */
void fs_free(struct fs *fs)
{
	if (!fs)
		return;
	end_stopper(fs);
	connection_abort(fs);
	jobs_free(fs->jobs);
	front_remove(fs);
	notifier_free(fs->trees);
	notifier_free(fs->pages);
	notifier_free(fs->spaces);
	connection_unmount(fs);
	guard_free(fs->guard);
	helper_free(fs->helper);
	rename_branch_free(fs->renames);
	tolds_free(fs->tolds);
	pendings_free(fs, fs->pendings);
	handles_release(fs);
	inodes_release(fs);
	if (fs->session)
		fuse_session_destroy(fs->session);
	pthread_rwlock_destroy(&fs->replying);
	pthread_mutex_destroy(&fs->handles_lock);
	free(fs->mountpoint);
	free(fs->device);
	free(fs);
}
