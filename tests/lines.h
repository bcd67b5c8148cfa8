/* SPDX-License-Identifier: ISC */
#ifndef TESTS_LINES_H
#define TESTS_LINES_H

#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>

/* The lines "line 0" to "line 99999", an example of FORMAT.md.  Returns how many
 * bytes; *ret is the caller's to free. */
static inline size_t make_lines(char **ret)
{
	char *text = malloc(2 << 20);
	size_t size = 0;

	assert_non_null(text);
	for (int i = 0; i < 100000; i++)
		size += snprintf(text + size, 20, "line %d\n", i);
	*ret = text;
	return size;
}

#endif
