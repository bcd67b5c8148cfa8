/* SPDX-License-Identifier: ISC */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* files FOLDER COUNT BYTES: makes that many files of so many bytes; for
 * bench_files, where a program that costs little itself is needed. */

int main(int argc, char **argv)
{
	char name[32], *data;
	long count, size;
	int dir, fd;

	if (argc != 4)
		return 2;
	count = atol(argv[2]);
	size = atol(argv[3]);
	data = calloc(1, size + 1);
	dir = open(argv[1], O_RDONLY | O_DIRECTORY);
	if (dir < 0 || !data) {
		perror(argv[1]);
		return 1;
	}
	memset(data, 'x', size);
	for (long i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "f%ld", i);
		fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL, 0644);
		if (fd < 0 || write(fd, data, size) != size || close(fd) < 0) {
			perror(name);
			return 1;
		}
	}
	free(data);
	return 0;
}
