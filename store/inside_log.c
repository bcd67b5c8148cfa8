/* SPDX-License-Identifier: ISC */
#include "store/inside_private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* What git did from a branch's folder, by its reflog. */

#define LOG_TAIL 65536

struct step {
	struct oid from, to;
};

/* The last lines of logs/HEAD, "OLD NEW ...". */
static int read_log(int fd, struct buffer *ret)
{
	scoped_fd int log = openat(fd, "logs/HEAD",
				   O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	off_t start;
	ssize_t size;
	int r;

	if (log < 0 || fstat(log, &st) < 0)
		return -errno;
	start = st.st_size > LOG_TAIL ? st.st_size - LOG_TAIL : 0;
	r = buffer_reserve(ret, LOG_TAIL + 1);
	if (r < 0)
		return r;
	size = read_fully(log, ret->data, LOG_TAIL, start);
	if (size < 0)
		return size;
	ret->length = size;
	ret->data[size] = '\0';
	return 0;
}

static bool parse_step(const char *line, struct step *ret)
{
	char hex[OID_HEX_SIZE] = "";

	if (strlen(line) < 2 * (OID_HEX_SIZE - 1) + 1)
		return false;
	memcpy(hex, line, OID_HEX_SIZE - 1);
	if (oid_parse(hex, &ret->from) < 0)
		return false;
	memcpy(hex, line + OID_HEX_SIZE, OID_HEX_SIZE - 1);
	return oid_parse(hex, &ret->to) == 0;
}

/* Takes the last line off the text. */
static bool last_step(struct buffer *text, struct step *ret)
{
	char *line;

	while (text->length && text->data[text->length - 1] == '\n')
		text->data[--text->length] = '\0';
	if (!text->length)
		return false;
	line = strrchr(text->data, '\n');
	line = line ? line + 1 : text->data;
	text->length = line - text->data;
	if (!parse_step(line, ret))
		return false;
	*line = '\0';
	return true;
}

bool inside_led(int fd, const struct oid *from, struct oid *to)
{
	scoped_buffer struct buffer text = { 0 };
	struct step step;

	if (read_log(fd, &text) < 0 || !last_step(&text, &step))
		return false;
	if (oid_is_zero(to))
		*to = step.to;
	if (!oid_equal(&step.to, to))
		return false;
	while (!oid_equal(&step.from, from)) {
		struct oid at = step.from;

		if (!last_step(&text, &step) || !oid_equal(&step.to, &at))
			return false;
	}
	return true;
}

bool inside_went_on(void *context, uint64_t branch, const struct oid *seen)
{
	scoped_buffer struct buffer text = { 0 };
	scoped_fd int fd = -1;
	struct step step;

	if (inside_folder(context, branch, &fd) < 0 ||
	    read_log(fd, &text) < 0 || !last_step(&text, &step) ||
	    oid_equal(&step.to, seen))
		return false;
	while (!oid_equal(&step.from, seen))
		if (!last_step(&text, &step))
			return false;
	return true;
}

bool inside_moved(void *context, uint64_t branch, const struct oid *before,
		  const struct oid *seen)
{
	struct oid to = *seen;
	scoped_fd int fd = -1;

	return !oid_is_zero(seen) && inside_folder(context, branch, &fd) == 0 &&
	       inside_led(fd, before, &to);
}
