/* SPDX-License-Identifier: ISC */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* One input; libFuzzer's name for it, so that each target links with libFuzzer
 * (-Dfuzzer=true, clang) or with replay.c. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
