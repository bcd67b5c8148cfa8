/* SPDX-License-Identifier: ISC */
#include "mount/client.h"

#include "fs/fs.h"
#include "mount/mountinfo.h"
#include "mount/place.h"
#include "store/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define CONTROL_FILE ".irmin/control"
#define REPLY_MAX ((size_t)1 << 30)

/* How long a command waits for another that has the same store open. */
#define OTHER_COMMAND_SECONDS 10

struct where {
	const char *directory, *store;
	bool json;
};

struct client {
	const char *name;
	bool json;
	int control;		/* of a running mount, or -1 */
	struct store *store;	/* opened by us, or NULL */
	struct caller caller;
	struct place place;
};

bool client_is_json(const struct client *c)
{
	return c->json;
}

const char *client_name(const struct client *c)
{
	return c->name;
}

const char *client_branch(const struct client *c)
{
	return c->place.branch;
}

const char *client_revision(const struct client *c)
{
	return c->place.revision;
}

const char *client_prefix(const struct client *c)
{
	return c->place.prefix ? c->place.prefix : "";
}

const char *client_operand(char *operand)
{
	size_t length = strlen(operand);

	while (length > 1 && operand[length - 1] == '/')
		operand[--length] = '\0';
	return operand;
}

const char *client_branch_or(struct client *c, const struct operands *operands,
			     int index)
{
	if (index < operands->count)
		return client_operand(operands->values[index]);
	if (!c->place.branch)
		say(c->name, 0, "which branch? You are not inside one; name it "
				"or go there with -C");
	return c->place.branch;
}

/* ---- requests ---- */

/* In one piece: that is one request. */
static ssize_t send_request(int fd, const char *text, size_t length)
{
	if ((fcntl(fd, F_GETFL) & O_ACCMODE) != O_RDONLY)
		return pwrite(fd, text, length, 0);
	if (length > FS_REQUEST_MAX)
		return 0;
	return ioctl(fd, FS_REQUEST(length), text) < 0 ? -1 : (ssize_t)length;
}

static int write_request(int fd, const char *text, struct report *report)
{
	ssize_t n = send_request(fd, text, strlen(text));

	if (n < 0)
		return report_set(report, -errno,
				  "the mount does not answer: %s",
				  strerror(errno));
	if ((size_t)n != strlen(text))
		return report_set(report, -E2BIG,
				  "the request is too long for the mount");
	return 0;
}

static int read_reply(int fd, struct buffer *ret, struct report *report)
{
	ssize_t n;
	int r;

	do {
		r = buffer_reserve(ret, 65536);
		if (r == 0 && ret->length > REPLY_MAX)
			r = -EFBIG;
		if (r < 0)
			return report_set(report, r, "the reply is too long");
		n = pread(fd, ret->data + ret->length, 65536, ret->length);
		if (n < 0 && errno != EINTR)
			return report_set(report, -errno,
					  "the mount does not answer: %s",
					  strerror(errno));
		ret->length += n > 0 ? n : 0;
	} while (n != 0);
	return 0;
}

static int exchange(struct client *c, const char *text, struct buffer *ret,
		    struct report *report)
{
	int r;

	if (c->store) {
		r = control_execute(c->store, &c->caller, text, strlen(text),
				    ret);
		return r < 0 ? report_set(report, r, "out of memory") : 0;
	}
	r = write_request(c->control, text, report);
	return r < 0 ? r : read_reply(c->control, ret, report);
}

/* "EBUSY" is -EBUSY. */
static int error_number(const char *name)
{
	for (int e = 1; e < 256; e++) {
		const char *its_name = strerrorname_np(e);

		if (its_name && strcmp(its_name, name) == 0)
			return -e;
	}
	return -EIO;
}

/* What a reply that is a failure says; 0 for others. */
static int reply_error(const json_t *reply, struct report *report)
{
	const char *error = json_string_value(json_object_get(reply, "error"));
	const char *message =
		json_string_value(json_object_get(reply, "message"));
	int r;

	if (!error)
		return 0;
	r = error_number(error);
	return report_set(report, r, "%s", message && message[0] ?
						   message : strerror(-r));
}

