/* SPDX-License-Identifier: ISC */
#ifndef TESTS_SHELL_H
#define TESTS_SHELL_H

#include "tests/test.h"
#include "store/oid.h"

#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A temporary folder and the shell in it, for tests that need Git's own word.
 * Everything fails the test instead of returning errors. */

static inline int shell_remove_entry(const char *path, const struct stat *st,
				     int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

/* A new folder; the caller frees the name with shell_end, which removes it. */
static inline char *shell_begin(void)
{
	char *path = strdup("/tmp/irminfs-test.XXXXXX");

	assert_non_null(path);
	assert_non_null(mkdtemp(path));
	/* nobody's own configuration changes the outcome */
	setenv("GIT_CONFIG_GLOBAL", "/dev/null", 1);
	setenv("GIT_CONFIG_NOSYSTEM", "1", 1);
	setenv("GIT_AUTHOR_NAME", "A", 1);
	setenv("GIT_AUTHOR_EMAIL", "a@localhost", 1);
	setenv("GIT_COMMITTER_NAME", "C", 1);
	setenv("GIT_COMMITTER_EMAIL", "c@localhost", 1);
	return path;
}

static inline void shell_end(char *path)
{
	nftw(path, shell_remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	free(path);
}

/* Runs a command line in folder; returns its exit status, and its output
 * without the newline at its end in *ret_output unless that is NULL (the caller
 * frees it). */
static inline int shell_try(const char *folder, char **ret_output,
			    const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static inline int shell_try(const char *folder, char **ret_output,
			    const char *format, ...)
{
	char *command, *line, *output = malloc(1 << 20);
	size_t length;
	va_list args;
	FILE *pipe;
	int status;

	va_start(args, format);
	assert_true(vasprintf(&line, format, args) >= 0);
	va_end(args);
	assert_true(asprintf(&command, "cd '%s' && { %s\n} 2>&1", folder,
			     line) >= 0);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	length = fread(output, 1, (1 << 20) - 1, pipe);
	output[length] = '\0';
	while (length && output[length - 1] == '\n')
		output[--length] = '\0';
	status = pclose(pipe);
	if (ret_output)
		*ret_output = output;
	else
		free(output);
	free(line);
	free(command);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

/* The same for what must succeed; its output in a new allocation. */
#define shell(folder, ...)                                                     \
	({                                                                     \
		char *output_;                                                 \
		int status_ = shell_try(folder, &output_, __VA_ARGS__);        \
		if (status_)                                                   \
			fail_msg("exit %d: %s", status_, output_);             \
		output_;                                                       \
	})
#define shell_do(folder, ...) free(shell(folder, __VA_ARGS__))

/* The id that it prints. */
#define shell_oid(folder, ...)                                                 \
	({                                                                     \
		char *hex_ = shell(folder, __VA_ARGS__);                       \
		struct oid oid_;                                               \
		assert_int_equal(oid_parse(hex_, &oid_), 0);                   \
		free(hex_);                                                    \
		oid_;                                                          \
	})

static inline void shell_put(const char *folder, const char *name,
			     const char *text)
{
	char path[512];
	FILE *stream;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	stream = fopen(path, "w");
	assert_non_null(stream);
	fputs(text, stream);
	assert_int_equal(fclose(stream), 0);
}

#endif
