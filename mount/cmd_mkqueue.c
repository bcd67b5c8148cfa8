/* SPDX-License-Identifier: ISC */
#include "mount/commands.h"
#include "store/util.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#define TYPE_ATTRIBUTE "user.irmin.type"
#define TYPE "queue"

static const char *reason(int error)
{
	switch (error) {
	case EOPNOTSUPP:
		return "it is not inside a branch of a mount";
	case ENOTEMPTY:
		return "there is more in it than files that Git has, each with "
		       "one name: directories, fifos, hard links or ignored "
		       "files";
	case EPERM:
		return "the root of a branch and what is in a queue cannot be one";
	case EEXIST:
		return "the branch's .gitattributes is no file";
	case ENOTDIR:
		return "it is no directory";
	}
	return strerror(error);
}

static bool has_control(const char *folder, const char *file)
{
	scoped_free char *path = NULL;

	if (asprintf(&path, "%s/.irmin/%s", folder, file) < 0)
		path = NULL;
	return path && access(path, F_OK) == 0;
}

/* Whether folder is that of a branch or below: what is made elsewhere in a mount
 * is a branch itself. */
static bool is_in_branch(const char *folder)
{
	scoped_buffer struct buffer path = { 0 };
	int r = buffer_puts(&path, folder);

	while (r == 0 && has_control(path.data, "type") &&
	       !has_control(path.data, "version")) {
		if (has_control(path.data, "merge"))
			return true;
		r = buffer_puts(&path, "/..");
	}
	return false;
}

/* Errors of mkdir(2); -EOPNOTSUPP. */
static int make_directory(const char *path)
{
	scoped_free char *copy = strdup(path);
	const char *parent;

	if (!copy)
		return -ENOMEM;
	parent = dirname(copy);
	if (access(parent, F_OK) < 0)
		return -errno;
	if (!is_in_branch(parent))
		return -EOPNOTSUPP;
	return mkdir(path, 0777) < 0 && errno != EEXIST ? -errno : 0;
}

/* 0: there was a directory; 1: it was made. */
static int ensure_directory(const char *path)
{
	struct stat st;
	int r;

	if (stat(path, &st) == 0)
		return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
	if (errno != ENOENT)
		return -errno;
	r = make_directory(path);
	return r < 0 ? r : 1;
}

/* Other filesystems may keep the attribute, which makes nothing a queue. */
static int set_type(const char *path)
{
	scoped_fd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (!has_control(path, "type"))
		return -EOPNOTSUPP;
	if (fsetxattr(fd, TYPE_ATTRIBUTE, TYPE, strlen(TYPE), 0) < 0 ||
	    fsync(fd) < 0)
		return -errno;
	return 0;
}

static int make_queue(const struct command *self, const char *path)
{
	int made = ensure_directory(path);
	int r = made < 0 ? made : set_type(path);

	if (r == 0)
		return STATUS_OK;
	if (made > 0)
		rmdir(path);
	return say(self->name, STATUS_ERROR, "%s: %s", path, reason(-r));
}

static int run(const struct command *self, int argc, char **argv)
{
	struct operands operands;
	int status = flags_parse(self, NULL, NULL, argc, argv, 1, 1, &operands);

	return status >= 0 ? status : make_queue(self, operands.values[0]);
}

const struct command command_mkqueue = {
	"mkqueue", "PATH",
	"Make the directory PATH in a mount a queue; it is made if it is not\n"
	"there, and the files in it become elements in the order of their names.",
	run,
};
