/* SPDX-License-Identifier: ISC */
#include "store/git_program.h"
#include "store/util.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>

/* Variables of whoever started us must not point Git elsewhere.  A pointer into
 * environ each; the caller frees the array. */
static char **clean_environment(void)
{
	static char no_replace[] = "GIT_NO_REPLACE_OBJECTS=1";
	size_t count = 0, kept = 0;
	char **result;

	while (environ && environ[count])
		count++;
	result = malloc((count + 2) * sizeof(*result));
	if (!result)
		return NULL;
	for (size_t i = 0; i < count; i++)
		if (strncmp(environ[i], "GIT_", 4) != 0)
			result[kept++] = environ[i];
	result[kept++] = no_replace;
	result[kept] = NULL;
	return result;
}

/* Signals that our threads block reach it. */
static int set_attributes(posix_spawnattr_t *attributes, bool own_group)
{
	short flags = POSIX_SPAWN_SETSIGMASK;
	sigset_t none;
	int r;

	if (own_group)
		flags |= POSIX_SPAWN_SETPGROUP;
	sigemptyset(&none);
	r = posix_spawnattr_setsigmask(attributes, &none);
	return r ? r : posix_spawnattr_setflags(attributes, flags);
}

static int set_files(posix_spawn_file_actions_t *actions, int in, int out,
		     int err, int keep)
{
	int r = in >= 0 ? posix_spawn_file_actions_adddup2(actions, in, 0) :
		posix_spawn_file_actions_addopen(actions, 0, "/dev/null",
						 O_RDONLY, 0);

	if (!r)
		r = posix_spawn_file_actions_adddup2(actions, out, 1);
	if (!r)
		r = posix_spawn_file_actions_adddup2(actions, err, 2);
	/* onto itself: it is not closed on exec then */
	if (!r && keep >= 0)
		r = posix_spawn_file_actions_adddup2(actions, keep, keep);
	return r;
}

int git_program_start(char *const *argv, int in, int out, int err,
		      bool own_group, int keep, pid_t *ret_pid)
{
	scoped_free char **environment = clean_environment();
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int r;

	if (!environment)
		return -ENOMEM;
	r = posix_spawn_file_actions_init(&actions);
	if (r)
		return -r;
	r = posix_spawnattr_init(&attributes);
	if (!r) {
		r = set_files(&actions, in, out, err, keep);
		if (!r)
			r = set_attributes(&attributes, own_group);
		if (!r)
			r = posix_spawnp(ret_pid, argv[0], &actions,
					 &attributes, argv, environment);
		posix_spawnattr_destroy(&attributes);
	}
	posix_spawn_file_actions_destroy(&actions);
	return -r;
}