static int ask(struct client *c, json_t *request, json_t **ret_reply,
	       struct report *report)
{
	scoped_buffer struct buffer reply = { 0 };
	scoped_free char *text = NULL;
	json_error_t error;
	int r;

	if (!request)
		return report_set(report, -EILSEQ, "a name is not UTF-8");
	text = json_dumps(request, JSON_COMPACT);
	json_decref(request);
	if (!text)
		return report_set(report, -ENOMEM, "out of memory");
	r = exchange(c, text, &reply, report);
	if (r < 0)
		return r;
	*ret_reply = json_loadb(reply.data ? reply.data : "", reply.length, 0,
				&error);
	if (!*ret_reply)
		return report_set(report, -EPROTO,
				  "the mount gives an answer that this version "
				  "does not understand: %s", error.text);
	return 0;
}

int client_ask(struct client *c, json_t *request, json_t **ret_reply,
	       struct report *report)
{
	json_t *reply;
	int r = ask(c, request, &reply, report);

	if (r < 0)
		return r;
	r = reply_error(reply, report);
	if (r == 0 && ret_reply)
		*ret_reply = json_incref(reply);
	json_decref(reply);
	return r;
}

int client_ask_names(struct client *c, json_t **ret_reply, struct report *report)
{
	return client_ask(c, json_pack("{s:s, s:b}", "do", "branches", "heads", 0),
			  ret_reply, report);
}

/* A refused merge is an answer, not an error. */
static int status_of(int r)
{
	return r == 0 ? STATUS_OK : r == -ENOTEMPTY ? STATUS_NEGATIVE :
						      STATUS_ERROR;
}

int client_do(struct client *c, json_t *request, json_t **ret_reply)
{
	struct report report = { "" };
	json_t *reply = NULL;
	int r = ask(c, request, &reply, &report);

	if (r == 0 && c->json) {
		json_dumpf(reply, stdout, JSON_COMPACT);
		putchar('\n');
	}
	if (r == 0)
		r = reply_error(reply, &report);
	if (r < 0)
		say(c->name, 0, "%s", report.text);
	if (r == 0 && ret_reply)
		*ret_reply = json_incref(reply);
	json_decref(reply);
	return status_of(r);
}

/* ---- finding the place ---- */

