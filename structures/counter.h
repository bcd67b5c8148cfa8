/* SPDX-License-Identifier: ISC */
#ifndef STRUCTURES_COUNTER_H
#define STRUCTURES_COUNTER_H

#include "store/contents.h"

/* The type "counter": ours + theirs - base (FORMAT.md, "Counters"). */
extern const struct merge_type counter_merge_type;

#endif
