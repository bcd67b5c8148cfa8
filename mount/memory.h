/* SPDX-License-Identifier: ISC */
#ifndef MOUNT_MEMORY_H
#define MOUNT_MEMORY_H

#include <stddef.h>
#include <stdint.h>

/* How much memory a daemon may take where nobody said so. */

/* The least of the limits that Linux's control groups, version 1 or 2, set to this
 * process and that can be read; UINT64_MAX: none.  root: "", or a folder that stands for
 * the root of the filesystem. */
uint64_t memory_allowed(const char *root);

/* For store_options.memory: 0, its own default, or less where a daemon with that would
 * be killed.  The daemon takes as much again for what it does, and more for many files. */
size_t memory_budget(uint64_t allowed);

#endif
