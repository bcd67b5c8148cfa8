/* SPDX-License-Identifier: ISC */
#include "store/git_reflog.h"
#include "store/git_handle.h"
#include "store/git_ref_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

/* git-config(1), core.logAllRefUpdates: unless set, only repositories with a
 * work tree log; "always" logs refs of any kind. */
static bool wants_log(struct git_repo *repo, const char *name)
{
	scoped_free char *value = NULL;
	bool usual = strncmp(name, "refs/heads/", 11) == 0 ||
		     strncmp(name, "refs/remotes/", 13) == 0 ||
		     strncmp(name, "refs/notes/", 11) == 0;

	if (git_config_read(repo, "core.logallrefupdates", &value) < 0)
		return usual && repo->work_tree;
	if (strcasecmp(value, "always") == 0)
		return true;
	return usual && (strcasecmp(value, "true") == 0 ||
			 strcasecmp(value, "yes") == 0 ||
			 strcasecmp(value, "on") == 0 ||
			 strcmp(value, "1") == 0);
}

static int make_folders(int dir_fd, char *path)
{
	for (char *p = strchr(path, '/'); p; p = strchr(p + 1, '/')) {
		int r;

		*p = '\0';
		r = mkdirat(dir_fd, path, 0777) < 0 ? -errno : 0;
		*p = '/';
		if (r < 0 && r != -EEXIST)
			return r;
	}
	return 0;
}

/* *ret_fd is -1 when there is no log and none is wanted. */
static int open_log(struct git_repo *repo, const char *name, int *ret_fd)
{
	scoped_free char *path = NULL;
	int r;

	if (asprintf(&path, "logs/%s", name) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	*ret_fd = openat(repo->dir_fd, path, O_WRONLY | O_APPEND | O_CLOEXEC);
	if (*ret_fd >= 0 || !wants_log(repo, name))
		return 0;
	/* an empty folder may be left of a ref below this name */
	unlinkat(repo->dir_fd, path, AT_REMOVEDIR);
	r = make_folders(repo->dir_fd, path);
	if (r < 0)
		return r;
	*ret_fd = openat(repo->dir_fd, path,
			 O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
	return *ret_fd < 0 ? -errno : 0;
}

/* One line, "OLD NEW NAME <EMAIL> SECONDS ZONE\tMESSAGE". */
static int format_line(struct git_repo *repo, const struct oid *old,
		       const struct oid *new, const char *message,
		       struct buffer *ret)
{
	scoped_free char *name = NULL, *email = NULL;
	char from[OID_HEX_SIZE], to[OID_HEX_SIZE];
	struct timespec now;
	int r;

	clock_real(&now);
	git_config_read(repo, "user.name", &name);
	git_config_read(repo, "user.email", &email);
	r = buffer_printf(ret, "%s %s %s <%s> %lld +0000\t", oid_hex(old, from),
			  oid_hex(new, to), name ? name : "irminfs",
			  email ? email : "irminfs@localhost",
			  (long long)now.tv_sec);
	if (r == 0)
		r = buffer_puts(ret, message ? message : "");
	for (size_t i = 0; r == 0 && i < ret->length; i++)
		if (ret->data[i] == '\n')
			ret->data[i] = ' ';
	return r < 0 ? r : buffer_puts(ret, "\n");
}

void reflog_append(struct git_repo *repo, const char *name,
		   const struct oid *old, const struct oid *new,
		   const char *message)
{
	scoped_buffer struct buffer line = { 0 };
	scoped_fd int fd = -1;
	int r = open_log(repo, name, &fd);

	if (r == 0 && fd < 0)
		return;
	if (r == 0)
		r = format_line(repo, old, new, message, &line);
	if (r == 0 && write(fd, line.data, line.length) != (ssize_t)line.length)
		r = -EIO;
	if (r < 0)
		log_warning("the reflog of %s cannot be written: %s", name,
			    strerror(-r));
}

void reflog_remove(struct git_repo *repo, const char *name)
{
	scoped_free char *path = NULL;

	if (asprintf(&path, "logs/%s", name) < 0) {
		path = NULL;
		return;
	}
	unlinkat(repo->dir_fd, path, 0);
	ref_remove_empty_parents(repo->dir_fd, path);
}
