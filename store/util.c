/* SPDX-License-Identifier: ISC */
#include "store/util.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

void rwlock_init(pthread_rwlock_t *lock)
{
	pthread_rwlockattr_t attributes;

	pthread_rwlockattr_init(&attributes);
	pthread_rwlockattr_setkind_np(&attributes,
			PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(lock, &attributes);
	pthread_rwlockattr_destroy(&attributes);
}

/* ---- growable bytes ---- */

int buffer_reserve(struct buffer *b, size_t more)
{
	size_t need, capacity = b->capacity ? b->capacity : 64;
	char *data;

	if (__builtin_add_overflow(b->length, more, &need) ||
	    __builtin_add_overflow(need, 1, &need) || need > SIZE_MAX / 2)
		return -ENOMEM;
	if (need <= b->capacity)
		return 0;
	while (capacity < need)
		capacity *= 2;
	data = realloc(b->data, capacity);
	if (!data)
		return -ENOMEM;
	b->data = data;
	b->capacity = capacity;
	return 0;
}

int buffer_append(struct buffer *b, const void *data, size_t length)
{
	int r = buffer_reserve(b, length);

	if (r < 0)
		return r;
	if (length)
		memcpy(b->data + b->length, data, length);
	b->length += length;
	b->data[b->length] = '\0';
	return 0;
}

int buffer_puts(struct buffer *b, const char *text)
{
	return buffer_append(b, text, strlen(text));
}

int buffer_printf(struct buffer *b, const char *format, ...)
{
	va_list args, again;
	size_t room = b->capacity - b->length;
	int n, r = 0;

	va_start(args, format);
	va_copy(again, args);
	n = vsnprintf(room ? b->data + b->length : NULL, room, format, args);
	if (n < 0)
		r = -ENOMEM;
	else if ((size_t)n >= room)
		r = buffer_reserve(b, n);
	if (r == 0 && (size_t)n >= room)
		vsnprintf(b->data + b->length, n + 1, format, again);
	if (r == 0)
		b->length += n;
	else if (room)
		b->data[b->length] = '\0';
	va_end(again);
	va_end(args);
	return r;
}

void buffer_release(struct buffer *b)
{
	free(b->data);
	*b = (struct buffer){ 0 };
}

/* ---- messages ---- */

int report_set(struct report *report, int error, const char *format, ...)
{
	va_list args;

	if (!report || report->text[0])
		return error;
	va_start(args, format);
	vsnprintf(report->text, sizeof(report->text), format, args);
	va_end(args);
	return error;
}

static void log_to_stderr(enum log_level level, const char *text)
{
	static const char *const names[] = { "error", "warning", "info", "debug" };

	fprintf(stderr, "irminfs: %s: %s\n", names[level], text);
}

static log_sink *sink = log_to_stderr;
static enum log_level sink_most = LOG_LEVEL_WARNING;

void log_set_sink(log_sink *new_sink, enum log_level most)
{
	sink = new_sink ? new_sink : log_to_stderr;
	sink_most = most;
}

void log_message(enum log_level level, const char *format, ...)
{
	char text[2048];
	va_list args;

	if (level > sink_most)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	sink(level, text);
}

/* ---- files ---- */

int write_fully(int fd, const void *data, size_t size, off_t offset)
{
	const char *p = data;

	while (size) {
		ssize_t n = pwrite(fd, p, size, offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO;
		p += n;
		size -= n;
		offset += n;
	}
	return 0;
}

/* After a call that failed: 0, where it was interrupted, or when a descriptor that
 * does not block is ready; or negative errno. */
static int await_retry(int fd, short events)
{
	struct pollfd ready = { .fd = fd, .events = events };

	if (errno == EAGAIN && poll(&ready, 1, -1) >= 0)
		return 0;
	return errno == EINTR ? 0 : -errno;
}

int write_next(int fd, const void *data, size_t size)
{
	const char *p = data;

	while (size) {
		ssize_t n = write(fd, p, size);
		int r = n < 0 ? await_retry(fd, POLLOUT) : 0;

		if (r < 0)
			return r;
		if (n < 0)
			continue;
		p += n;
		size -= n;
	}
	return 0;
}

ssize_t read_next(int fd, void *data, size_t size)
{
	for (;;) {
		ssize_t n = read(fd, data, size);
		int r = n < 0 ? await_retry(fd, POLLIN) : 0;

		if (n >= 0)
			return n;
		if (r < 0)
			return r;
	}
}

size_t read_there(int fd, void *data, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = read(fd, (char *)data + done, size - done);

		if (n == 0 || (n < 0 && errno != EINTR))
			break;
		done += n > 0 ? n : 0;
	}
	return done;
}

ssize_t read_fully(int fd, void *data, size_t size, off_t offset)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = pread(fd, (char *)data + done, size - done,
				  offset + done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += n;
	}
	return done;
}

static int write_durably(int dir_fd, const char *name, const void *data,
			 size_t size, mode_t mode)
{
	scoped_fd int fd = openat(dir_fd, name,
				O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
				mode);
	int r;

	if (fd < 0)
		return -errno;
	r = write_fully(fd, data, size, 0);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	return r;
}

int replace_file(int dir_fd, const char *name, const void *data, size_t size,
		 mode_t mode)
{
	scoped_free char *temporary = NULL;
	int r;

	if (asprintf(&temporary, "%s.tmp", name) < 0) {
		temporary = NULL;
		return -ENOMEM;
	}
	r = write_durably(dir_fd, temporary, data, size, mode);
	if (r == 0 && renameat(dir_fd, temporary, dir_fd, name) < 0)
		r = -errno;
	if (r == 0 && fsync(dir_fd) < 0)
		return -errno;
	if (r < 0)
		unlinkat(dir_fd, temporary, 0);
	return r;
}

int read_file(int dir_fd, const char *name, size_t most, struct buffer *ret)
{
	scoped_fd int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
	scoped_buffer struct buffer b = { 0 };
	ssize_t n;
	int r;

	if (fd < 0)
		return -errno;
	do {
		r = buffer_reserve(&b, 65536);
		if (r < 0)
			return r;
		n = read(fd, b.data + b.length, 65536);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		b.length += n;
		b.data[b.length] = '\0';
		if (b.length > most)
			return -EFBIG;
	} while (n);
	*ret = b;
	b = (struct buffer){ 0 };
	return 0;
}

/* ---- clock ---- */

void clock_real(struct timespec *ret_now)
{
	clock_gettime(CLOCK_REALTIME, ret_now);
}
