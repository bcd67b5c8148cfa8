/* SPDX-License-Identifier: ISC */
#include "fs/connection.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#define MOUNT_TYPE "fuse.irminfs"
#define DEVICE_FILE "/dev/fuse"

/* Mounts may be stacked; so many dead ones are cleared. */
#define DEAD_MAX 16

extern char **environ;

/* ---- /proc/self/mountinfo ---- */

/* "\040" is a blank, and so on (proc(5)). */
static void unescape(char *text)
{
	char *out = text;

	for (; *text; text++) {
		if (text[0] == '\\' && text[1] && text[2] && text[3]) {
			*out++ = (text[1] - '0') * 64 + (text[2] - '0') * 8 +
				 (text[3] - '0');
			text += 3;
		} else {
			*out++ = *text;
		}
	}
	*out = '\0';
}

/* Fields: id, parent, device, root, point, ... "-" type.  Returns the device
 * when the line is about an irminfs at point; the line is destroyed. */
static const char *match_line(char *line, const char *point)
{
	char *type = strstr(line, " - ");
	char *fields[5], *rest = line;

	for (int i = 0; i < 5; i++)
		fields[i] = strsep(&rest, " ");
	if (!type || !rest || !fields[4])
		return NULL;
	unescape(fields[4]);
	type += 3;
	if (strncmp(type, MOUNT_TYPE " ", strlen(MOUNT_TYPE) + 1) != 0)
		return NULL;
	return strcmp(fields[4], point) == 0 ? fields[2] : NULL;
}

/* "MAJOR:MINOR" of the irminfs that was mounted at point last, in a new
 * allocation, or NULL. */
static char *find_mount(const char *point)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	scoped_free char *line = NULL;
	char *found = NULL;
	const char *device;
	size_t size = 0;

	if (!file)
		return NULL;
	while (getline(&line, &size, file) > 0) {
		device = match_line(line, point);
		if (!device)
			continue;
		free(found);
		found = strdup(device);
	}
	fclose(file);
	return found;
}

/* ---- dead mounts ---- */

int fs_fusermount(const char *mountpoint, bool lazy)
{
	char *const argv[] = {
		(char *)"fusermount3", (char *)(lazy ? "-uqz" : "-uq"),
		(char *)"--", (char *)(uintptr_t)mountpoint, NULL
	};
	posix_spawn_file_actions_t actions;
	int status, r = posix_spawn_file_actions_init(&actions);
	pid_t pid;

	if (r != 0)
		return -r;
	r = posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY,
					     0);
	if (r == 0)
		r = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (r != 0)
		return -r;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EPERM;
}

static int detach(const char *mountpoint)
{
	if (geteuid() != 0)
		return fs_fusermount(mountpoint, true);
	return umount2(mountpoint, MNT_DETACH) < 0 ? -errno : 0;
}

static int clear_dead(const char *mountpoint)
{
	/* once it is gone a second call would hit what is mounted below it */
	if (geteuid() == 0 && umount2(mountpoint, MNT_FORCE) == 0)
		return 0;
	return detach(mountpoint);
}

static int clear_all_dead(const char *mountpoint, struct report *report)
{
	struct statfs st;
	char *device;
	int r;

	for (int i = 0; i < DEAD_MAX; i++) {
		/* the kernel may answer stat(2) without asking the daemon */
		if (statfs(mountpoint, &st) == 0)
			return 0;
		/* the daemon died while we waited for its answer */
		if (errno == ECONNABORTED)
			continue;
		if (errno != ENOTCONN)
			return report_set(report, -errno, "%s: %s", mountpoint,
					  strerror(errno));
		device = find_mount(mountpoint);
		free(device);
		if (!device)
			break;
		r = clear_dead(mountpoint);
		if (r < 0)
			return report_set(report, r, "cannot clear the dead "
					  "mount at %s: %s", mountpoint,
					  strerror(-r));
		log_info("cleared the dead mount at %s", mountpoint);
	}
	return report_set(report, -ENOTCONN, "%s is a dead mount of another "
			  "program; unmount it first", mountpoint);
}

/* ---- mounting ---- */

static int check_device(struct report *report)
{
	scoped_fd int fd = open(DEVICE_FILE, O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		return 0;
	if (errno == ENOENT || errno == ENODEV || errno == ENXIO)
		return report_set(report, -ENODEV, DEVICE_FILE " is not there; "
				  "load the module fuse (modprobe fuse), or "
				  "give this container the device");
	return report_set(report, -errno, DEVICE_FILE " cannot be opened: %s",
			  strerror(errno));
}

int connection_prepare(const char *mountpoint, struct report *report)
{
	int r = check_device(report);

	return r < 0 ? r : clear_all_dead(mountpoint, report);
}

int connection_mount(struct fs *fs, struct report *report)
{
	int r;

	errno = 0;
	if (fuse_session_mount(fs->session, fs->mountpoint) < 0) {
		r = errno ? -errno : -EPERM;
		return report_set(report, r, "cannot mount at %s: %s%s",
				  fs->mountpoint, strerror(-r), getuid() ?
				  "; users other than root need fusermount3 and "
				  "a mount point of their own" : "");
	}
	fs->mounted = true;
	fs->device = find_mount(fs->mountpoint);
	return connection_negotiate(fs);
}

/* ---- ending ---- */

static bool is_mounted(const struct fs *fs)
{
	scoped_free char *device = NULL;

	if (!fs->mounted || !fs->device)
		return false;
	device = find_mount(fs->mountpoint);
	return device && strcmp(device, fs->device) == 0;
}

/* The kernel's own switch, which a user may use as well. */
static int abort_by_file(const struct fs *fs)
{
	const char *minor = strchr(fs->device, ':') + 1;
	char path[64];
	scoped_fd int fd = -1;

	snprintf(path, sizeof(path), "/sys/fs/fuse/connections/%s/abort", minor);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd < 0 || write(fd, "1", 1) < 0 ? -errno : 0;
}

void connection_abort(struct fs *fs)
{
	if (is_mounted(fs) && abort_by_file(fs) < 0 && geteuid() == 0)
		umount2(fs->mountpoint, MNT_FORCE);
}

/* libfuse takes an aborted connection for an unmounted one. */
void connection_unmount(struct fs *fs)
{
	int r = is_mounted(fs) ? detach(fs->mountpoint) : 0;

	if (r < 0)
		log_warning("cannot unmount %s: %s", fs->mountpoint,
			    strerror(-r));
	if (fs->mounted)
		fuse_session_unmount(fs->session);
	fs->mounted = false;
}
