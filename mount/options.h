/* SPDX-License-Identifier: ISC */
#ifndef MOUNT_OPTIONS_H
#define MOUNT_OPTIONS_H

#include "fs/fs.h"

/* The command line of mounting, in the usual style of FUSE. */

struct mount_options {
	char *store, *mountpoint;	/* as given */
	char *passed;			/* options for FUSE, "a,b=c", or NULL */
	struct store_options of_store;
	bool foreground, debug;
	bool no_xattr;			/* see fs/fs.h */
	bool help, version;
};
void mount_options_release(struct mount_options *o);

/* Parses argv[1...].  -EINVAL: wrong; report says what.  With help or version
 * the rest may be missing. */
int mount_options_parse(int argc, char **argv, struct mount_options *ret,
			struct report *report);

/* Bytes with an optional k, M, G (powers of 1,024).  -EINVAL, -ERANGE. */
int parse_size(const char *text, size_t *ret);

#endif
