/* SPDX-License-Identifier: ISC */
#include "mount/users.h"

#include "mount/mountinfo.h"
#include "store/util.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define NAMED_MOST 5
#define MAPS_MAX ((size_t)16 << 20)

static void cleanup_closedirp(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static bool link_is_inside(int fd, const char *name, const char *folder)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(fd, name, target, sizeof(target) - 1);

	if (n < 0)
		return false;
	target[n] = '\0';
	return path_is_inside(target, folder);
}

static bool any_fd_is_inside(int process, const char *folder)
{
	int fd = openat(process, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	scoped(cleanup_closedirp) DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	while ((e = readdir(dir)))
		if (link_is_inside(dirfd(dir), e->d_name, folder))
			return true;
	return false;
}

static bool any_mapping_is_inside(int process, const char *folder)
{
	scoped_buffer struct buffer maps = { 0 };
	char *line, *rest;

	if (read_file(process, "maps", MAPS_MAX, &maps) < 0 || !maps.data)
		return false;
	rest = maps.data;
	while ((line = strsep(&rest, "\n"))) {
		const char *path = strchr(line, '/');

		if (path && path_is_inside(path, folder))
			return true;
	}
	return false;
}

static bool is_user(int process, const char *folder)
{
	return link_is_inside(process, "cwd", folder) ||
	       link_is_inside(process, "root", folder) ||
	       link_is_inside(process, "exe", folder) ||
	       any_fd_is_inside(process, folder) ||
	       any_mapping_is_inside(process, folder);
}

static int add_name(struct buffer *names, int process, const char *pid)
{
	scoped_buffer struct buffer comm = { 0 };

	if (read_file(process, "comm", 4096, &comm) < 0 || !comm.data)
		return buffer_printf(names, "%s%s", names->length ? ", " : "",
				     pid);
	comm.data[strcspn(comm.data, "\n")] = '\0';
	return buffer_printf(names, "%s%s (%s)", names->length ? ", " : "",
			     comm.data, pid);
}

int users_of(const char *folder, char *text, size_t size)
{
	scoped(cleanup_closedirp) DIR *proc = opendir("/proc");
	scoped_buffer struct buffer names = { 0 };
	const struct dirent *e;
	int count = 0;

	while (proc && (e = readdir(proc))) {
		scoped_fd int process = -1;

		if (e->d_name[0] < '1' || e->d_name[0] > '9')
			continue;
		process = openat(dirfd(proc), e->d_name,
				 O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (process < 0 || !is_user(process, folder))
			continue;
		if (count++ < NAMED_MOST && add_name(&names, process,
						     e->d_name) < 0)
			break;
	}
	if (count > NAMED_MOST)
		buffer_puts(&names, " and others");
	if (text)
		snprintf(text, size, "%s", names.data ? names.data : "");
	return count;
}
