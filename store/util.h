/* SPDX-License-Identifier: ISC */
#ifndef STORE_UTIL_H
#define STORE_UTIL_H

/* What all parts of the program share and C does not have: cleanup at the end of a
 * block, growable bytes, messages, files, the clock, who asks. */

#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* ---- scoped cleanup ---- */

static inline void cleanup_freep(void *p)
{
	free(*(void **)p);
}

static inline void cleanup_closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void cleanup_unlockp(pthread_mutex_t **lock)
{
	if (*lock)
		pthread_mutex_unlock(*lock);
}

static inline void cleanup_rwunlockp(pthread_rwlock_t **lock)
{
	if (*lock)
		pthread_rwlock_unlock(*lock);
}

static inline pthread_mutex_t *mutex_locked(pthread_mutex_t *lock)
{
	pthread_mutex_lock(lock);
	return lock;
}

static inline pthread_rwlock_t *read_locked(pthread_rwlock_t *lock)
{
	pthread_rwlock_rdlock(lock);
	return lock;
}

static inline pthread_rwlock_t *write_locked(pthread_rwlock_t *lock)
{
	pthread_rwlock_wrlock(lock);
	return lock;
}

#define scoped(function) __attribute__((cleanup(function)))
#define scoped_free scoped(cleanup_freep)
#define scoped_fd scoped(cleanup_closep)

#define SCOPE_NAME2(line) scope_lock_##line
#define SCOPE_NAME(line) SCOPE_NAME2(line)

/* Hold a lock until the end of the block. */
#define SCOPED_LOCK(lock)                                                      \
	scoped(cleanup_unlockp) __attribute__((unused))                     \
		pthread_mutex_t *SCOPE_NAME(__LINE__) = mutex_locked(lock)
#define SCOPED_READ(lock)                                                      \
	scoped(cleanup_rwunlockp) __attribute__((unused))                   \
		pthread_rwlock_t *SCOPE_NAME(__LINE__) = read_locked(lock)
#define SCOPED_WRITE(lock)                                                     \
	scoped(cleanup_rwunlockp) __attribute__((unused))                   \
		pthread_rwlock_t *SCOPE_NAME(__LINE__) = write_locked(lock)

/* Moves a pointer out of a scoped variable. */
#define STEAL(p)                                                               \
	({                                                                     \
		__typeof__(p) stolen_ = (p);                                   \
		(p) = NULL;                                                    \
		stolen_;                                                       \
	})

/* A rwlock that lets waiting writers go before new readers.  The same thread
 * must not take it twice. */
void rwlock_init(pthread_rwlock_t *lock);

/* A thread that gets no signals: those are for who serves the mount.  -EAGAIN. */
int thread_start(pthread_t *ret, void *(*run)(void *), void *context);

/* ---- growable bytes ---- */

/* Bytes with a length; a NUL follows data[length] (data may be NULL at length 0
 * before the first append).  Zero-initialise to make, buffer_release to end. */
struct buffer {
	char *data;
	size_t length, capacity;
};

/* All return 0 or -ENOMEM. */
int buffer_append(struct buffer *b, const void *data, size_t length);
int buffer_puts(struct buffer *b, const char *text);
int buffer_printf(struct buffer *b, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
int buffer_reserve(struct buffer *b, size_t more);
void buffer_release(struct buffer *b);

#define scoped_buffer scoped(buffer_release)

/* ---- messages ---- */

/* One sentence that tells a user what happened, where, and what to do. */
struct report {
	char text[1024];
};

/* report may be NULL.  Keeps the first sentence: later calls on a report that
 * already has text do nothing.  Returns error, so: return report_set(...). */
int report_set(struct report *report, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Process-wide sink for messages of a daemon; the default is standard error. */
typedef void log_sink(enum log_level level, const char *text);
void log_set_sink(log_sink *sink, enum log_level most);
void log_message(enum log_level level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#define log_error(...) log_message(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_message(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...) log_message(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_message(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* ---- files ---- */

/* Writes size bytes at the offset whatever pwrite returns in between; 0 or
 * negative errno. */
int write_fully(int fd, const void *data, size_t size, off_t offset);

/* The same at the present offset, or into a pipe; waits where a descriptor that
 * does not block is full. */
int write_next(int fd, const void *data, size_t size);

/* At most size bytes, whatever interrupts it; waits where a descriptor that does not
 * block has none.  Their number, 0 at the end, or negative errno. */
ssize_t read_next(int fd, void *data, size_t size);

/* Reads until size bytes, the end, a failure or, from a descriptor that does not
 * block, until nothing more is there; returns bytes read. */
size_t read_there(int fd, void *data, size_t size);

/* Reads until size bytes or the end; returns bytes read or negative errno. */
ssize_t read_fully(int fd, void *data, size_t size, off_t offset);

/* Replaces dir_fd/name by data, durably: temporary file beside it, fsync,
 * rename, fsync of the folder.  0 or negative errno; on failure the old file
 * stays. */
int replace_file(int dir_fd, const char *name, const void *data, size_t size,
		 mode_t mode);

/* Whole file into a new buffer.  -EFBIG: longer than most. */
int read_file(int dir_fd, const char *name, size_t most, struct buffer *ret);

/* ---- clock ---- */

/* Time is a parameter, so that tests replace it. */
typedef void clock_function(struct timespec *ret_now);
void clock_real(struct timespec *ret_now);

/* Who asks: recorded as author and in trailers of commits, and owner of what
 * is created. */
struct caller {
	uid_t uid;
	gid_t gid;
	mode_t umask;		/* of its process; 0: known to whom it matters */
	pid_t pid;		/* 0: unknown */
	const char *operation;	/* "fsync", "fork", "timer", ...; static */
};

#endif
