/* SPDX-License-Identifier: ISC */
#include "tests/fuzz/fuzz.h"
#include "store/checksum.h"
#include "store/table.h"
#include "store/table_text.h"

#include <assert.h>

/* The branch table: the input gets a right checksum, since a wrong one ends
 * decoding at once; what decodes encodes again to the same text. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	scoped_buffer struct buffer text = { 0 }, first = { 0 }, second = { 0 };
	struct table *table, *again;

	if (buffer_append(&text, data, size) < 0 ||
	    buffer_printf(&text, "%s%016llx\n", TABLE_TRAILER,
			  (unsigned long long)checksum64(data, size, 0)) < 0 ||
	    table_decode(text.data, text.length, &table) < 0)
		return 0;
	assert(table_encode(table, &first) == 0);
	assert(table_decode(first.data, first.length, &again) == 0);
	assert(table_encode(again, &second) == 0);
	assert(first.length == second.length);
	assert(memcmp(first.data, second.data, first.length) == 0);
	table_free(again);
	table_free(table);
	return 0;
}
