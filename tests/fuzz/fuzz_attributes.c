/* SPDX-License-Identifier: ISC */
#include "tests/fuzz/fuzz.h"
#include "store/attribute_file.h"

#include <assert.h>
#include <string.h>

/* .gitattributes: whatever it says, there is an answer. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const paths[] = { "a", "src/a.c", "a/b/c/d.txt" };
	struct attribute_file *file;
	const char *value;

	if (attribute_file_parse((const char *)data, size, true, &file) < 0)
		return 0;
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		struct attribute_level level = { file, paths[i] };
		enum attribute_state state = attribute_find(&level, 1, "merge",
							    &value);

		assert((state == ATTRIBUTE_VALUE) == (value != NULL));
		if (value)
			assert(strlen(value) <= size);
	}
	attribute_file_free(file);
	return 0;
}
