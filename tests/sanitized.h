/* SPDX-License-Identifier: ISC */
#ifndef TESTS_SANITIZED_H
#define TESTS_SANITIZED_H

#include <stdlib.h>

/* Operations of a model test: `base`, fewer under sanitizers, which are slow;
 * IRMINFS_MODEL_ROUNDS multiplies them. */

#ifndef __has_feature
#define __has_feature(name) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) ||           \
	__has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 20
#else
#define SANITIZED 1
#endif

static inline unsigned int operations(unsigned int base)
{
	const char *times = getenv("IRMINFS_MODEL_ROUNDS");

	return base / SANITIZED * (times ? atoi(times) : 1);
}

#endif
