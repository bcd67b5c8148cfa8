/* SPDX-License-Identifier: ISC */
#include "mount/commands.h"
#include "mount/queue_file.h"
#include "store/util.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

static bool is_name(const char *name)
{
	return *name && !strchr(name, '/') && strcmp(name, ".") != 0 &&
	       strcmp(name, "..") != 0;
}

static int push(const struct command *self, const char *queue,
		const char *file, const char *name)
{
	bool standard = !file || strcmp(file, "-") == 0;
	const char *slash = standard ? NULL : strrchr(file, '/');
	scoped_fd int opened = -1;
	int fd = STDIN_FILENO;

	if (!standard) {
		fd = opened = open(file, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return say(self->name, STATUS_ERROR, "%s: %s", file,
				   strerror(errno));
	}
	if (!name)
		name = standard ? "element" : slash ? slash + 1 : file;
	if (!is_name(name))
		return say(self->name, STATUS_USAGE,
			   "\"%s\" cannot be the name of an element", name);
	return queue_file_push(self->name, queue, name, fd);
}

static int run(const struct command *self, int argc, char **argv)
{
	const char *name = NULL;
	const struct flag flags[] = {
		{ 'n', "name", "NAME", "what the element is called",
		  .text = &name },
		{ 0 },
	};
	struct operands operands;
	int status = flags_parse(self, flags, NULL, argc, argv, 1, 2,
				 &operands);

	if (status >= 0)
		return status;
	status = queue_file_check(self->name, operands.values[0]);
	if (status != STATUS_OK)
		return status;
	return push(self, operands.values[0], operands.count > 1 ?
		    operands.values[1] : NULL, name);
}

const struct command command_push = {
	"push", "QUEUE [FILE|-]",
	"Add FILE, or standard input, at the end of the queue at the path QUEUE,\n"
	"durably.  A name that is in use gets a number: NAME~2.", run,
};
