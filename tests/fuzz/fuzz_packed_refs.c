/* SPDX-License-Identifier: ISC */
#include "tests/fuzz/fuzz.h"
#include "store/git_packed_refs.h"

#include <assert.h>

/* packed-refs: what is listed moves on and stays inside the text. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct packed_refs refs = { 0 };
	struct packed_ref ref;
	size_t position = 0, last = 0;
	int r = buffer_append(&refs.text, data, size);

	while (r == 0 && packed_refs_next(&refs, &position, &ref) > 0) {
		assert(position > last && position <= size);
		assert(ref.begin < ref.end && ref.end == position);
		assert(ref.name >= refs.text.data &&
		       ref.name + ref.length <= refs.text.data + ref.end);
		last = position;
	}
	packed_refs_find(&refs, "refs/heads/main", &ref);
	packed_refs_clash(&refs, "refs/heads/main");
	packed_refs_release(&refs);
	return 0;
}
