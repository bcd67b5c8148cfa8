/* SPDX-License-Identifier: ISC */
#include "store/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>

static int uid_name(uid_t uid, char *ret, size_t size)
{
	struct passwd entry, *found = NULL;
	size_t space = 16 << 10;
	scoped_free char *memory = malloc(space);

	if (!memory)
		return -ENOMEM;
	/* An entry too long for the memory counts as none. */
	if (getpwuid_r(uid, &entry, memory, space, &found) == 0 && found &&
	    *found->pw_name)
		snprintf(ret, size, "%s", found->pw_name);
	else
		snprintf(ret, size, "uid-%u", (unsigned int)uid);
	return 0;
}

/* The configured value, or a copy of the default. */
static int configured(struct store *store, const char *key,
		      const char *otherwise, char **ret)
{
	scoped_free char *value = NULL;
	int r = git_config_read(store->repo, key, &value);

	if (r == -ENOMEM)
		return r;
	/* A configuration that cannot be read must not keep anybody from
	 * saving. */
	if (r || !value || !value[strspn(value, " \t\n<>")]) {
		free(value);
		value = strdup(otherwise);
		if (!value)
			return -ENOMEM;
	}
	*ret = STEAL(value);
	return 0;
}

/* Name of the program as far as it can stand in a line. */
static void program_name(pid_t pid, char *ret, size_t size)
{
	char path[32];
	scoped_fd int fd = -1;
	ssize_t length = 0;

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		length = read_fully(fd, ret, size - 1, 0);
	if (length < 0)
		length = 0;
	while (length > 0 && (ret[length - 1] == '\n' || ret[length - 1] == ' '))
		length--;
	ret[length] = '\0';
	for (char *p = ret; *p; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
}

static int make_trailers(const struct caller *caller, char **ret)
{
	scoped_buffer struct buffer text = { 0 };
	char program[64] = "";
	int r = buffer_printf(&text, "Irmin-Operation: %s\n",
			      caller->operation ? caller->operation : "commit");

	if (caller->pid > 0)
		program_name(caller->pid, program, sizeof(program));
	if (!r && *program)
		r = buffer_printf(&text, "Irmin-Program: %s\n", program);
	if (!r && caller->pid > 0)
		r = buffer_printf(&text, "Irmin-Pid: %d\n", (int)caller->pid);
	if (!r)
		*ret = STEAL(text.data);
	return r;
}

static int minutes_east(int64_t seconds)
{
	time_t t = seconds;
	struct tm local;

	if (!localtime_r(&t, &local))
		return 0;
	return local.tm_gmtoff / 60;
}

int identity_init(struct identity *ret, struct store *store,
		  const struct caller *caller)
{
	char user[LOGIN_NAME_MAX], host[HOST_NAME_MAX + 1];
	char address[LOGIN_NAME_MAX + HOST_NAME_MAX + 2];
	scoped_free char *name = NULL, *email = NULL;
	struct identity identity = { 0 };
	int64_t now = store_now(store);
	int r = uid_name(caller->uid, user, sizeof(user));

	if (r)
		return r;
	if (gethostname(host, sizeof(host)))
		snprintf(host, sizeof(host), "localhost");
	host[HOST_NAME_MAX] = '\0';
	snprintf(address, sizeof(address), "%s@%s", user, host);
	r = configured(store, "user.name", user, &name);
	if (!r)
		r = configured(store, "user.email", address, &email);
	if (!r)
		r = make_trailers(caller, &identity.trailers);
	if (!r)
		r = signature_init(&identity.author, name, email, now,
				   minutes_east(now));
	if (r) {
		identity_release(&identity);
		return r;
	}
	identity.timer = caller->operation && !strcmp(caller->operation, "timer");
	*ret = identity;
	return 0;
}

void identity_release(struct identity *identity)
{
	signature_release(&identity->author);
	free(identity->trailers);
	identity->trailers = NULL;
}
