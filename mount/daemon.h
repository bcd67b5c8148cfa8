/* SPDX-License-Identifier: ISC */
#ifndef MOUNT_DAEMON_H
#define MOUNT_DAEMON_H

#include "mount/options.h"

/* Mounts a store and serves it until it is unmounted or SIGTERM, SIGINT or
 * SIGHUP comes, in the background unless o->foreground: then this returns twice,
 * in the caller's process when the mount is ready or has failed, and in the
 * process that served it when that is over.  Returns the exit status; failures
 * have been reported. */
int daemon_mount(const char *name, const struct mount_options *o);

#endif
