/* SPDX-License-Identifier: ISC */
#ifndef STORE_JOURNAL_FILES_H
#define STORE_JOURNAL_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The files under the journal, by number: segments first, then as many data
 * files.  Tests put their own in its place, to lose, tear and reorder what was
 * not flushed. */

struct journal_files;

struct journal_files_ops {
	/* Bytes read, fewer at the end only, 0 also of a file that is not
	 * there; negative errno. */
	ssize_t (*read)(struct journal_files *f, unsigned int file, void *data,
			size_t size, uint64_t offset);
	/* All or a negative errno; makes the file if need be. */
	int (*write)(struct journal_files *f, unsigned int file,
		     const void *data, size_t size, uint64_t offset);
	/* What was written to the file is durable when it returns; called by one
	 * thread while another may write or flush. */
	int (*flush)(struct journal_files *f, unsigned int file);
	/* The same, and a failure is reported to flush all the same: the kernel
	 * tells each opened file of it just once. */
	int (*flush_apart)(struct journal_files *f, unsigned int file);
	/* Makes it that short, without durability; a file that is not there is
	 * empty. */
	int (*cut)(struct journal_files *f, unsigned int file, uint64_t size);
	/* Bytes that the disk has left; UINT64_MAX: not known. */
	uint64_t (*room)(struct journal_files *f);
	void (*free)(struct journal_files *f);
};

/* First member of every implementation. */
struct journal_files {
	const struct journal_files_ops *ops;
};

/* The folder "journal" in folder_fd, made durably if it is absent and create is
 * set.  -ENOENT; errors of mkdir(2), open(2). */
int journal_files_new(int folder_fd, bool create, unsigned int segments,
		      struct journal_files **ret_files);
void journal_files_free(struct journal_files *files);	/* accepts NULL */

#endif
