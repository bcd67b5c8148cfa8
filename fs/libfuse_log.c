/* SPDX-License-Identifier: ISC */
#include "fs/private.h"

#include <fuse_log.h>
#include <stdio.h>
#include <string.h>

/* What libfuse says, with what else the log has.  Without memory it says the same
 * of each request: once in a while is enough. */

#define KINDS 8
#define QUIET_SECONDS 60

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
	const char *format;		/* tells messages apart */
	time_t until;			/* it is not said again */
} said[KINDS];				/* guarded by lock */
static unsigned int next_kind;

static bool is_new(const char *format)
{
	struct timespec now;
	unsigned int i = 0;
	SCOPED_LOCK(&lock);

	clock_gettime(CLOCK_MONOTONIC, &now);
	while (i < KINDS && said[i].format != format)
		i++;
	if (i == KINDS)
		i = next_kind++ % KINDS;
	else if (now.tv_sec < said[i].until)
		return false;
	said[i].format = format;
	said[i].until = now.tv_sec + QUIET_SECONDS;
	return true;
}

static void pass_on(enum fuse_log_level level, const char *format, va_list args)
{
	char text[512];

	/* of -d */
	if (level > FUSE_LOG_WARNING) {
		vfprintf(stderr, format, args);
		return;
	}
	if (!is_new(format))
		return;
	vsnprintf(text, sizeof(text), format, args);
	text[strcspn(text, "\n")] = '\0';
	if (level == FUSE_LOG_WARNING)
		log_warning("%s", text);
	else
		log_error("%s", text);
}

void libfuse_log_begin(void)
{
	fuse_set_log_func(pass_on);
}
