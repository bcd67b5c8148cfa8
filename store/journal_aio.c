/* SPDX-License-Identifier: ISC */
#include "store/journal_aio.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool prepare(struct journal_aio *aio)
{
	if (aio->context || aio->refused)
		return aio->context;
	if (!aio->bytes)
		aio->bytes = aligned_alloc(AIO_ALIGNMENT, AIO_MOST);
	aio->refused = !aio->bytes ||
		       syscall(SYS_io_setup, 1, &aio->context) < 0;
	return aio->context;
}

bool journal_aio_begin(struct journal_aio *aio, int fd, const void *data,
		       size_t size, uint64_t offset)
{
	struct iocb block = {
		.aio_lio_opcode = IOCB_CMD_PWRITE, .aio_fildes = fd,
		.aio_nbytes = size, .aio_offset = (int64_t)offset,
	};
	struct iocb *list = &block;

	assert(!aio->size && size <= AIO_MOST);
	if (fd < 0 || !prepare(aio))
		return false;
	memcpy(aio->bytes, data, size);
	block.aio_buf = (uintptr_t)aio->bytes;
	if (syscall(SYS_io_submit, aio->context, 1, &list) != 1)
		return false;
	aio->size = size;
	return true;
}

bool journal_aio_finish(struct journal_aio *aio)
{
	struct io_event event = { .res = 0 };
	size_t size = aio->size;
	long n;

	do
		n = syscall(SYS_io_getevents, aio->context, 1, 1, &event, NULL);
	while (n < 0 && errno == EINTR);
	aio->size = 0;
	return n == 1 && event.res == (int64_t)size;
}

void journal_aio_release(struct journal_aio *aio)
{
	if (aio->context)
		syscall(SYS_io_destroy, aio->context);
	free(aio->bytes);
}
