/* SPDX-License-Identifier: ISC */
#ifndef STORE_OID_H
#define STORE_OID_H

#include <stdbool.h>
#include <string.h>

#define OID_SIZE 20
#define OID_HEX_SIZE 41		/* with the terminating NUL */

/* Id of a Git object: SHA-1, as bytes.  All zero means "none". */
struct oid {
	unsigned char id[OID_SIZE];
};

static inline bool oid_equal(const struct oid *a, const struct oid *b)
{
	return memcmp(a->id, b->id, OID_SIZE) == 0;
}

/* As memcmp. */
static inline int oid_compare(const struct oid *a, const struct oid *b)
{
	return memcmp(a->id, b->id, OID_SIZE);
}

static inline bool oid_is_zero(const struct oid *oid)
{
	static const struct oid zero;

	return oid_equal(oid, &zero);
}

/* Writes 40 lower-case hexadecimal digits and a NUL; returns hex. */
char *oid_hex(const struct oid *oid, char hex[OID_HEX_SIZE]);

/* Reads exactly 40 hexadecimal digits.  -EINVAL: not 40 digits at text. */
int oid_parse(const char *text, struct oid *ret_oid);

/* 4b825dc6...: the tree without entries. */
extern const struct oid oid_empty_tree;

#endif
