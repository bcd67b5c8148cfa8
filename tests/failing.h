/* SPDX-License-Identifier: ISC */
#ifndef TESTS_FAILING_H
#define TESTS_FAILING_H

#include "tests/test.h"
#include "store/slab.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/* Allocations of this program that can be made to fail, one at a time: for tests
 * linked with failing_args (tests/meson.build). */

/* 0: never; n: the nth allocation of this thread from now. */
static _Thread_local unsigned int fail_in;
static unsigned int failures;	/* so far, of threads that set fail_in */

static inline bool fails(void)
{
	if (!fail_in || --fail_in)
		return false;
	failures++;
	errno = ENOMEM;
	return true;
}

/* A function of that signature which fails with result. */
#define FAILING(type, result, name, parameters, arguments)                     \
	type __real_##name parameters;                                         \
	type __wrap_##name parameters;                                         \
	type __wrap_##name parameters                                          \
	{                                                                      \
		return fails() ? (result) : __real_##name arguments;           \
	}

FAILING(void *, NULL, malloc, (size_t size), (size))
FAILING(void *, NULL, calloc, (size_t count, size_t size), (count, size))
FAILING(void *, NULL, realloc, (void *p, size_t size), (p, size))
FAILING(void *, NULL, reallocarray, (void *p, size_t count, size_t size),
	(p, count, size))
FAILING(char *, NULL, strdup, (const char *text), (text))
FAILING(char *, NULL, strndup, (const char *text, size_t size), (text, size))
FAILING(int, -1, vasprintf, (char **ret, const char *format, va_list args),
	(ret, format, args))
FAILING(void *, NULL, slab_new, (struct slab *slab), (slab))

int __wrap_asprintf(char **ret, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
int __wrap_asprintf(char **ret, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = fails() ? -1 : __real_vasprintf(ret, format, args);
	va_end(args);
	return n;
}

/* What may fail of a step: w->fail says which allocation. */
#define TRY(w, call)                                                           \
	({                                                                     \
		int tried_;                                                    \
		fail_in = (w)->fail;                                           \
		tried_ = (call);                                               \
		fail_in = 0;                                                   \
		tried_;                                                        \
	})

#endif
