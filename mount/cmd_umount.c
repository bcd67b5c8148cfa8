/* SPDX-License-Identifier: ISC */
#include "fs/fs.h"
#include "mount/client.h"
#include "mount/commands.h"
#include "mount/mountinfo.h"
#include "mount/report.h"
#include "mount/users.h"
#include "store/store.h"

#include <errno.h>
#include <string.h>
#include <sys/mount.h>

/* Commits the rest may be slow on a busy disk; nothing is lost if it takes
 * longer, it is only not known. */
#define CLOSE_SECONDS 600

/* ---- before ---- */

/* Commits what is changed, so that what cannot be committed is told here and
 * not to the system's log.  A mount that is dead or somebody else's is
 * unmounted without that. */
static int commit_all(const char *point, struct report *report)
{
	struct client *c;
	json_t *reply, *b;
	size_t i;
	int r = client_open_mount(point, &c, NULL);

	if (r < 0)
		return 0;
	r = client_ask_names(c, &reply, report);
	if (r == 0) {
		json_array_foreach(json_object_get(reply, "branches"), i, b) {
			if (r < 0 ||
			    !json_is_true(json_object_get(b, "changed")))
				continue;
			r = client_ask(c, json_pack("{s:s, s:s}", "do",
						"commit", "branch",
						reply_text(b, "name")),
				       NULL, report);
		}
		json_decref(reply);
	}
	client_close(c, NULL);
	return r;
}

/* ---- unmounting ---- */

static int unmount(const char *point)
{
	int r;

	if (umount2(point, UMOUNT_NOFOLLOW) == 0)
		return 0;
	if (errno != EPERM)
		return -errno;
	r = fs_fusermount(point, false);
	/* it does not say why */
	return r == -EPERM && users_of(point, NULL, 0) > 0 ? -EBUSY : r;
}

static int say_busy(const char *name, const char *point)
{
	char who[512];

	if (users_of(point, who, sizeof(who)) > 0)
		return say(name, STATUS_ERROR, "%s is in use by %s; end them "
			   "or let them leave, and try again", point, who);
	return say(name, STATUS_ERROR, "%s is in use; something is mounted "
		   "below it, or processes that you cannot see use it", point);
}

static int wait_closed(const char *name, const struct mount_entry *e)
{
	char point[4096];
	pid_t pid;

	if (store_wait_unlocked(e->source, CLOSE_SECONDS) != -ETIMEDOUT)
		return STATUS_OK;
	if (store_holder(e->source, &pid, point, sizeof(point)) < 0)
		return STATUS_OK;
	return say(name, STATUS_ERROR, "%s is unmounted, but process %ld still "
		   "works on %s; wait for its end before you copy the store or "
		   "mount it elsewhere", e->point, (long)pid, e->source);
}

static int unmount_entry(const char *name, const struct mount_entry *e)
{
	struct report report = { "" };
	int r = commit_all(e->point, &report);

	if (r < 0)
		return say(name, STATUS_ERROR, "%s stays mounted, because its "
			   "changes cannot be committed: %s", e->point,
			   report.text);
	r = unmount(e->point);
	if (r == -EBUSY)
		return say_busy(name, e->point);
	if (r < 0)
		return say(name, STATUS_ERROR, "cannot unmount %s: %s",
			   e->point, strerror(-r));
	return wait_closed(name, e);
}

static int unmount_path(const char *name, const char *operand)
{
	scoped(mount_entry_release) struct mount_entry e = { 0 };
	scoped_free char *path = NULL;
	int r = path_resolve(operand, &path);

	if (r == 0)
		r = mountinfo_find(path, &e);
	if (r < 0)
		return say(name, STATUS_ERROR, "%s: %s", operand, strerror(-r));
	if (strcmp(e.point, path) || strcmp(e.type, MOUNTINFO_TYPE))
		return say(name, STATUS_ERROR, "%s is not a mount point of "
			   "irminfs", path);
	return unmount_entry(name, &e);
}

static int run(const struct command *self, int argc, char **argv)
{
	struct operands operands;
	int status = flags_parse(self, NULL, NULL, argc, argv, 1, 1 << 20,
				 &operands);

	if (status >= 0)
		return status;
	status = STATUS_OK;
	for (int i = 0; i < operands.count; i++) {
		int one = unmount_path(self->name, operands.values[i]);

		status = one ? one : status;
	}
	return status;
}

const struct command command_umount = {
	"umount", "MOUNTPOINT...",
	"Commit what is changed, unmount, and wait until the store is closed.",
	run,
};
