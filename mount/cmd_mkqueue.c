/* SPDX-License-Identifier: ISC */
#include "mount/commands.h"
#include "store/util.h"

#include <errno.h>
#include <fcntl.h>
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
		return "there are directories in it, and elements are files";
	case EPERM:
		return "the root of a branch and what is in a queue cannot be one";
	case EEXIST:
		return "the branch's .gitattributes is no file";
	}
	return strerror(error);
}

/* Other filesystems may keep the attribute, which makes nothing a queue. */
static bool is_ours(const char *path)
{
	scoped_free char *type = NULL;

	if (asprintf(&type, "%s/.irmin/type", path) < 0)
		type = NULL;
	return type && access(type, F_OK) == 0;
}

static int make_queue(const struct command *self, const char *path)
{
	bool made = mkdir(path, 0777) == 0;
	scoped_fd int fd = -1;

	if (!made && errno != EEXIST)
		return say(self->name, STATUS_ERROR, "%s: %s", path,
			   strerror(errno));
	if (!is_ours(path)) {
		if (made)
			rmdir(path);
		return say(self->name, STATUS_ERROR, "%s: %s", path,
			   reason(EOPNOTSUPP));
	}
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return say(self->name, STATUS_ERROR, "%s: %s", path,
			   strerror(errno));
	if (fsetxattr(fd, TYPE_ATTRIBUTE, TYPE, strlen(TYPE), 0) < 0)
		return say(self->name, STATUS_ERROR, "%s: %s", path,
			   reason(errno));
	if (fsync(fd) < 0)
		return say(self->name, STATUS_ERROR, "%s: %s", path,
			   strerror(errno));
	return STATUS_OK;
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
