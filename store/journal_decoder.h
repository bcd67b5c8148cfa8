/* SPDX-License-Identifier: ISC */
#ifndef STORE_JOURNAL_DECODER_H
#define STORE_JOURNAL_DECODER_H

#include "store/journal_record.h"

/* Inside of journal_decode, for journal_decode.c and journal_contents.c. */

struct decoder {
	struct journal_replay *replay;
	const char *at, *end;
	journal_data *data;
	void *context;
	unsigned int depth;
};

/* Take the next bytes; -EUCLEAN: there are not as many. */
int journal_get_u8(struct decoder *d, uint8_t *ret);
int journal_get_u32(struct decoder *d, uint32_t *ret);
int journal_get_u64(struct decoder *d, uint64_t *ret);
int journal_get_oid(struct decoder *d, struct oid *ret);
/* size bytes, or NULL. */
const char *journal_get(struct decoder *d, uint64_t size);

/* The contents of an entry, as a snapshot. */
int journal_get_contents(struct decoder *d, struct contents **ret);

#endif
