/* SPDX-License-Identifier: ISC */
#ifndef STRUCTURES_LWW_H
#define STRUCTURES_LWW_H

#include "store/contents.h"

/* The type "lww", last writer wins: the side whose last commit that changed the
 * file is later; of two at once, the one with the larger blob id.  Symmetric. */
extern const struct merge_type lww_merge_type;

#endif
