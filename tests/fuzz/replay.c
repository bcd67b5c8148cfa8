/* SPDX-License-Identifier: ISC */
#include "tests/fuzz/fuzz.h"
#include "store/util.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* replay FILE...: runs a fuzz target on each corpus file and on mutations of it
 * that are the same in every run (FUZZ_RUNS of them, 2,000 unless told); prints
 * TAP, a line a file.  A finding ends the program: sanitizers and assertions
 * say where, and the input is then in ./crash-input. */

#define INPUT_MAX (1 << 20)

static uint64_t state = 0x9e3779b97f4a7c15;

static uint64_t next(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static size_t mutate(uint8_t *data, size_t size)
{
	size_t at = size ? next() % size : 0, length;

	switch (size ? next() % 6 : 3) {
	case 0:
		data[at] ^= 1 << (next() % 8);
		return size;
	case 1:
		data[at] = next();
		return size;
	case 2:			/* cut a piece out */
		length = next() % (size - at) + 1;
		memmove(data + at, data + at + length, size - at - length);
		return size - length;
	case 3:			/* put a byte in */
		memmove(data + at + 1, data + at, size - at);
		data[at] = next();
		return size + 1;
	case 4:			/* cut off */
		return at;
	default:		/* repeat a piece */
		length = next() % (size - at) + 1;
		memmove(data + at + length, data + at, size - at);
		return size + length;
	}
}

static void keep_input(const uint8_t *data, size_t size)
{
	scoped_fd int fd = open("crash-input",
				O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd >= 0)
		write_fully(fd, data, size, 0);
}

static void run(const uint8_t *data, size_t size)
{
	/* exact size on the heap, so that a read beyond it is seen */
	scoped_free uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		return;
	memcpy(copy, data, size);
	if (getenv("FUZZ_KEEP"))
		keep_input(data, size);
	LLVMFuzzerTestOneInput(copy, size);
}

static void replay(const struct buffer *file, unsigned long runs)
{
	scoped_free uint8_t *data = malloc(INPUT_MAX * 2 + 1);

	if (!data)
		return;
	run((const uint8_t *)file->data, file->length);
	for (unsigned long i = 0; i < runs; i++) {
		size_t size = file->length;

		memcpy(data, file->data, size);
		for (int n = next() % 4; n >= 0 && size < INPUT_MAX; n--)
			size = mutate(data, size);
		run(data, size);
	}
}

int main(int argc, char **argv)
{
	const char *wanted = getenv("FUZZ_RUNS");
	unsigned long runs = wanted ? strtoul(wanted, NULL, 10) : 2000;

	log_set_sink(NULL, LOG_LEVEL_ERROR);
	printf("1..%d\n", argc - 1);
	for (int i = 1; i < argc; i++) {
		scoped_buffer struct buffer file = { 0 };
		int r = read_file(AT_FDCWD, argv[i], INPUT_MAX / 2, &file);

		if (r == 0)
			replay(&file, runs);
		printf("%s %d - %s and %lu mutations\n", r ? "not ok" : "ok", i,
		       argv[i], runs);
	}
	return 0;
}
