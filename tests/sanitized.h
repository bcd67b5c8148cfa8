/* SPDX-License-Identifier: ISC */
#ifndef TESTS_SANITIZED_H
#define TESTS_SANITIZED_H

#include <stdlib.h>

/* How much a model test does, which IRMINFS_MODEL_ROUNDS multiplies. */

#ifndef __has_feature
#define __has_feature(name) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) ||           \
	__has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 20
#else
#define SANITIZED 1
#endif

static inline unsigned int rounds(unsigned int base)
{
	const char *times = getenv("IRMINFS_MODEL_ROUNDS");

	return times ? base * atoi(times) : base;
}

/* Fewer under sanitizers, which are slow. */
static inline unsigned int operations(unsigned int base)
{
	return rounds(base / SANITIZED);
}

#endif
