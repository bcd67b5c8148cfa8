/* SPDX-License-Identifier: ISC */
#include "mount/commands.h"
#include "store/contents.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Merges one file without any store, so that our types serve as merge drivers
 * of plain Git. */

#define FILE_MAX ((size_t)1 << 30)

/* Git takes 1 to 128 for a conflict and leaves our side in place. */
enum { MERGE_ERROR = 2 };

struct merge_file_options {
	const char *type, *marker_size, *path;
	struct flag_list labels;
	bool in_place, suggest;
};

/* BASE OURS THEIRS. */
struct sides {
	const char *names[3];
	struct buffer texts[3];
};

static void sides_release(struct sides *s)
{
	for (int i = 0; i < 3; i++)
		buffer_release(&s->texts[i]);
}

static int read_sides(struct sides *s, const char *command)
{
	for (int i = 0; i < 3; i++) {
		int r = read_file(AT_FDCWD, s->names[i], FILE_MAX,
				  &s->texts[i]);

		if (r < 0)
			return say(command, MERGE_ERROR, "%s: %s", s->names[i],
				   strerror(-r));
	}
	return STATUS_OK;
}

/* ---- the result ---- */

static int fill(int fd, const struct stat *like,
		const struct merge_output *output)
{
	int r = write_next(fd, output->data, output->size);

	if (r == 0 && fchmod(fd, like->st_mode & 07777) < 0)
		r = -errno;
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	return r;
}

/* Replaces the file by a new one, so that a full disk leaves it whole; another
 * owner than the caller cannot be kept, and Git's temporary files have none. */
static int replace(const char *path, const struct merge_output *output)
{
	scoped_free char *target = realpath(path, NULL);
	scoped_free char *copy = target ? strdup(target) : NULL;
	scoped_free char *temporary = NULL;
	struct stat st;
	int fd, r;

	if (!target || stat(target, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (!copy ||
	    asprintf(&temporary, "%s/.irminfs-merge-XXXXXX", dirname(copy)) < 0) {
		temporary = NULL;
		return -ENOMEM;
	}
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = fill(fd, &st, output);
	close(fd);
	if (r == 0 && rename(temporary, target) < 0)
		r = -errno;
	if (r < 0)
		unlink(temporary);
	return r;
}

static int deliver(const struct command *self, const char *in_place,
		   const struct merge_output *output)
{
	int r;

	if (in_place)
		r = replace(in_place, output);
	else
		r = write_next(STDOUT_FILENO, output->data, output->size);
	if (r < 0)
		return say(self->name, MERGE_ERROR,
			   "cannot write the result to %s: %s",
			   in_place ? in_place : "standard output",
			   strerror(-r));
	return STATUS_OK;
}

/* ---- the merge ---- */

static const char *default_type(const struct sides *s)
{
	for (int i = 0; i < 3; i++)
		if (!contents_is_text(s->texts[i].data, s->texts[i].length))
			return "binary";
	return "text";
}

static struct merge_side side(const struct sides *s, int i,
			      const struct flag_list *labels)
{
	unsigned int u = i;

	return (struct merge_side){
		.data = s->texts[i].data,
		.size = s->texts[i].length,
		.label = u < labels->count ? labels->values[i] : s->names[i],
	};
}

static int merge(const struct command *self, const struct sides *s,
		 const struct merge_file_options *o, unsigned long marker_size)
{
	const char *name = o->type ? o->type : default_type(s);
	const struct merge_type *type = merge_type_find(name);
	const struct merge_input input = {
		.base = side(s, 0, &o->labels),
		.ours = side(s, 1, &o->labels),
		.theirs = side(s, 2, &o->labels),
		.path = o->path ? o->path : s->names[1],
		.marker_size = marker_size,
	};
	struct merge_output output = { 0 };
	int r, status;

	if (!type)
		return say(self->name, STATUS_USAGE, "there is no type %s", name);
	if (type->wants_times)
		return say(self->name, STATUS_USAGE, "%s merges by the time of "
			   "commits, and files have none", name);
	if (o->suggest && !type->wants_text)
		return say(self->name, STATUS_USAGE, "%s has no suggestions",
			   name);
	/* as in a merge of branches */
	type = merge_type_fit(type, &input);
	if (o->suggest && type->wants_text)
		type = merge_suggestion();
	r = type->merge(&input, &output);
	if (r < 0)
		return say(self->name, MERGE_ERROR, "cannot merge %s as %s: %s",
			   input.path, name, strerror(-r));
	status = deliver(self, o->in_place ? s->names[1] : NULL, &output);
	merge_output_release(&output);
	if (status == STATUS_OK && r > 0)
		status = STATUS_NEGATIVE;
	return status;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct merge_file_options o = { 0 };
	const struct flag flags[] = {
		{ 't', "type", "NAME", "text, token, counter, set, log, union, "
		  "binary, ours, theirs", .text = &o.type },
		{ 's', "suggest", NULL, "settle conflicts of text also where it "
		  "is only likely to be right", .set = &o.suggest },
		{ 'i', "in-place", NULL, "write the result into OURS",
		  .set = &o.in_place },
		{ 'L', "label", "TEXT",
		  "name for markers: of BASE, then OURS, then THEIRS",
		  .list = &o.labels },
		{ 'm', "marker-size", "N", "length of conflict markers",
		  .text = &o.marker_size },
		{ 'p', "path", "PATH", "the file's name, for messages",
		  .text = &o.path },
		{ 0 },
	};
	scoped(sides_release) struct sides s = { 0 };
	unsigned long marker_size = 0;
	struct operands operands;
	int status = flags_parse(self, flags, NULL, argc, argv, 3, 3,
				 &operands);

	if (status >= 0)
		return status;
	if (o.marker_size &&
	    parse_number(o.marker_size, 1, 1000, &marker_size) < 0)
		return say(self->name, STATUS_USAGE,
			   "%s is not a marker size from 1 to 1000",
			   o.marker_size);
	memcpy(s.names, operands.values, sizeof(s.names));
	status = read_sides(&s, self->name);
	return status == STATUS_OK ? merge(self, &s, &o, marker_size) : status;
}

const struct command command_merge_file = {
	"merge-file", "BASE OURS THEIRS",
	"Merge one file without any store; the result goes to standard output.\n"
	"Exits 0 if it is clean, 1 on conflict (with markers), 2 and more on\n"
	"error.  As a merge driver of plain Git:\n"
	"  driver = irminfs merge-file --in-place --type union %O %A %B", run,
};
