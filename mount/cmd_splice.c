/* SPDX-License-Identifier: ISC */
#include "fs/irminfs_ioctl.h"
#include "mount/commands.h"
#include "mount/mountinfo.h"
#include "store/util.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

/* Inserts and deletes in the middle of a file, through its mount. */

struct splice_options {
	const char *delete_text, *insert;
};

struct splicing {
	const char *name;		/* of the command */
	const char *path;
	int fd;
	unsigned long offset, delete_size;
	struct irminfs_splice *request;	/* with room for IRMINFS_SPLICE_MAX */
};

static void splicing_release(struct splicing *s)
{
	if (s->fd >= 0)
		close(s->fd);
	free(s->request);
}

/* ---- the file ---- */

static bool is_in_mount(const char *path)
{
	scoped_free char *absolute = NULL;
	struct mount_entry e;
	bool r;

	if (path_resolve(path, &absolute) < 0 ||
	    mountinfo_find(absolute, &e) < 0)
		return false;
	r = strcmp(e.type, MOUNTINFO_TYPE) == 0;
	mount_entry_release(&e);
	return r;
}

/* No other file gets to see our ioctl, which may mean anything there. */
static int open_file(struct splicing *s)
{
	struct stat st;

	s->fd = open(s->path, O_WRONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (s->fd < 0 || fstat(s->fd, &st) < 0)
		return say(s->name, STATUS_ERROR, "%s: %s", s->path,
			   strerror(errno));
	if (!S_ISREG(st.st_mode) || !is_in_mount(s->path))
		return say(s->name, STATUS_ERROR,
			   "%s is not a file in an irminfs mount", s->path);
	return STATUS_OK;
}

/* ---- splicing ---- */

static int failed(const struct splicing *s)
{
	switch (errno) {
	case EINVAL:
		return say(s->name, STATUS_ERROR,
			   "offset %lu is behind the end of %s", s->offset,
			   s->path);
	case ENOTTY:
		return say(s->name, STATUS_ERROR,
			   "%s is not a file of a branch", s->path);
	default:
		return say(s->name, STATUS_ERROR, "cannot change %s: %s",
			   s->path, strerror(errno));
	}
}

/* The size bytes in the request take the place of what is to be deleted. */
static int send_splice(struct splicing *s, size_t size)
{
	struct stat st;

	s->request->offset = s->offset;
	s->request->delete_size = s->delete_size;
	if (ioctl(s->fd, IRMINFS_SPLICE(size), s->request) < 0)
		return failed(s);
	/* what copies between files goes by the size that the kernel knows */
	if (fstat(s->fd, &st) < 0)
		return failed(s);
	s->offset += size;
	s->delete_size = 0;
	return STATUS_OK;
}

static int insert_text(struct splicing *s, const char *text)
{
	size_t left = strlen(text);
	int status;

	do {
		size_t size = left < IRMINFS_SPLICE_MAX ? left :
							  IRMINFS_SPLICE_MAX;

		memcpy(s->request->data, text, size);
		status = send_splice(s, size);
		text += size;
		left -= size;
	} while (left && status == STATUS_OK);
	return status;
}

/* Fills the request; fewer bytes at the end of the input only. */
static ssize_t read_piece(struct splicing *s)
{
	size_t size = 0;

	while (size < IRMINFS_SPLICE_MAX) {
		ssize_t n = read(STDIN_FILENO, s->request->data + size,
				 IRMINFS_SPLICE_MAX - size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return n;
		if (n == 0)
			break;
		size += n;
	}
	return size;
}

/* It would grow in front of us for ever. */
static bool reads_itself(const struct splicing *s)
{
	struct stat from, to;

	return fstat(STDIN_FILENO, &from) == 0 && fstat(s->fd, &to) == 0 &&
	       from.st_dev == to.st_dev && from.st_ino == to.st_ino;
}

static int insert_input(struct splicing *s)
{
	bool first = true;
	int status = STATUS_OK;

	if (reads_itself(s))
		return say(s->name, STATUS_ERROR, "%s is the input itself",
			   s->path);
	while (status == STATUS_OK) {
		ssize_t size = read_piece(s);

		if (size < 0)
			return say(s->name, STATUS_ERROR,
				   "cannot read standard input: %s",
				   strerror(errno));
		if (size == 0 && !first)
			break;
		status = send_splice(s, size);
		first = false;
	}
	return status;
}

/* ---- the command ---- */

static int parse(struct splicing *s, const struct splice_options *o,
		 const char *offset)
{
	if (parse_number(offset, 0, LONG_MAX, &s->offset) < 0)
		return say(s->name, STATUS_USAGE, "%s is not an offset in bytes",
			   offset);
	if (o->delete_text &&
	    parse_number(o->delete_text, 0, LONG_MAX, &s->delete_size) < 0)
		return say(s->name, STATUS_USAGE, "%s is not a number of bytes",
			   o->delete_text);
	if (!o->delete_text && !o->insert)
		return say(s->name, STATUS_USAGE,
			   "say what to --delete or to --insert");
	return STATUS_OK;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct splice_options o = { 0 };
	const struct flag flags[] = {
		{ 'd', "delete", "N", "bytes to delete at OFFSET",
		  .text = &o.delete_text },
		{ 'i', "insert", "TEXT",
		  "text to insert there; -: standard input", .text = &o.insert },
		{ 0 },
	};
	scoped(splicing_release) struct splicing s = {
		.name = self->name, .fd = -1,
	};
	struct operands operands;
	int status = flags_parse(self, flags, NULL, argc, argv, 2, 2,
				 &operands);

	if (status >= 0)
		return status;
	s.path = operands.values[0];
	s.request = malloc(sizeof(*s.request) + IRMINFS_SPLICE_MAX);
	if (!s.request)
		return say(s.name, STATUS_ERROR, "%s", strerror(ENOMEM));
	status = parse(&s, &o, operands.values[1]);
	if (status == STATUS_OK)
		status = open_file(&s);
	if (status != STATUS_OK)
		return status;
	return o.insert && strcmp(o.insert, "-") == 0 ? insert_input(&s) :
	       insert_text(&s, o.insert ? o.insert : "");
}

const struct command command_splice = {
	"splice", "FILE OFFSET",
	"Insert and delete in the middle of a file of a mount, in a time that\n"
	"does not depend on its size: what follows moves.  Programs do the same\n"
	"with an ioctl (irminfs_ioctl.h).", run,
};