static int open_control(const char *point)
{
	scoped_free char *path = NULL;
	int fd;

	if (asprintf(&path, "%s/" CONTROL_FILE, point) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	fd = open(path, O_RDWR | O_CLOEXEC);
	/* a read-only mount: see FS_REQUEST */
	if (fd < 0 && errno == EROFS)
		fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int reach_mount(struct client *c, const char *point,
		       struct report *report)
{
	int fd = open_control(point);

	if (fd == -ENOTCONN)
		return report_set(report, fd, "the mount at %s is dead: its "
				  "process has ended; mount the store again, "
				  "which recovers it", point);
	if (fd < 0)
		return report_set(report, fd, "cannot reach the mount at %s: %s",
				  point, strerror(-fd));
	c->control = fd;
	return 0;
}

/* Branch and path of the folder at path in the mount. */
static int find_place(struct client *c, const struct mount_entry *e,
		      const char *path, struct report *report)
{
	scoped_free char *inside = NULL;
	const char *below = path + (strcmp(e->point, "/") ?
				    strlen(e->point) : 0);
	json_t *branches;
	int r;

	if (asprintf(&inside, "%s/%s", e->root, below) < 0) {
		inside = NULL;
		return -ENOMEM;
	}
	r = client_ask_names(c, &branches, report);
	if (r < 0)
		return r;
	r = place_find(inside, branches, &c->place);
	json_decref(branches);
	return r;
}

static int enter_mount(struct client *c, const char *path,
		       struct mount_entry *e, struct report *report)
{
	scoped(mount_entry_release) struct mount_entry whole = { 0 };
	int r;

	/* a bind mount of a branch does not show the mount's own control file */
	if (strcmp(e->root, "/") == 0)
		r = reach_mount(c, e->point, report);
	else if (mountinfo_find_root(e->device, &whole) == 0)
		r = reach_mount(c, whole.point, report);
	else
		r = report_set(report, -ENOENT, "%s shows a part of a store "
			       "whose mount point is not visible from here; "
			       "use --store", e->point);
	return r < 0 ? r : find_place(c, e, path, report);
}

static int open_directory(struct client *c, const char *directory,
			  struct report *report)
{
	scoped_free char *path = realpath(directory ? directory : ".", NULL);
	scoped(mount_entry_release) struct mount_entry e = { 0 };

	if (!path)
		return report_set(report, -errno, "%s: %s", directory ?
				  directory : "the working directory",
				  strerror(errno));
	if (mountinfo_find(path, &e) < 0 || strcmp(e.type, MOUNTINFO_TYPE))
		return report_set(report, -ENOENT, "%s is not inside a mount of "
				  "irminfs; use -C DIR or --store STORE", path);
	return enter_mount(c, path, &e, report);
}

static int open_store(struct client *c, const char *path, struct report *report)
{
	const struct store_options options = {
		.uid = getuid(),
		.gid = getgid(),
	};
	char point[4096] = "";
	pid_t pid;

	if (store_holder(path, &pid, point, sizeof(point)) == 0 && point[0])
		return reach_mount(c, point, report);
	/* another command: it will not take long */
	store_wait_unlocked(path, OTHER_COMMAND_SECONDS);
	return store_open(path, &options, &c->store, report);
}

/* ---- opening and closing ---- */

static struct client *client_new(const char *name, bool json)
{
	struct client *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->name = name;
	c->json = json;
	c->control = -1;
	c->caller = (struct caller){
		.uid = getuid(),
		.gid = getgid(),
		.pid = getpid(),
		.operation = name,
	};
	return c;
}

int client_close(struct client *c, struct report *report)
{
	int r = 0;

	if (!c)
		return 0;
	if (c->store)
		r = store_close(c->store, report);
	if (c->control >= 0)
		close(c->control);
	place_release(&c->place);
	free(c);
	return r;
}

int client_open_mount(const char *point, struct client **ret,
		      struct report *report)
{
	struct client *c = client_new("umount", false);
	int r;

	if (!c)
		return report_set(report, -ENOMEM, "out of memory");
	r = reach_mount(c, point, report);
	if (r < 0) {
		client_close(c, NULL);
		return r;
	}
	*ret = c;
	return 0;
}

static int client_open(const char *name, const struct where *where,
		       struct client **ret, struct report *report)
{
	struct client *c = client_new(name, where->json);
	int r;

	if (!c)
		return report_set(report, -ENOMEM, "out of memory");
	if (where->store)
		r = open_store(c, where->store, report);
	else
		r = open_directory(c, where->directory, report);
	if (r < 0) {
		client_close(c, NULL);
		return report_set(report, r, "%s", strerror(-r));
	}
	*ret = c;
	return 0;
}

int client_command(const struct command *self, const struct flag *own,
		   int argc, char **argv, int least, int most,
		   client_action *action, void *options)
{
	struct where where = { 0 };
	const struct flag common[] = {
		{ 'C', "directory", "DIR", "act on the mount that DIR is in",
		  .text = &where.directory },
		{ 0, "store", "STORE", "act on that repository, mounted or not",
		  .text = &where.store },
		{ 0, "json", NULL, "print the reply as one line of JSON",
		  .set = &where.json },
		{ 0 },
	};
	struct report report = { "" };
	struct operands operands;
	struct client *c = NULL;
	int r, status = flags_parse(self, own, common, argc, argv, least, most,
				 &operands);

	if (status >= 0)
		return status;
	if (where.store && where.directory && chdir(where.directory) < 0)
		return say(self->name, STATUS_ERROR, "%s: %s", where.directory,
			   strerror(errno));
	if (client_open(self->name, &where, &c, &report) < 0)
		return say(self->name, STATUS_ERROR, "%s", report.text);
	status = action(c, &operands, options);
	r = client_close(c, &report);
	if (r < 0)
		status = say(self->name, STATUS_ERROR, "%s", report.text[0] ?
			     report.text : strerror(-r));
	return output_finish(self->name, status);
}
