/* SPDX-License-Identifier: ISC */
#ifndef STRUCTURES_STRUCTURES_PRIVATE_H
#define STRUCTURES_STRUCTURES_PRIVATE_H

#include "store/directory_type.h"

/* What structures.c registers. */

extern const struct directory_type queue_directory_type;

#endif
