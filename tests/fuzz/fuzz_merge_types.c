/* SPDX-License-Identifier: ISC */
#include "tests/fuzz/fuzz.h"
#include "structures/counter.h"
#include "structures/entries.h"
#include "structures/token_merge.h"

#include <assert.h>
#include <string.h>

/* Three texts, between bytes 0x01, merged by each type: whatever they hold, there
 * is an answer, and it is the same with both sides exchanged. */

static struct merge_side next_side(const uint8_t **data, size_t *size)
{
	const uint8_t *start = *data;
	const uint8_t *end = *size ? memchr(start, 1, *size) : NULL;
	size_t length = end ? (size_t)(end - start) : *size;
	size_t taken = length + (end != NULL);

	*data += taken;
	*size -= taken;
	return (struct merge_side){ length ? (const void *)start : "", length,
				    "side" };
}

static void merge_both_ways(const struct merge_type *type,
			    const struct merge_input *input)
{
	struct merge_input other = *input;
	struct merge_output a = { 0 }, b = { 0 };
	int r = type->merge(input, &a);

	other.ours = input->theirs;
	other.theirs = input->ours;
	assert(r >= 0);
	assert(type->merge(&other, &b) == r);
	if (r == 0) {
		assert(a.size == b.size && memcmp(a.data, b.data, a.size) == 0);
		assert(!a.note == !b.note);
		assert(!a.note || strcmp(a.note, b.note) == 0);
	}
	merge_output_release(&a);
	merge_output_release(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct merge_type *const types[] = {
		&token_merge_type, &token_suggest_type, &counter_merge_type,
		&set_merge_type, &log_merge_type,
	};
	struct merge_input input = { .path = "f" };

	input.base = next_side(&data, &size);
	input.ours = next_side(&data, &size);
	input.theirs = next_side(&data, &size);
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		merge_both_ways(types[i], &input);
	return 0;
}
