/* SPDX-License-Identifier: ISC */
#ifndef TESTS_TEST_H
#define TESTS_TEST_H

/* cmocka and what its header needs before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#endif
